"""Savings over orders, of which no ground counts twice. Pure.

Savings are not money: they are computed from frozen plans and payments, and no balance holds them. The price
of a ground (its baseline) counts once per price list, for the orders that buy it first; what is paid counts
every time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal
from uuid import UUID

from service.money import Money
from service.reports.ground import Coverage, Ground

SavingKind = Literal["realised", "ordered", "held", "billable", "list", "reused"]
Standing = Literal["held", "open", "completed", "ended"]

STANDINGS: dict[str, Standing] = {
    "held": "held", "accepted": "open", "processing": "open", "completed": "completed",
    "user_cancelled": "ended", "rejected": "ended", "expired": "ended",
}  # fmt: skip
"""Meaning of each status of an order for savings."""

ONCE = "each ground counted once per price list"
BASELINES: dict[SavingKind, str] = {
    "realised": f"the provider's bill for every patch of the completed orders' scenes, {ONCE}",
    "ordered": f"the provider's bill for every patch of the ordered scenes, {ONCE}",
    "held": "the provider's bill for every patch of the scenes that await approval and are not yet ordered",
    "billable": f"the provider's bill for every patch of the ordered scenes, {ONCE}",
    "list": f"the area of every patch of the ordered scenes at the list price, minimums ignored, {ONCE}",
    "reused": "the provider's bill for the same plans if no patch were owned or on order",
}
"""Baseline of each saving, as a noun phrase."""

MEANINGS: dict[SavingKind, str] = {
    "realised": "baseline minus everything paid on the completed orders' ground and on orders that were "
    "cancelled, rejected or expired; refunds and later charges included",
    "ordered": "baseline minus the planned cost of accepted, processing and completed orders, and minus what "
    "was paid on orders that were cancelled, rejected or expired",
    "held": "baseline minus the planned cost of the orders that await approval; part of no other figure",
    "billable": "the ordered saving on the provider's bill, minimums included",
    "list": "the ordered saving at list prices, minimums ignored",
    "reused": "planned cost that ordered plans avoid because their ground was owned or on order when "
    "they were made; not added to the other figures",
}
"""Formula of each saving, as a noun phrase."""


@dataclass(frozen=True, kw_only=True)
class OrderFigures:
    """One order with its plan's frozen figures, its ground and its payments."""

    order_id: UUID
    plan_id: UUID
    created_at: datetime
    status: str
    price_list: str  # name: the versions of a list are one product
    ground: Ground
    patches_bought: int
    baseline: Money  # bill for every patch of the scene
    cost: Money  # the plan's cost
    list_baseline: Money  # as `baseline` and `cost`, minimums ignored
    list_cost: Money
    reused: Money
    settled: Money
    refunded: Money
    charged: Money

    @property
    def currency(self) -> str:
        """ISO 4217 code of all its amounts."""
        return self.cost.currency

    @property
    def standing(self) -> Standing:
        """Meaning of the status for savings."""
        return STANDINGS[self.status]

    @property
    def is_ordered(self) -> bool:
        """True for accepted, processing and completed orders."""
        return self.standing in {"open", "completed"}

    @property
    def net(self) -> Money:
        """Final cost: settled, minus refunds, plus later charges."""
        return self.settled - self.refunded + self.charged

    @property
    def planned_saving(self) -> Money:
        """The plan's own billable saving, which counts its scene whatever else is ordered.

        What reuse saved is no part of it.
        """
        return self.baseline - self.cost - self.reused


@dataclass(frozen=True, kw_only=True)
class CountedOrder:
    """One order with the part of its baseline and of its costs that each figure counts."""

    order: OrderFigures
    baseline: Money  # counted to ordered
    cost: Money
    list_baseline: Money
    list_cost: Money
    held_baseline: Money
    held_cost: Money
    realised_baseline: Money
    realised_cost: Money
    is_realised: bool  # whether it adds to the realised saving

    @property
    def ordered_saving(self) -> Money:
        """Part of the ordered saving on the provider's bill."""
        return self.baseline - self.cost

    @property
    def list_saving(self) -> Money:
        """Part of the ordered saving at list prices."""
        return self.list_baseline - self.list_cost

    @property
    def held_saving(self) -> Money:
        """Part of the saving of orders that await approval."""
        return self.held_baseline - self.held_cost

    @property
    def realised_saving(self) -> Money | None:
        """Part of the realised saving; None for an order that adds nothing to it yet."""
        return self.realised_baseline - self.realised_cost if self.is_realised else None

    @property
    def reused_saving(self) -> Money:
        """Part of what reuse saved."""
        return self.order.reused if self.order.is_ordered else self.order.reused.nothing


@dataclass(frozen=True, kw_only=True)
class Savings:
    """Sums over all orders of one currency."""

    currency: str
    orders: int
    completed: int
    open: int
    held: int
    cancelled: int
    baseline: Money
    cost: Money
    held_baseline: Money
    held_cost: Money
    realised_baseline: Money
    realised_cost: Money
    ordered_saving: Money
    list_saving: Money
    held_saving: Money
    realised_saving: Money | None
    reused_saving: Money
    settled: Money
    settled_on_cancelled: Money


def count_orders(figures: Iterable[OrderFigures]) -> list[CountedOrder]:
    """Return every order, oldest first, with what it counts. Its ground counts for the earliest order.

    Ordered, held and realised are counted apart: a held order never takes ground from an ordered one, and an
    open one never takes it from a completed one.
    """
    orders = sorted(figures, key=lambda order: (order.created_at, order.order_id))
    products: dict[tuple[str, str], list[OrderFigures]] = {}
    for order in orders:
        products.setdefault((order.price_list, order.currency), []).append(order)
    counted = [one for product in products.values() for one in _count_product(product)]
    return sorted(counted, key=lambda one: (one.order.created_at, one.order.order_id))


def savings_by_currency(counted: Iterable[CountedOrder]) -> list[Savings]:
    """Add up the orders of each currency, currencies in alphabetical order; money is never converted."""
    by_currency: dict[str, list[CountedOrder]] = {}
    for one in counted:
        by_currency.setdefault(one.order.currency, []).append(one)
    return [_add_up(currency, by_currency[currency]) for currency in sorted(by_currency)]


def _count_product(orders: Sequence[OrderFigures]) -> list[CountedOrder]:
    """Count the orders of one price list, oldest first."""
    ordered, completed = Coverage(), Coverage()
    bought = _first_shares((order for order in orders if order.is_ordered), ordered)
    held = _first_shares((order for order in orders if order.standing == "held"), ordered)
    done = _first_shares((order for order in orders if order.standing == "completed"), completed)
    return [
        _count(
            order,
            bought.get(order.order_id, Fraction(0)),
            held.get(order.order_id, Fraction(0)),
            done.get(order.order_id, Fraction(0)),
            _paid_share(order, completed),
        )
        for order in orders
    ]


def _first_shares(orders: Iterable[OrderFigures], covered: Coverage) -> dict[UUID, Fraction]:
    """Return the share of each order's scene that `covered` does not cover; add each scene to it in turn."""
    shares = {}
    for order in orders:
        shares[order.order_id] = covered.uncovered(order.ground)
        covered.add(order.ground)
    return shares


def _paid_share(order: OrderFigures, completed: Coverage) -> Fraction:
    """Return the share of an order's payments that the realised saving counts."""
    if order.standing in {"completed", "ended"}:
        return Fraction(1)
    return 1 - completed.uncovered(order.ground) if order.net else Fraction(0)


def _count(
    order: OrderFigures, bought: Fraction, held: Fraction, done: Fraction, paid: Fraction
) -> CountedOrder:
    nothing = order.cost.nothing
    ended = order.net if order.standing == "ended" else nothing
    realised_cost = order.net.part(paid)
    return CountedOrder(
        order=order,
        baseline=order.baseline.part(bought),
        cost=order.cost if order.is_ordered else ended,
        list_baseline=order.list_baseline.part(bought),
        list_cost=order.list_cost if order.is_ordered else ended,
        held_baseline=order.baseline.part(held),
        held_cost=order.cost if order.standing == "held" else nothing,
        realised_baseline=order.baseline.part(done),
        realised_cost=realised_cost,
        is_realised=order.standing == "completed" or bool(realised_cost),
    )


def _add_up(currency: str, counted: list[CountedOrder]) -> Savings:
    def total(amounts: Iterable[Money]) -> Money:
        return sum(amounts, start=Money(0, currency))

    standings = [one.order.standing for one in counted]
    realised = [one.realised_saving for one in counted if one.realised_saving is not None]
    return Savings(
        currency=currency,
        orders=len(counted),
        completed=standings.count("completed"),
        open=standings.count("open"),
        held=standings.count("held"),
        cancelled=standings.count("ended"),
        baseline=total(one.baseline for one in counted),
        cost=total(one.cost for one in counted),
        held_baseline=total(one.held_baseline for one in counted),
        held_cost=total(one.held_cost for one in counted),
        realised_baseline=total(one.realised_baseline for one in counted),
        realised_cost=total(one.realised_cost for one in counted),
        ordered_saving=total(one.ordered_saving for one in counted),
        list_saving=total(one.list_saving for one in counted),
        held_saving=total(one.held_saving for one in counted),
        realised_saving=total(realised) if realised else None,
        reused_saving=total(one.reused_saving for one in counted),
        settled=total(one.order.net for one in counted),
        settled_on_cancelled=total(one.order.net for one in counted if one.order.standing == "ended"),
    )
