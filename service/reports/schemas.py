"""The savings report as JSON."""

from pydantic import BaseModel, Field

from service.reports.savings import BASELINES, MEANINGS, Kind, Savings
from service.schemas import Link, MoneyOut


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
