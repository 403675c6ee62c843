"""The standing of plans: whether a plan can be ordered, was ordered, or has been replaced."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, literal_column, select
from sqlalchemy.orm import Session, aliased

from service.orders.tables import GIVEN_UP, Order
from service.plans.tables import Plan


class PlanStanding(StrEnum):
    """Standing of a plan now."""

    OPEN = "open"
    """It can be ordered."""
    ORDERED = "ordered"
    """An order buys it, or has bought it."""
    REPLACED = "replaced"
    """A newer plan of the scene supersedes it."""
    EXPIRED = "expired"
    """Its prices no longer apply."""
    EMPTY = "empty"
    """It buys nothing."""


WORDS: Mapping[PlanStanding, str] = MappingProxyType(
    {
        PlanStanding.OPEN: "can be ordered",
        PlanStanding.ORDERED: "ordered",
        PlanStanding.REPLACED: "replaced",
        PlanStanding.EXPIRED: "prices expired",
        PlanStanding.EMPTY: "buys nothing",
    }
)
"""Each standing as a page shows it."""

_newer = aliased(Plan)
IS_ORDERED = exists().where(Order.plan_id == Plan.id, Order.status.not_in(GIVEN_UP))
"""Whether an order buys a plan of the query, or has bought it."""
IS_REPLACED = exists(select(_newer.id).where(_newer.supersedes == Plan.id))
"""Whether a newer plan supersedes a plan of the query."""
IS_UNORDERED = and_(Plan.patches_bought > 0, ~IS_REPLACED, ~IS_ORDERED)
"""Whether a plan of the query buys something and nobody orders it, at prices that apply or not."""

STANDING: ColumnElement[str] = case(
    (IS_ORDERED, literal(PlanStanding.ORDERED.value)),
    (IS_REPLACED, literal(PlanStanding.REPLACED.value)),
    (Plan.patches_bought == 0, literal(PlanStanding.EMPTY.value)),
    (Plan.expires_at <= func.now(), literal(PlanStanding.EXPIRED.value)),
    else_=literal(PlanStanding.OPEN.value),
)
"""The standing of a plan in a query of plans."""
_NEEDED: Mapping[PlanStanding, ColumnElement[bool]] = MappingProxyType(
    {
        PlanStanding.ORDERED: IS_ORDERED,
        PlanStanding.REPLACED: IS_REPLACED,
        # Written out, as in the index: the database does not look into a parameter.
        PlanStanding.EMPTY: Plan.patches_bought == literal_column("0"),
    }
)
"""For standings that few plans have, a condition that they meet and by which an index finds them."""


def stands(wanted: PlanStanding) -> ColumnElement[bool]:
    """Return the condition that a plan of the query has a standing."""
    has_it = STANDING.in_([wanted.value])
    return and_(has_it, _NEEDED[wanted]) if wanted in _NEEDED else has_it


def standings(session: Session, plan_ids: Sequence[UUID]) -> dict[UUID, PlanStanding]:
    """Return the standing of each plan."""
    rows = session.execute(select(Plan.id, STANDING).where(Plan.id.in_(plan_ids)))
    return {plan_id: PlanStanding(standing) for plan_id, standing in rows}
