"""Which orders and plans are on the map now, and of which kind of ground. Reads nothing else of them."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)  # fmt: skip
from sqlalchemy.orm import Session

from service.dashboard.ground import NAMES
from service.dashboard.standing import IS_ORDERED, IS_REPLACED
from service.orders.tables import OPEN, STATUS_NOW, Delivery, Order
from service.plans.tables import Plan

SHOWN = np.dtype([("id", "V16"), ("kind", "i1")])
"""Id and kind of an order or plan, as `PLACE` has them."""
AWAITS_PATCHES = STATUS_NOW.in_(OPEN)
"""Whether an order of the query awaits patches."""


def read_shown(session: Session, workspace_id: UUID) -> NDArray[np.void]:
    """Return the orders and plans (N,) of a workspace that are on the map now, of the type `SHOWN`."""
    kind = case((AWAITS_PATCHES, literal("ordered")), else_=literal("owned")).label("kind")
    rows = union_all(
        select(Order.id, kind).where(order_is_shown(workspace_id)),
        select(Plan.id, literal("planned")).where(plan_is_shown(workspace_id)),
    ).subquery()
    # The ids come as one value: as rows, most of the time would go into reading these.
    ids = func.string_agg(func.uuid_send(rows.c.id), literal_column("''::bytea"))
    parts = [np.zeros(0, SHOWN)]
    for name, joined in session.execute(select(rows.c.kind, ids).group_by(rows.c.kind)):
        part = np.zeros(len(joined) // 16, SHOWN)
        part["id"], part["kind"] = np.frombuffer(joined, "V16"), NAMES.index(name)
        parts.append(part)
    return np.concatenate(parts)


def order_is_shown(workspace_id: UUID) -> ColumnElement[bool]:
    """Return the condition that an order of the query owns or awaits patches."""
    has_delivery = exists().where(Delivery.order_id == Order.id)
    return and_(Order.workspace_id == workspace_id, or_(AWAITS_PATCHES, has_delivery))


def plan_is_shown(workspace_id: UUID) -> ColumnElement[bool]:
    """Return the condition that a plan of the query can be ordered."""
    # Written out, as in the index: the database does not look into a parameter.
    buys = Plan.patches_bought > literal_column("0")
    has_prices = Plan.expires_at > func.now()
    return and_(Plan.workspace_id == workspace_id, buys, has_prices, ~IS_ORDERED, ~IS_REPLACED)
