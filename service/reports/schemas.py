"""The savings report as JSON."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from service.reports.savings import BASELINES, MEANINGS, Kind, OrderFigures, Savings
from service.web.paging import Link, MoneyOut


class SavingOut(MoneyOut):
    """One saving, with the baseline it is measured against and how it was computed, in words."""

    baseline: str
    meaning: str


class SavingsOut(BaseModel):
    """The three savings; each says what it compares."""

    list: SavingOut
    billable: SavingOut
    realised: SavingOut | None = Field(description="null until an order is complete")


class CurrencySavings(BaseModel):
    """All orders of one currency. Cancelled, rejected and expired orders count only in `settled`."""

    currency: str
    orders: int
    completed: int
    cancelled: int = Field(description="cancelled, rejected or expired")
    baseline: MoneyOut = Field(description="the bill for every patch of the ordered scenes")
    cost: MoneyOut = Field(description="what the standing orders cost")
    settled: MoneyOut = Field(
        description="what the ledger settled, refunds and later charges counted, cancelled orders included"
    )
    settled_on_cancelled: MoneyOut
    savings: SavingsOut


class SavingsReport(BaseModel):
    """Savings per currency; money is never converted."""

    currencies: list[CurrencySavings]
    links: list[Link]


class OrderSavings(BaseModel):
    """One order of the report. What a cancelled one would have saved is not counted in the sums."""

    order: UUID
    plan: UUID
    ordered_at: datetime
    status: str
    patches_bought: int
    baseline: MoneyOut
    cost: MoneyOut
    settled: MoneyOut = Field(description="sum of the order's settle entries in the ledger")
    savings: SavingsOut
    links: list[Link]

    @classmethod
    def of(cls, order: OrderFigures) -> "OrderSavings":
        """Write one order's figures for JSON."""

        def money(minor: int) -> MoneyOut:
            return MoneyOut.minor(minor, order.currency)

        realised = order.realised_saving_minor
        return cls(
            order=order.order_id,
            plan=order.plan_id,
            ordered_at=order.created_at,
            status=order.status,
            patches_bought=order.patches_bought,
            baseline=money(order.baseline_minor),
            cost=money(order.cost_minor),
            settled=money(order.settled_minor),
            savings=SavingsOut(
                list=_saving("list", money(order.list_saving_minor)),
                billable=_saving("billable", money(order.billable_saving_minor)),
                realised=None if realised is None else _saving("realised", money(realised)),
            ),
            links=[
                Link(rel="self", href=f"/v1/reports/savings/orders/{order.order_id}"),
                Link(rel="order", href=f"/v1/orders/{order.order_id}"),
                Link(rel="plan", href=f"/v1/plans/{order.plan_id}"),
                Link(rel="bill", href=f"/v1/plans/{order.plan_id}/bill"),
            ],
        )


def currency_savings(savings: Savings) -> CurrencySavings:
    """Write one currency's sums for JSON."""

    def money(minor: int) -> MoneyOut:
        return MoneyOut.minor(minor, savings.currency)

    return CurrencySavings(
        currency=savings.currency,
        orders=savings.orders,
        completed=savings.completed,
        cancelled=savings.cancelled,
        baseline=money(savings.baseline_minor),
        cost=money(savings.cost_minor),
        settled=money(savings.settled_minor),
        settled_on_cancelled=money(savings.settled_on_cancelled_minor),
        savings=SavingsOut(
            list=_saving("list", money(savings.list_minor)),
            billable=_saving("billable", money(savings.billable_minor)),
            realised=_saving("realised", money(savings.realised_minor)) if savings.completed else None,
        ),
    )


def _saving(kind: Kind, money: MoneyOut) -> SavingOut:
    return SavingOut(
        amount=money.amount, currency=money.currency, baseline=BASELINES[kind], meaning=MEANINGS[kind]
    )
