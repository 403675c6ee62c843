"""Orders with the figures of their plans and what they settled."""

from uuid import UUID

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from service.orders.tables import Order
from service.plans.tables import Plan
from service.reports.savings import OrderFigures

MONEY = table(
    "order_money",
    *map(column, ("order_id", "settled_minor", "refunded_minor", "charged_minor")),
    schema="ledger",
)


def order_figures(session: Session, workspace_id: UUID) -> list[OrderFigures]:
    """Return every order of the workspace, oldest first; the plans' arrays are not read."""
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
            MONEY.c.settled_minor,
            MONEY.c.refunded_minor,
            MONEY.c.charged_minor,
        )
        .join(Plan, Plan.id == Order.plan_id)
        .join(MONEY, MONEY.c.order_id == Order.id)
        .where(Order.workspace_id == workspace_id)
        .order_by(Order.created_at, Order.id)
    )
    return [OrderFigures(**row) for row in session.execute(query).mappings()]
