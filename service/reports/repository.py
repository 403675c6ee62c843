"""Orders with the figures of their plans and what they settled."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.orders.tables import Delivery, Order
from service.plans.tables import Plan
from service.reports.savings import OrderFigures


def order_figures(session: Session, workspace_id: UUID) -> list[OrderFigures]:
    """Return every order of the workspace, oldest first; the plans' arrays are not read."""
    settled = (
        select(func.coalesce(func.sum(Delivery.settled_minor), 0))
        .where(Delivery.order_id == Order.id)
        .scalar_subquery()
    )
    query = (
        select(
            Order.id.label("order_id"),
            Order.plan_id,
            Order.created_at,
            Order.status,
            Order.currency,
            Plan.patches_bought,
            Plan.baseline_minor,
            Plan.cost_minor,
            Plan.list_saving_minor,
            Plan.billable_saving_minor,
            settled.label("settled_minor"),
        )
        .join(Plan, Plan.id == Order.plan_id)
        .where(Order.workspace_id == workspace_id)
        .order_by(Order.created_at, Order.id)
    )
    rows = (dict(row) for row in session.execute(query).mappings())
    return [OrderFigures(**row | {"settled_minor": int(row["settled_minor"])}) for row in rows]
