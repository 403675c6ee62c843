"""Savings over orders: three figures, each against a baseline named in words. Pure.

Savings are no money: they are recomputed from frozen plans and settlements, and no balance holds them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal["list", "billable", "realised"]

BASELINES: dict[Kind, str] = {
    "list": "the area of every patch of the ordered scenes at the list price, minimums ignored",
    "billable": "the provider's bill for every patch of the ordered scenes, from the same price list",
    "realised": "the provider's bill for every patch of the completed orders' scenes, from the same list",
}
"""What each saving is measured against."""

MEANINGS: dict[Kind, str] = {
    "list": "baseline minus what the orders cost, minimums ignored",
    "billable": "baseline minus what the orders cost, minimums included",
    "realised": "baseline minus what the ledger settled, refunded and charged later, completed orders only",
}
"""How each saving is computed."""


@dataclass(frozen=True, kw_only=True)
class OrderFigures:
    """One order with its plan's frozen figures and what it was paid, in minor units of `currency`."""

    order_id: UUID
    plan_id: UUID
    created_at: datetime
    status: str
    currency: str
    patches_bought: int
    baseline_minor: int
    cost_minor: int
    list_saving_minor: int
    billable_saving_minor: int
    settled_minor: int
    refunded_minor: int = 0
    charged_minor: int = 0

    @property
    def is_cancelled(self) -> bool:
        """An order that was cancelled, rejected or expired saves nothing; what it settled stays spent."""
        return self.status in {"user_cancelled", "rejected", "expired"}

    @property
    def net_minor(self) -> int:
        """What it cost in the end: settled, less refunds, plus later charges."""
        return self.settled_minor - self.refunded_minor + self.charged_minor

    @property
    def realised_saving_minor(self) -> int | None:
        """Baseline minus net cost; None until every patch was delivered."""
        return self.baseline_minor - self.net_minor if self.status == "completed" else None


@dataclass(frozen=True, kw_only=True)
class Savings:
    """All orders of one currency, in minor units. Those given up count only in `settled`."""

    currency: str
    orders: int
    completed: int
    cancelled: int
    baseline_minor: int
    cost_minor: int
    list_minor: int
    billable_minor: int
    realised_minor: int
    completed_baseline_minor: int
    settled_minor: int
    settled_on_cancelled_minor: int


def savings_by_currency(figures: Iterable[OrderFigures]) -> list[Savings]:
    """Add up orders per currency, currencies in alphabetical order; money is never converted."""
    by_currency: dict[str, list[OrderFigures]] = {}
    for order in figures:
        by_currency.setdefault(order.currency, []).append(order)
    return [_sum(currency, by_currency[currency]) for currency in sorted(by_currency)]


def _sum(currency: str, orders: list[OrderFigures]) -> Savings:
    standing = [order for order in orders if not order.is_cancelled]
    completed = [order for order in orders if order.realised_saving_minor is not None]
    return Savings(
        currency=currency,
        orders=len(orders),
        completed=len(completed),
        cancelled=len(orders) - len(standing),
        baseline_minor=sum(order.baseline_minor for order in standing),
        cost_minor=sum(order.cost_minor for order in standing),
        list_minor=sum(order.list_saving_minor for order in standing),
        billable_minor=sum(order.billable_saving_minor for order in standing),
        realised_minor=sum(order.realised_saving_minor or 0 for order in completed),
        completed_baseline_minor=sum(order.baseline_minor for order in completed),
        settled_minor=sum(order.net_minor for order in orders),
        settled_on_cancelled_minor=sum(order.net_minor for order in orders if order.is_cancelled),
    )
