"""Savings over orders, of which no ground counts twice. Pure.

Savings are not money: they are computed from frozen plans and payments, and no balance holds them. The price
of a ground (its baseline) counts once per price list, for the orders that buy it first; what is paid counts
every time. Ground that an order takes from another price list's orders saves nothing but by reuse: what it
would have cost is a cost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from service.money import Money
from service.reports.definitions import Outside
from service.reports.figures import OrderFigures, OrderStanding, Product
from service.reports.ground import CountedGround
from service.reports.reliance import CountedReuse, Reliance, count_reuse, reliance_of, standing_with

_NONE = Fraction(0)
_NO_REUSE = CountedReuse(counted=_NONE, foreign=_NONE)


@dataclass(frozen=True, kw_only=True)
class CountedOrder:
    """One order with the part of its baseline and of its costs that each figure counts."""

    order: OrderFigures
    reused_saving: Money  # part of what reuse saved
    baseline: Money  # counted to ordered
    cost: Money
    list_baseline: Money
    list_cost: Money
    held_baseline: Money
    held_cost: Money
    realised_baseline: Money
    realised_cost: Money
    is_realised: bool  # whether it adds to the realised saving, or to that of example price lists
    outside: Outside | None  # why its ground is not part of the realised saving

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
        return None if self.order.example else self._saved

    @property
    def example_saving(self) -> Money | None:
        """Part of the realised saving on example price lists; None for an order that adds nothing to it."""
        return self._saved if self.order.example else None

    @property
    def _saved(self) -> Money | None:
        return self.realised_baseline - self.realised_cost if self.is_realised else None


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
    example_saving: Money | None
    reused_saving: Money
    returned_patches: int
    returned: Money
    confirmed: Money  # payments and charges of orders whose invoices agree, without example prices
    gross: Money  # payments and charges of all orders, without example prices

    @property
    def confirmed_percent(self) -> float | None:
        """Percentage of the payments that invoices confirm, rounded down to 0.1; None without payments."""
        return self.confirmed.minor * 1000 // self.gross.minor / 10 if self.gross else None

    settled: Money
    settled_on_cancelled: Money


def count_orders(figures: Iterable[OrderFigures]) -> list[CountedOrder]:
    """Return every order, oldest first, with what it counts. Its ground counts for the earliest order.

    Ordered, held and realised are counted apart: a held order never takes ground from an ordered one, and an
    open one never takes it from a completed one.
    """
    orders = sorted(figures, key=lambda order: (order.created_at, order.order_id))
    by_id = {order.order_id: order for order in orders}
    products: dict[Product, list[_Weighed]] = {}
    for order in orders:
        products.setdefault(order.product, []).append(_weigh(order, by_id))
    counted = [one for product in products.values() for one in _count_product(product)]
    return sorted(counted, key=lambda one: (one.order.created_at, one.order.order_id))


def savings_by_currency(counted: Iterable[CountedOrder]) -> list[Savings]:
    """Add up the orders of each currency, currencies in alphabetical order; money is never converted."""
    by_currency: dict[str, list[CountedOrder]] = {}
    for one in counted:
        by_currency.setdefault(one.order.currency, []).append(one)
    return [_add_up(currency, by_currency[currency]) for currency in sorted(by_currency)]


@dataclass(frozen=True, kw_only=True)
class _Weighed:
    """One order with the standing in which it counts."""

    order: OrderFigures
    reliance: Reliance
    standing: OrderStanding

    @property
    def is_ordered(self) -> bool:
        return self.standing in {"open", "completed"}

    @property
    def has_ground(self) -> bool:
        """False for an order whose price list delivers nothing: it saves by reuse only."""
        return self.order.patches_bought > 0 or self.reliance.foreign < self.reliance.kept


def _weigh(order: OrderFigures, orders: Mapping[UUID, OrderFigures]) -> _Weighed:
    reliance = reliance_of(order, orders)
    return _Weighed(order=order, reliance=reliance, standing=standing_with(order, reliance))


def _count_product(orders: Sequence[_Weighed]) -> list[CountedOrder]:
    """Count the orders of one price list, oldest first."""
    ordered, completed = CountedGround(), CountedGround()
    bought = _first_shares((one for one in orders if one.is_ordered), ordered)
    held = _first_shares((one for one in orders if one.standing == "held"), ordered)
    done = _first_shares((one for one in orders if one.standing == "completed"), completed)
    reuse = count_reuse((one.order, one.reliance) for one in orders if one.is_ordered)
    return [
        _count(
            one,
            _Shares(
                bought=bought.get(one.order.order_id, _NONE),
                held=held.get(one.order.order_id, _NONE),
                done=done.get(one.order.order_id, _NONE),
                paid=_paid_share(one, completed),
                reuse=reuse.get(one.order.order_id, _NO_REUSE),
            ),
        )
        for one in orders
    ]


def _first_shares(orders: Iterable[_Weighed], covered: CountedGround) -> dict[UUID, Fraction]:
    """Return the share of each order's scene that `covered` does not cover; add each scene to it in turn."""
    shares = {}
    for one in orders:
        if one.has_ground:
            shares[one.order.order_id] = covered.uncovered(one.order.ground)
            covered.add(one.order.ground)
    return shares


def _paid_share(one: _Weighed, completed: CountedGround) -> Fraction:
    """Return the share of an order's payments that the realised saving counts."""
    if one.standing in {"completed", "ended"}:
        return Fraction(1)
    return 1 - completed.uncovered(one.order.ground) if one.order.net else _NONE


@dataclass(frozen=True, kw_only=True)
class _Shares:
    """The shares of one order's amounts that count."""

    bought: Fraction
    held: Fraction
    done: Fraction
    paid: Fraction
    reuse: CountedReuse


def _count(one: _Weighed, shares: _Shares) -> CountedOrder:
    order, nothing = one.order, one.order.cost.nothing
    owed = shares.reuse.foreign if one.has_ground else _NONE
    foreign = order.reused.part(owed)
    ended = order.net if one.standing == "ended" else nothing
    realised_cost = order.net.part(shares.paid) + (foreign if one.standing == "completed" else nothing)
    list_cost = order.list_cost + order.list_reused.part(owed)
    held_cost = order.cost + order.reused.part(one.reliance.foreign if one.has_ground else _NONE)
    return CountedOrder(
        order=order,
        reused_saving=order.reused.part(shares.reuse.counted),
        baseline=order.baseline.part(shares.bought),
        cost=order.cost + foreign if one.is_ordered else ended,
        list_baseline=order.list_baseline.part(shares.bought),
        list_cost=list_cost if one.is_ordered else ended,
        held_baseline=order.baseline.part(shares.held),
        held_cost=held_cost if one.standing == "held" else nothing,
        # What came back for unusable patches leaves both sides, so that a refund is no saving.
        realised_baseline=(order.baseline - order.returned_for_good).part(shares.done),
        realised_cost=realised_cost,
        is_realised=(one.standing == "completed" and one.has_ground) or bool(realised_cost),
        outside=_outside(one),
    )


def _outside(one: _Weighed) -> Outside | None:
    """Return why the ground of an order is not part of the realised saving."""
    order = one.order
    if order.example:
        return "example-prices"
    if order.is_returned:
        return "returned"
    if one.standing == "held":
        return "awaits-approval"
    if one.standing == "completed":
        return None
    if order.patches_bought and not order.delivered:
        return "nothing-delivered"
    return "not-complete" if one.standing == "open" else "ended-early"


def _add_up(currency: str, counted: list[CountedOrder]) -> Savings:
    def total(amounts: Iterable[Money]) -> Money:
        return sum(amounts, start=Money(0, currency))

    standings = [one.order.standing for one in counted]
    realised = [one.realised_saving for one in counted if one.realised_saving is not None]
    examples = [one.example_saving for one in counted if one.example_saving is not None]
    real = [one for one in counted if not one.order.example]
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
        realised_baseline=total(one.realised_baseline for one in real),
        realised_cost=total(one.realised_cost for one in real),
        ordered_saving=total(one.ordered_saving for one in counted),
        list_saving=total(one.list_saving for one in counted),
        held_saving=total(one.held_saving for one in counted),
        realised_saving=total(realised) if realised else None,
        example_saving=total(examples) if examples else None,
        returned_patches=sum(one.order.returned_patches for one in counted),
        returned=total(one.order.returned for one in counted),
        confirmed=total(one.order.gross for one in real if one.order.confirmed),
        gross=total(one.order.gross for one in real),
        reused_saving=total(one.reused_saving for one in counted),
        settled=total(one.order.net for one in counted),
        settled_on_cancelled=total(one.order.net for one in counted if one.order.standing == "ended"),
    )
