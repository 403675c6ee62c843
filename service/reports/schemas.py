"""The savings report as JSON, and order by order as rows of a file."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field

from service.money import Money
from service.reports.savings import (
    BASELINES,
    MEANINGS,
    OrderFigures,
    SavingKind,
    Savings,
    savings_by_currency,
)
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.tabular import MEDIA_TYPES, Columns, Row

SAVINGS_COLUMNS: Columns = {
    "order": "text", "plan": "text", "ordered_at": "time", "status": "text", "patches_bought": "integer",
    "currency": "text", "baseline": "money", "cost": "money", "list_saving": "money",
    "billable_saving": "money", "settled": "money", "realised_saving": "money",
}  # fmt: skip


class ReportedSaving(MoneyOut):
    """One saving with its baseline and its formula."""

    baseline: str = Field(description="Cost that the saving is measured against.")
    meaning: str = Field(description="Formula of the saving.")

    @classmethod
    def of_kind(cls, kind: SavingKind, saving: Money) -> "ReportedSaving":
        """Write one saving for JSON."""
        return cls(
            amount=saving.amount,
            currency=saving.currency,
            baseline=BASELINES[kind],
            meaning=MEANINGS[kind],
        )


class ReportedSavings(BaseModel):
    """The three savings of one order, or of all orders of one currency."""

    list: ReportedSaving = Field(description="Saving at list prices, minimums ignored.")
    billable: ReportedSaving = Field(description="Saving on the provider's bill, minimums included.")
    realised: ReportedSaving | None = Field(
        description="Saving after settlement. Null until an order is complete."
    )

    @classmethod
    def of(cls, savings: OrderFigures | Savings) -> "ReportedSavings":
        """Write the three savings for JSON."""
        realised = savings.realised_saving
        return cls(
            list=ReportedSaving.of_kind("list", savings.list_saving),
            billable=ReportedSaving.of_kind("billable", savings.billable_saving),
            realised=None if realised is None else ReportedSaving.of_kind("realised", realised),
        )


class CurrencySavings(BaseModel):
    """Sums over the orders of one currency. Cancelled, rejected and expired ones count only in `settled`."""

    currency: str = Field(description="ISO 4217 code.")
    orders: int = Field(description="Number of orders.")
    completed: int = Field(description="Number of completed orders.")
    cancelled: int = Field(description="Number of cancelled, rejected and expired orders.")
    baseline: MoneyOut = Field(description="Provider's bill for every patch of the ordered scenes.")
    cost: MoneyOut = Field(description="Planned cost of the orders that were not cancelled.")
    settled: MoneyOut = Field(
        description="Amount settled, minus refunds, plus later charges, with cancelled orders."
    )
    settled_on_cancelled: MoneyOut = Field(description="Part of `settled` that cancelled orders cost.")
    savings: ReportedSavings = Field(description="The three savings.")

    @classmethod
    def of(cls, savings: Savings) -> "CurrencySavings":
        """Write one currency's sums for JSON."""
        return cls(
            currency=savings.cost.currency,
            orders=savings.orders,
            completed=savings.completed,
            cancelled=savings.cancelled,
            baseline=MoneyOut.of(savings.baseline),
            cost=MoneyOut.of(savings.cost),
            settled=MoneyOut.of(savings.settled),
            settled_on_cancelled=MoneyOut.of(savings.settled_on_cancelled),
            savings=ReportedSavings.of(savings),
        )


class SavingsReport(BaseModel):
    """Savings per currency; money is never converted."""

    currencies: list[CurrencySavings] = Field(description="Sums per currency, in alphabetical order.")
    links: list[Link] = Field(description="The report in other forms, its orders, and the ledger.")

    @classmethod
    def of(cls, figures: Iterable[OrderFigures]) -> "SavingsReport":
        """Add up orders for JSON."""
        path = "/v1/reports/savings"
        return cls(
            currencies=[CurrencySavings.of(savings) for savings in savings_by_currency(figures)],
            links=[
                Link(rel="self", href=path),
                Link(rel="alternate", href=f"{path}?format=csv", type="text/csv"),
                Link(rel="alternate", href=f"{path}?format=parquet", type=MEDIA_TYPES["parquet"]),
                Link(rel="orders", href=f"{path}/orders"),
                Link(rel="ledger", href="/v1/ledger"),
            ],
        )


class OrderSavings(BaseModel):
    """One order of the report. The savings of a cancelled order are not counted in the sums."""

    order: UUID = Field(description="Id of the order.")
    plan: UUID = Field(description="Id of the order's plan.")
    ordered_at: datetime = Field(description="Time at which the order was placed (UTC).")
    status: str = Field(description="Status of the order now.")
    patches_bought: int = Field(description="Number of patches that the order buys.")
    baseline: MoneyOut = Field(description="Provider's bill for every patch of the scene.")
    cost: MoneyOut = Field(description="Planned cost of the order.")
    settled: MoneyOut = Field(description="Sum of the order's settle entries in the ledger.")
    savings: ReportedSavings = Field(description="The three savings.")
    links: list[Link] = Field(description="The order, its plan and its bill.")

    @classmethod
    def of(cls, order: OrderFigures) -> "OrderSavings":
        """Write one order's figures for JSON."""
        return cls(
            order=order.order_id,
            plan=order.plan_id,
            ordered_at=order.created_at,
            status=order.status,
            patches_bought=order.patches_bought,
            baseline=MoneyOut.of(order.baseline),
            cost=MoneyOut.of(order.cost),
            settled=MoneyOut.of(order.settled),
            savings=ReportedSavings.of(order),
            links=[
                Link(rel="self", href=f"/v1/reports/savings/orders/{order.order_id}"),
                Link(rel="order", href=f"/v1/orders/{order.order_id}"),
                Link(rel="plan", href=f"/v1/plans/{order.plan_id}"),
                Link(rel="bill", href=f"/v1/plans/{order.plan_id}/bill"),
            ],
        )


def savings_row(order: OrderFigures) -> Row:
    """Write an order as a row of SAVINGS_COLUMNS, amounts in major units; unknown figures are None."""
    amounts = (
        order.baseline,
        order.cost,
        order.list_saving,
        order.billable_saving,
        order.net,
        order.realised_saving,
    )
    return (
        order.order_id, order.plan_id, order.created_at, order.status, order.patches_bought, order.currency,
        *(None if amount is None else Decimal(amount.amount) for amount in amounts),
    )  # fmt: skip
