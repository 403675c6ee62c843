"""Other purchases that the money of an order could have paid for."""

from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.bundles.registry import Bundles
from service.money import Money
from service.orders.tables import Delivery
from service.plans.alternatives import Alternatives, Mask
from service.plans.alternatives_schemas import MoneyBasis
from service.plans.arrays import PlanArrays
from service.plans.repository import find_priced_plan
from service.pricing.repository import lists_in_force, terms_of
from service.pricing.tables import PriceList
from service.reports.figures import OrderFigures


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """An order's plan with the money and the patches to compare, and the price lists of its day."""

    found: Alternatives
    own: PriceList
    others: list[PriceList]
    basis: MoneyBasis


def read_counterfactuals(
    session: Session, workspace_id: UUID, order: OrderFigures, bundles: Bundles
) -> Counterfactuals:
    """Read what the alternatives of an order depend on.

    An order that ended is compared by what was delivered and paid; an open one by its plan.
    """
    plan, scene, own = find_priced_plan(session, workspace_id, order.plan_id)
    selected = PlanArrays.of(plan).selected
    is_paid = order.standing in {"completed", "ended"}
    lists = lists_in_force(session, workspace_id, order.created_at.astimezone(UTC).date())
    found = Alternatives(
        plan=plan,
        scene=scene,
        terms=terms_of(own),
        bought=_delivered(session, order.order_id, selected) if is_paid else selected,
        money=max(order.net, Money(0, order.currency)) if is_paid else order.cost,
        predictor=bundles.of_plan(plan.provenance) if bundles.holds(plan.provenance) else None,
    )
    return Counterfactuals(
        found=found,
        own=own,
        others=[one for one in lists if one.id != own.id],
        basis="paid" if is_paid else "planned",
    )


def _delivered(session: Session, order_id: UUID, selected: Mask) -> Mask:
    """Return the delivered patches (T, 16) of an order."""
    mask = np.zeros_like(selected)
    for tile, patch in session.execute(
        select(Delivery.tile, Delivery.patch).where(Delivery.order_id == order_id)
    ):
        mask[tile, patch] = True
    return mask
