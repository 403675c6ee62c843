"""Queries of orders with the figures of their plans and their payments."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, column, select, table, tuple_
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.money import Money
from service.orders.tables import STATUS_NOW, Order
from service.plans.tables import Plan
from service.reports.savings import OrderFigures
from service.web.paging import Cursor, PageRequest

AMOUNTS = ("baseline", "cost", "list_saving", "billable_saving", "settled", "refunded", "charged")
"""Amounts of OrderFigures; the columns that hold their minor units end in `_minor`."""
MONEY = table(
    "order_money",
    *map(column, ("order_id", "settled_minor", "refunded_minor", "charged_minor")),
    schema="ledger",
)


def order_figures(session: Session, workspace_id: UUID) -> list[OrderFigures]:
    """Return every order of the workspace, oldest first; the plans' arrays are not read."""
    query = _figures(workspace_id).order_by(Order.created_at, Order.id)
    return _read(session.execute(query).mappings())


def page_of_figures(
    session: Session, workspace_id: UUID, page: PageRequest
) -> tuple[list[OrderFigures], Cursor | None]:
    """Return one page of the workspace's orders, newest first, and the cursor of the next."""
    query = _figures(workspace_id)
    if page.after is not None:
        after = (page.after.created_at, page.after.id)
        query = query.where(tuple_(Order.created_at, Order.id) < after)
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(page.limit + 1)
    figures = _read(session.execute(query).mappings())
    shown = figures[: page.limit]
    return shown, Cursor(shown[-1].created_at, shown[-1].order_id) if len(figures) > page.limit else None


def find_figures(session: Session, workspace_id: UUID, order_id: UUID) -> OrderFigures:
    """Return the figures of one order; NotFoundError outside the workspace."""
    query = _figures(workspace_id).where(Order.id == order_id)
    for figures in _read(session.execute(query).mappings()):
        return figures
    raise NotFoundError(f"There is no order {order_id}.", order=str(order_id))


def _figures(workspace_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Order.id.label("order_id"),
            Order.plan_id,
            Order.created_at,
            STATUS_NOW.label("status"),
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
    )


def _read(rows: Iterable[RowMapping]) -> list[OrderFigures]:
    return [_order_figures(dict(row)) for row in rows]


def _order_figures(fields: dict[str, Any]) -> OrderFigures:
    currency = fields.pop("currency")
    for name in AMOUNTS:
        fields[name] = Money(fields.pop(f"{name}_minor"), currency)
    return OrderFigures(**fields)
