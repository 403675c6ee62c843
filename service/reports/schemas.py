"""The savings report as JSON, and order by order as rows of a file."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field

from service.money import Money
from service.reports.definitions import BASELINES, DEFINITION, MEANINGS, Outside, SavingKind, define_realised
from service.reports.figures import OrderFigures
from service.reports.proven import ProvenLabels, proven_by, proven_by_all
from service.reports.proven_schemas import ProvenLabelsOut
from service.reports.savings import CountedOrder, Savings, savings_by_currency
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.tabular import MEDIA_TYPES, Columns, Row

SAVINGS_COLUMNS: Columns = {
    "order": "text", "plan": "text", "ordered_at": "time", "status": "text", "patches_bought": "integer",
    "currency": "text", "realised_saving": "money", "ordered_saving": "money", "held_saving": "money",
    "billable_saving": "money", "list_saving": "money", "reused_saving": "money", "planned_saving": "money",
    "scene_baseline": "money", "planned_cost": "money", "settled": "money", "baseline": "money",
    "cost": "money", "held_baseline": "money", "held_cost": "money", "realised_baseline": "money",
    "realised_cost": "money", "example_saving": "money", "returned_patches": "integer", "returned": "money",
    "outside": "text", "confirmed": "text", "invoices": "text", "credit_notes": "text", "tags": "tags",
    "cost_center": "text", "reasons": "text", "known_tiles": "integer", "right_labels": "integer",
    "lr_right_labels": "integer",
}  # fmt: skip
"""Amounts of the rows add up to the totals, except for `planned_saving`, `scene_baseline`, `planned_cost`."""


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
    """The savings of one order, or of all orders of one currency. No ground counts twice in any of them."""

    realised: ReportedSaving | None = Field(
        description="Saving after payment. Null while no order is complete and nothing was paid in vain."
    )
    ordered: ReportedSaving = Field(
        description="Saving of accepted, processing and completed orders, at the cost that was planned."
    )
    held: ReportedSaving = Field(description="Saving that approval of the held orders would add.")
    billable: ReportedSaving = Field(description="The ordered saving on the provider's bill.")
    list: ReportedSaving = Field(description="The ordered saving at list prices, minimums ignored.")
    reused: ReportedSaving = Field(
        description="Cost that plans avoided because ground was owned or on order. Not added to the "
        "other figures."
    )
    example: ReportedSaving | None = Field(
        description="Realised saving on example price lists, whose prices are no offers. Not part of the "
        "other realised saving. Null without such orders."
    )

    @classmethod
    def of(cls, savings: CountedOrder | Savings) -> "ReportedSavings":
        """Write the savings for JSON."""
        realised, example = savings.realised_saving, savings.example_saving
        return cls(
            realised=None if realised is None else ReportedSaving.of_kind("realised", realised),
            ordered=ReportedSaving.of_kind("ordered", savings.ordered_saving),
            held=ReportedSaving.of_kind("held", savings.held_saving),
            billable=ReportedSaving.of_kind("billable", savings.ordered_saving),
            list=ReportedSaving.of_kind("list", savings.list_saving),
            reused=ReportedSaving.of_kind("reused", savings.reused_saving),
            example=None if example is None else ReportedSaving.of_kind("example", example),
        )


class CountedAmounts(BaseModel):
    """Baselines and costs behind the savings; those of the orders add up to those of their currency."""

    baseline: MoneyOut = Field(description="Baseline that counts for the ordered saving.")
    cost: MoneyOut = Field(
        description="Cost that counts for the ordered saving: planned cost of accepted, processing and "
        "completed orders, and what was paid on cancelled, rejected and expired ones."
    )
    held_baseline: MoneyOut = Field(description="Baseline that counts for the held saving.")
    held_cost: MoneyOut = Field(description="Planned cost of orders that await approval.")
    realised_baseline: MoneyOut = Field(description="Baseline that counts for the realised saving.")
    realised_cost: MoneyOut = Field(description="Payments that count for the realised saving.")

    @classmethod
    def amounts_of(cls, savings: CountedOrder | Savings) -> dict[str, MoneyOut]:
        """Write the amounts for JSON."""
        return {name: MoneyOut.of(getattr(savings, name)) for name in CountedAmounts.model_fields}


class CurrencySavings(CountedAmounts):
    """Sums over the orders of one currency."""

    currency: str = Field(description="ISO 4217 code.")
    savings: ReportedSavings = Field(description="The savings; `realised` is what was really saved.")
    orders: int = Field(description="Number of orders: completed + open + held + cancelled.")
    completed: int = Field(description="Number of completed orders.")
    open: int = Field(description="Number of accepted and processing orders.")
    held: int = Field(description="Number of orders that await approval.")
    cancelled: int = Field(description="Number of cancelled, rejected and expired orders.")
    settled: MoneyOut = Field(
        description="Amount settled, minus refunds, plus later charges, with cancelled orders."
    )
    settled_on_cancelled: MoneyOut = Field(description="Part of `settled` that cancelled orders cost.")
    returned_patches: int = Field(description="Number of patches refunded as unusable.")
    returned: MoneyOut = Field(
        description="Payments that came back for them. They are part of neither baseline nor cost of the "
        "realised saving."
    )
    confirmed: MoneyOut = Field(
        description="Payments and later charges of the orders whose invoices and credit notes agree with the "
        "ledger, without example prices."
    )
    confirmed_percent: float | None = Field(
        description="The same as a percentage of all payments and later charges; null before the first."
    )
    definition: str = Field(description="Definition of the realised saving, with that percentage.")
    proven_labels: ProvenLabelsOut | None = Field(
        description="Labels that are right in tiles whose true label is known, over all orders without "
        "example prices. Null while none is known."
    )

    @classmethod
    def of(cls, savings: Savings, proven: ProvenLabels | None) -> "CurrencySavings":
        """Write one currency's sums for JSON."""
        return cls(
            currency=savings.currency,
            savings=ReportedSavings.of(savings),
            orders=savings.orders,
            completed=savings.completed,
            open=savings.open,
            held=savings.held,
            cancelled=savings.cancelled,
            settled=MoneyOut.of(savings.settled),
            settled_on_cancelled=MoneyOut.of(savings.settled_on_cancelled),
            returned_patches=savings.returned_patches,
            returned=MoneyOut.of(savings.returned),
            confirmed=MoneyOut.of(savings.confirmed),
            confirmed_percent=savings.confirmed_percent,
            definition=define_realised(savings.confirmed_percent),
            proven_labels=ProvenLabelsOut.of_proven(proven),
            **cls.amounts_of(savings),
        )


class SavingsReport(BaseModel):
    """Savings per currency; money is never converted."""

    definition: str = Field(description="Definition of the realised saving, which leads.")
    currencies: list[CurrencySavings] = Field(description="Sums per currency, in alphabetical order.")
    links: list[Link] = Field(description="The report in other forms, its orders, and the ledger.")

    @classmethod
    def of(cls, counted: Sequence[CountedOrder]) -> "SavingsReport":
        """Add up orders for JSON."""
        path = "/v1/reports/savings"
        return cls(
            definition=f"{DEFINITION}.",
            currencies=[
                CurrencySavings.of(savings, proven_by_all(_orders_in(savings.currency, counted)))
                for savings in savings_by_currency(counted)
            ],
            links=[
                Link(rel="self", href=path),
                Link(rel="alternate", href=f"{path}?format=csv", type="text/csv"),
                Link(rel="alternate", href=f"{path}?format=parquet", type=MEDIA_TYPES["parquet"]),
                Link(rel="orders", href=f"{path}/orders"),
                Link(rel="ledger", href="/v1/ledger"),
                Link(rel="differences", href="/v1/invoices/differences"),
            ],
        )


def _orders_in(currency: str, counted: Sequence[CountedOrder]) -> list[OrderFigures]:
    return [one.order for one in counted if one.order.currency == currency]


class OrderSavings(CountedAmounts):
    """One order of the report. Its savings and counted amounts add up to those of its currency."""

    order: UUID = Field(description="Id of the order.")
    plan: UUID = Field(description="Id of the order's plan.")
    ordered_at: datetime = Field(description="Time at which the order was placed (UTC).")
    status: str = Field(description="Status of the order now.")
    patches_bought: int = Field(description="Number of patches that the order buys.")
    savings: ReportedSavings = Field(description="Share of the order in each saving.")
    planned_saving: MoneyOut = Field(
        description="Billable saving of the plan itself. It counts the whole scene even if an earlier order "
        "did, so these are never added up."
    )
    scene_baseline: MoneyOut = Field(description="Provider's bill for every patch of the scene.")
    planned_cost: MoneyOut = Field(description="Planned cost of the order.")
    settled: MoneyOut = Field(description="Sum of the order's settle entries in the ledger.")
    net: MoneyOut = Field(description="Amount settled, minus refunds, plus later charges.")
    returned_patches: int = Field(description="Number of its patches refunded as unusable.")
    returned: MoneyOut = Field(description="Payments that came back for them.")
    outside: Outside | None = Field(
        description="Reason why its ground is not part of the realised saving: `example-prices`, "
        "`awaits-approval`, `nothing-delivered`, `not-complete`, `returned` (every patch was refunded as "
        "unusable) or `ended-early`. Null for a complete order."
    )
    confirmed: bool = Field(description="Whether its invoices and credit notes agree with the ledger.")
    invoices: list[str] = Field(description="Numbers of its invoices.")
    credit_notes: list[str] = Field(description="Numbers of its credit notes.")
    reasons: list[str] = Field(description="Reasons of its refunds and later charges.")
    tags: dict[str, str] = Field(
        description="Tags of the order and of its budget now; the order's win where both have a name."
    )
    cost_center: str | None = Field(description="Cost centre of the order. Null without one.")
    proven_labels: ProvenLabelsOut | None = Field(
        description="Labels that are right in tiles whose true label is known. Null while none is known."
    )
    links: list[Link] = Field(description="The order, its plan, its bill and its alternatives.")

    @classmethod
    def of(cls, counted: CountedOrder) -> "OrderSavings":
        """Write one order's figures for JSON."""
        order = counted.order
        return cls(
            order=order.order_id,
            plan=order.plan_id,
            ordered_at=order.created_at,
            status=order.status,
            patches_bought=order.patches_bought,
            savings=ReportedSavings.of(counted),
            planned_saving=MoneyOut.of(order.planned_saving),
            scene_baseline=MoneyOut.of(order.baseline),
            planned_cost=MoneyOut.of(order.cost),
            settled=MoneyOut.of(order.settled),
            net=MoneyOut.of(order.net),
            returned_patches=order.returned_patches,
            returned=MoneyOut.of(order.returned),
            outside=counted.outside,
            confirmed=order.confirmed,
            invoices=list(order.invoices),
            credit_notes=list(order.credit_notes),
            reasons=list(order.reasons),
            tags=dict(order.tags),
            cost_center=order.cost_center,
            proven_labels=ProvenLabelsOut.of_proven(proven_by(order)),
            links=[
                Link(rel="self", href=f"/v1/reports/savings/orders/{order.order_id}"),
                Link(rel="order", href=f"/v1/orders/{order.order_id}"),
                Link(rel="plan", href=f"/v1/plans/{order.plan_id}"),
                Link(rel="bill", href=f"/v1/plans/{order.plan_id}/bill"),
                Link(rel="alternatives", href=f"/v1/reports/savings/orders/{order.order_id}/alternatives"),
            ],
            **cls.amounts_of(counted),
        )


def savings_row(counted: CountedOrder) -> Row:
    """Write an order as a row of SAVINGS_COLUMNS, amounts in major units; unknown figures are None."""
    order = counted.order
    amounts = (
        counted.realised_saving, counted.ordered_saving, counted.held_saving, counted.ordered_saving,
        counted.list_saving, counted.reused_saving, order.planned_saving, order.baseline, order.cost,
        order.net, counted.baseline, counted.cost, counted.held_baseline, counted.held_cost,
        counted.realised_baseline, counted.realised_cost, counted.example_saving,
    )  # fmt: skip
    return (
        order.order_id, order.plan_id, order.created_at, order.status, order.patches_bought, order.currency,
        *(None if amount is None else Decimal(amount.amount) for amount in amounts),
        order.returned_patches, Decimal(order.returned.amount), counted.outside,
        "yes" if order.confirmed else "no", ", ".join(order.invoices) or None,
        ", ".join(order.credit_notes) or None, order.tags, order.cost_center,
        "; ".join(order.reasons) or None, *_proven_cells(order),
    )  # fmt: skip


def _proven_cells(order: OrderFigures) -> tuple[int | None, int | None, int | None]:
    score = order.score
    return (None, None, None) if score is None else (score.tiles, score.right, score.lr_right)
