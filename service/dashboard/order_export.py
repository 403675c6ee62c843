"""The orders that the filters of the list choose, as a file."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from sqlalchemy.orm import Session

from service.dashboard.exports import csv_parts, every, json_parts, streamed
from service.dashboard.order_filter import OrderFilter, read_order_filter
from service.dashboard.order_rows import WorkspaceNames
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.ledger.tags import merged_tags
from service.orders.repository import page_of_orders, tags_of_budgets
from service.orders.schemas import OrderSummary
from service.orders.tables import Order
from service.orders.views import summaries
from service.web.paging import Cursor, PageRequest
from service.web.tabular import Columns

router = APIRouter(prefix=PATH, include_in_schema=False)
ORDER_COLUMNS: Columns = {
    "id": "text", "plan": "text", "status": "text", "placed_at": "time", "due_at": "time", "owner": "text",
    "budget": "text", "name": "text", "external_id": "text", "cost_center": "text", "tags": "tags",
    "currency": "text", "amount": "money", "held": "money", "settled": "money", "released": "money",
    "refunded": "money", "charged": "money", "net": "money", "patches": "integer", "delivered": "integer",
    "awaited": "integer", "budget_id": "text",
}  # fmt: skip
"""`tags` has those of the budget too, as the other files do; `net` is what the order cost."""
AMOUNTS = ("total", "held", "settled", "released", "refunded", "charged", "net")


@router.get("/orders.{kind}", name="orders_file")
def orders(
    visitor: VisitorDep,
    database: DatabaseDep,
    kind: Kind,
    wanted: Annotated[OrderFilter, Depends(read_order_filter)],
) -> Response:
    """Send every order that the filters choose, newest first; in CSV with amounts in major units."""

    def read(session: Session, page: PageRequest) -> tuple[list[Order], Cursor | None]:
        return page_of_orders(session, visitor.workspace_id, page, wanted.conditions())

    def documents(session: Session, page: PageRequest) -> tuple[Sequence[OrderSummary], Cursor | None]:
        found, following = read(session, page)
        return summaries(session, found), following

    def rows(session: Session, page: PageRequest) -> tuple[Sequence[Sequence[object]], Cursor | None]:
        found, following = read(session, page)
        names = WorkspaceNames.of(session, visitor.workspace_id)
        tags = tags_of_budgets(session, visitor.workspace_id)
        written = zip(found, summaries(session, found), strict=True)
        return [_row(order, one, names, tags) for order, one in written], following

    if kind == "csv":
        return streamed("orders.csv", csv_parts(ORDER_COLUMNS, every(database, rows)))
    return streamed("orders.json", json_parts(every(database, documents)))


def _row(
    order: Order, one: OrderSummary, names: WorkspaceNames, tags: Mapping[UUID, Mapping[str, str]]
) -> Sequence[object]:
    amounts = (Decimal(getattr(one.amounts, name).amount) for name in AMOUNTS)
    return (
        str(one.id), str(one.plan), one.status.value, one.created_at, one.expires_at,
        names.keys.get(order.key_id or ""), names.budgets.get(one.budget), one.name, one.external_id,
        one.cost_center, merged_tags(tags.get(one.budget, {}), one.tags), one.amounts.total.currency,
        *amounts, one.counts.bought, one.counts.delivered, one.counts.awaited, str(one.budget),
    )  # fmt: skip
