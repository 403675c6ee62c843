"""How far an order relies on the ground of other orders, and what its reuse still saves. Pure.

A plan reuses patches that were owned or on order when it was made. Those on order may never come.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from service.reports.figures import OrderFigures, OrderStanding, ReusedFrom
from service.reports.ground import CountedGround, Ground

_NONE = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class Reliance:
    """The state of the patches that an order reuses."""

    kept: Fraction
    """Share of them that was not lost: their order ended before they came."""
    foreign: Fraction
    """Share of them that was not lost and belongs to orders of other price lists."""
    awaits: frozenset[OrderStanding]
    """Standings of the orders that still await some of them."""


@dataclass(frozen=True, kw_only=True)
class CountedReuse:
    """The shares of an order's saving by reuse that count."""

    counted: Fraction
    foreign: Fraction
    """Part of `counted` that is owed to orders of other price lists."""


def reliance_of(order: OrderFigures, orders: Mapping[UUID, OrderFigures]) -> Reliance:
    """Find what became of the patches that an order reuses, in the orders by id."""
    reuses = [one for one in order.reuses if one.order_id in orders]
    total = sum(one.owned + one.on_order for one in reuses)
    if not total:
        return Reliance(kept=Fraction(1), foreign=_NONE, awaits=frozenset())
    kept = foreign = 0
    awaits: set[OrderStanding] = set()
    for one in reuses:
        source = orders[one.order_id]
        outstanding = _outstanding(one, source)
        here = one.owned + one.on_order - (outstanding if source.standing == "ended" else 0)
        kept += here
        foreign += here if source.product != order.product else 0
        if outstanding and source.standing != "ended":
            awaits.add(source.standing)
    return Reliance(kept=Fraction(kept, total), foreign=Fraction(foreign, total), awaits=frozenset(awaits))


def standing_with(order: OrderFigures, reliance: Reliance) -> OrderStanding:
    """Return the standing in which an order counts for savings.

    An order is not completed while patches that it reuses are awaited, and ended once all its patches were
    refunded as unusable. One that buys nothing itself is held
    while those patches await approval, and ended once all of them are lost.
    """
    if order.standing not in {"open", "completed"}:
        return order.standing
    if not order.patches_bought and not reliance.kept:
        return "ended"
    if order.standing == "completed" and order.is_returned:
        return "ended"
    if not order.patches_bought and "held" in reliance.awaits:
        return "held"
    return "open" if reliance.awaits else order.standing


def count_reuse(orders: Iterable[tuple[OrderFigures, Reliance]]) -> dict[UUID, CountedReuse]:
    """Count what the reuse of orders of one price list saved, oldest first.

    Of each ground the largest saving counts once, so that an order counts what it adds to earlier ones.
    Overlapping grounds count by the share of their area that no earlier one covers.
    """
    covered, shares = CountedGround(), dict[Ground, Fraction]()
    most: dict[Ground, Fraction] = {}
    counted = {}
    for order, reliance in orders:
        if not order.reused or not reliance.kept:
            continue
        ground = order.ground
        if ground not in shares:
            shares[ground] = covered.uncovered(ground)
            covered.add(ground)
        worth = order.reused.minor * reliance.kept * shares[ground]
        new = max(_NONE, worth - most.get(ground, _NONE))
        most[ground] = max(worth, most.get(ground, _NONE))
        share = new / order.reused.minor
        counted[order.order_id] = CountedReuse(
            counted=share, foreign=share * reliance.foreign / reliance.kept
        )
    return counted


def _outstanding(reused: ReusedFrom, source: OrderFigures) -> int:
    """Return how many of the reused patches may not have come yet."""
    return min(reused.on_order, source.patches_bought - source.delivered)
