"""Movements of money added up by order: a page of the ledger, and the whole as a file."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.dashboard.exports import csv_parts, every, json_parts, streamed
from service.dashboard.ledger_filter import LedgerFilter, read_ledger_filter
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.ledger.book import Movement
from service.ledger.by_order import OrderMovements, page_of_orders_moved
from service.ledger.filters import LineFilter
from service.orders.tables import STATUS_NOW, Order
from service.web.money import MoneyOut
from service.web.paging import Cursor, PageRequest
from service.web.tabular import Columns

router = APIRouter(prefix=f"{PATH}/ledger", include_in_schema=False)
ORDER_SUM_COLUMNS: Columns = {
    "order": "text", "status": "text", "placed_at": "time", "budget_id": "text", "budget": "text",
    "movements": "integer", "currency": "text", "held": "money", "paid": "money", "released": "money",
    "refunded": "money", "charged": "money", "cost": "money",
}  # fmt: skip
AMOUNTS = ("held", "paid", "released", "refunded", "charged", "cost")


class OrderSums(BaseModel):
    """The chosen movements of one order, added up."""

    order: UUID = Field(description="Id of the order.")
    status: str = Field(description="Status of the order now.")
    placed_at: datetime = Field(description="Time at which the order was placed (UTC).")
    budget_id: UUID = Field(description="Id of the budget that pays.")
    budget: str = Field(description="Name of the budget.")
    movements: int = Field(description="Number of movements that are added up.")
    held: MoneyOut = Field(description="Sum of the holds.")
    paid: MoneyOut = Field(description="Sum of the payments.")
    released: MoneyOut = Field(description="Sum of the holds that were returned.")
    refunded: MoneyOut = Field(description="Sum of the payments that were returned.")
    charged: MoneyOut = Field(description="Sum of the later charges.")
    cost: MoneyOut = Field(description="Payments, minus refunds, plus later charges.")

    @classmethod
    def of(cls, moved: OrderMovements, status: str) -> "OrderSums":
        """Write the movements of one order."""
        sums = {kind: MoneyOut.of(amount) for kind, amount in moved.sums.items()}
        return cls(
            order=moved.order_id,
            status=status,
            placed_at=moved.placed_at,
            budget_id=moved.budget_id,
            budget=moved.budget,
            movements=moved.count,
            held=sums[Movement.RESERVE],
            paid=sums[Movement.SETTLE],
            released=sums[Movement.RELEASE],
            refunded=sums[Movement.REFUND],
            charged=sums[Movement.CHARGE],
            cost=MoneyOut.of(moved.cost),
        )

    @property
    def row(self) -> Sequence[object]:
        """The cells of ORDER_SUM_COLUMNS, amounts in major units."""
        return (
            str(self.order), self.status, self.placed_at, str(self.budget_id), self.budget, self.movements,
            self.cost.currency, *(Decimal(getattr(self, name).amount) for name in AMOUNTS),
        )  # fmt: skip


def page_of_sums(
    session: Session, workspace_id: UUID, limits: LineFilter, page: PageRequest
) -> tuple[list[OrderSums], Cursor | None]:
    """Return one page of orders with chosen movements, newest order first, and the next page's cursor."""
    found, following = page_of_orders_moved(session, workspace_id, limits, page)
    ids = [one.order_id for one in found]
    statuses = dict(session.execute(select(Order.id, STATUS_NOW).where(Order.id.in_(ids))).all())
    return [OrderSums.of(one, statuses[one.order_id]) for one in found], following


@router.get("/orders.{form}", name="ledger_orders_file")
def send_sums(
    visitor: VisitorDep,
    database: DatabaseDep,
    form: Kind,
    wanted: Annotated[LedgerFilter, Depends(read_ledger_filter)],
) -> Response:
    """Send the sums of every order of which the filters choose movements."""
    limits = wanted.limits()

    def read(session: Session, page: PageRequest) -> tuple[Sequence[OrderSums], Cursor | None]:
        return page_of_sums(session, visitor.workspace_id, limits, page)

    sums = every(database, read)
    if form == "csv":
        return streamed("ledger-by-order.csv", csv_parts(ORDER_SUM_COLUMNS, (one.row for one in sums)))
    return streamed("ledger-by-order.json", json_parts(sums))
