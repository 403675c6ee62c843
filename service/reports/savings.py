"""Savings over orders: three figures, each with the baseline that it is measured against. Pure.

Savings are not money: they are computed from frozen plans and settlements, and no balance holds them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from service.money import Money

SavingKind = Literal["list", "billable", "realised"]

BASELINES: dict[SavingKind, str] = {
    "list": "the area of every patch of the ordered scenes at the list price, minimums ignored",
    "billable": "the provider's bill for every patch of the ordered scenes, from the same price list",
    "realised": "the provider's bill for every patch of the completed orders' scenes, from the same list",
}
"""Baseline of each saving, as a noun phrase."""

MEANINGS: dict[SavingKind, str] = {
    "list": "baseline minus the cost of the orders, minimums ignored",
    "billable": "baseline minus the cost of the orders, minimums included",
    "realised": "baseline minus settled, refunded and later charged amounts, of completed orders only",
}
"""Formula of each saving, as a noun phrase."""


@dataclass(frozen=True, kw_only=True)
class OrderFigures:
    """One order with its plan's frozen figures and its payments."""

    order_id: UUID
    plan_id: UUID
    created_at: datetime
    status: str
    patches_bought: int
    baseline: Money
    cost: Money
    list_saving: Money
    billable_saving: Money
    settled: Money
    refunded: Money
    charged: Money

    @property
    def currency(self) -> str:
        """ISO 4217 code of all its amounts."""
        return self.cost.currency

    @property
    def is_cancelled(self) -> bool:
        """True for a cancelled, rejected or expired order: it saves nothing, but its payments stay."""
        return self.status in {"user_cancelled", "rejected", "expired"}

    @property
    def net(self) -> Money:
        """Final cost: settled, minus refunds, plus later charges."""
        return self.settled - self.refunded + self.charged

    @property
    def realised_saving(self) -> Money | None:
        """Baseline minus net cost; None until every patch was delivered."""
        return self.baseline - self.net if self.status == "completed" else None


@dataclass(frozen=True, kw_only=True)
class Savings:
    """Sums over all orders of one currency. Cancelled orders count only in `settled`."""

    orders: int
    completed: int
    cancelled: int
    baseline: Money
    cost: Money
    list_saving: Money
    billable_saving: Money
    realised_saving: Money | None
    settled: Money
    settled_on_cancelled: Money


def savings_by_currency(figures: Iterable[OrderFigures]) -> list[Savings]:
    """Add up the orders of each currency, currencies in alphabetical order; money is never converted."""
    by_currency: dict[str, list[OrderFigures]] = {}
    for order in figures:
        by_currency.setdefault(order.currency, []).append(order)
    return [_add_up(currency, by_currency[currency]) for currency in sorted(by_currency)]


def _add_up(currency: str, orders: list[OrderFigures]) -> Savings:
    def total(amounts: Iterable[Money]) -> Money:
        return sum(amounts, start=Money(0, currency))

    standing = [order for order in orders if not order.is_cancelled]
    realised = [order.realised_saving for order in orders if order.realised_saving is not None]
    return Savings(
        orders=len(orders),
        completed=len(realised),
        cancelled=len(orders) - len(standing),
        baseline=total(order.baseline for order in standing),
        cost=total(order.cost for order in standing),
        list_saving=total(order.list_saving for order in standing),
        billable_saving=total(order.billable_saving for order in standing),
        realised_saving=total(realised) if realised else None,
        settled=total(order.net for order in orders),
        settled_on_cancelled=total(order.net for order in orders if order.is_cancelled),
    )
