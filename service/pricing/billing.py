"""What a provider bills for an order: tiers, minimum area, minimum charge, one rounding. Pure.

Areas are integers of square centimetres: their sums are exact in any order, and the whole Earth
(5.1e18 cm2) still fits in 64 bits. Amounts are exact fractions until they are rounded, once an invoice.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.money import Money, exponent

CM2_PER_M2 = 10**4
CM2_PER_KM2 = 10**10

Scope = Literal["order", "shape"]


@dataclass(frozen=True, kw_only=True)
class Tier:
    """What each square kilometre of an invoice beyond `above_km2` costs, in major units."""

    above_km2: Decimal
    price_per_km2: Decimal


@dataclass(frozen=True, kw_only=True)
class ShapeRules:
    """What each shape of an order must be."""

    minimum_width_m: Decimal = Decimal(0)
    """Of every part of a shape, along both axes of the patches."""
    convex: bool = False
    max_vertices: int | None = None
    holes: bool = True
    """Whether holes are taken."""


ANY_SHAPE = ShapeRules()


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The part of a price list that arithmetic needs. Prices and charges in major units of `currency`."""

    currency: str
    tiers: tuple[Tier, ...] = ()
    """Ascending from 0: of 600 km2 under tiers from 0 and 500, 100 cost the second tier's price."""
    flat: Decimal = Decimal(0)
    """Added once an invoice: all there is to a scene sold at one price."""
    minimum_km2: Decimal = Decimal(0)
    minimum_applies_to: Scope = "order"
    minimum_charge: Decimal = Decimal(0)
    areas_summed: bool = True
    """Whether the shapes of an order are one invoice; if not, each is billed as an order of its own."""
    rules: ShapeRules = ANY_SHAPE

    @property
    def minimum_cm2(self) -> int:
        """The minimum billable area, in whole square centimetres."""
        return int(self.minimum_km2 * CM2_PER_KM2)

    @property
    def by_area(self) -> bool:
        """Whether an order's price depends on the sum of its areas alone, not on its shapes."""
        minimum_by_shape = self.minimum_applies_to == "shape" and self.minimum_km2 > 0
        return self.areas_summed and not minimum_by_shape and self.rules == ANY_SHAPE


@dataclass(frozen=True, kw_only=True)
class Line:
    """One billed area: what it covers, and what the minimum makes of it."""

    area_km2: Decimal
    billable_km2: Decimal


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The whole order: its lines, their sums, and the amount."""

    area_km2: Decimal
    billable_km2: Decimal
    amount: Money
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """Terms in whole numbers: prices as integers over one denominator, areas in cm2.

    The price of an area is a rising function of it, linear between `starts`.
    """

    denominator: int
    starts: tuple[int, ...]  # cm2, rising from 0
    sums: tuple[int, ...]  # the price at each start, without the flat charge
    rates: tuple[int, ...]  # of a cm2 from each start on
    flat: int
    minimum_charge: int
    minimum_cm2: int

    def exact(self, area_cm2: int) -> int:
        """The price of one invoice, times `denominator`; nothing for no area."""
        if not area_cm2:
            return 0
        area = max(area_cm2, self.minimum_cm2)
        at = bisect_right(self.starts, area) - 1
        price = self.sums[at] + self.rates[at] * (area - self.starts[at]) + self.flat
        return max(price, self.minimum_charge)

    def rounded(self, price: int) -> int:
        """A price in minor units, halves up."""
        return (2 * price + self.denominator) // (2 * self.denominator)

    def amounts(self, areas_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """One invoice of each area (N,) in minor units; all at once where 64 bits hold every step."""
        largest = max(int(areas_cm2.max(initial=0)), self.minimum_cm2)
        if 2 * (self.exact(max(largest, 1)) + self.denominator) >= 2**63:
            return np.array([self.rounded(self.exact(area)) for area in areas_cm2.tolist()], dtype=np.int64)
        starts, sums, rates = (np.array(one) for one in (self.starts, self.sums, self.rates))
        area = np.maximum(areas_cm2, self.minimum_cm2)
        at = np.searchsorted(starts, area, side="right") - 1
        price = np.maximum(sums[at] + rates[at] * (area - starts[at]) + self.flat, self.minimum_charge)
        return np.where(areas_cm2 == 0, 0, (2 * price + self.denominator) // (2 * self.denominator))


def whole_cm2(areas_m2: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round areas (any shape) from square metres to whole square centimetres."""
    return np.rint(np.asarray(areas_m2, dtype=np.float64) * CM2_PER_M2).astype(np.int64)


def to_km2(area_cm2: int) -> Decimal:
    """Square centimetres as exact square kilometres."""
    return Decimal(area_cm2).scaleb(-10)


def to_cm2(area_km2: Decimal) -> int:
    """Square kilometres as whole square centimetres, the inverse of to_km2."""
    return int(area_km2 * CM2_PER_KM2)


def tariff_of(terms: Terms, *, minimums: bool = True) -> Tariff:
    """Terms in whole numbers; without `minimums` and the flat charge: the list price of an area alone.

    Raises ValueError for tiers that do not ascend from 0.
    """
    minor = 10 ** exponent(terms.currency)
    starts = [int(tier.above_km2 * CM2_PER_KM2) for tier in terms.tiers] or [0]
    if starts[0] != 0 or any(after <= before for before, after in pairwise(starts)):
        raise ValueError(f"tiers must ascend from 0: {[str(tier.above_km2) for tier in terms.tiers]}")
    rates = [Fraction(tier.price_per_km2) * minor / CM2_PER_KM2 for tier in terms.tiers] or [Fraction(0)]
    charges = [Fraction(terms.flat) * minor, Fraction(terms.minimum_charge) * minor]
    denominator = lcm(*(one.denominator for one in rates + charges))
    whole = [int(rate * denominator) for rate in rates]
    sums = [0]
    for at, start in enumerate(starts[1:]):
        sums.append(sums[at] + whole[at] * (start - starts[at]))
    return Tariff(
        denominator=denominator,
        starts=tuple(starts),
        sums=tuple(sums),
        rates=tuple(whole),
        flat=int(charges[0] * denominator),
        minimum_charge=int(charges[1] * denominator) if minimums else 0,
        minimum_cm2=terms.minimum_cm2 if minimums else 0,
    )


def list_price(area_cm2: int, terms: Terms) -> int:
    """What an area costs by tiers (and flat charge) alone, minimums ignored: minor units, halves up."""
    tariff = tariff_of(terms, minimums=False)
    return tariff.rounded(tariff.exact(area_cm2))


def order_price(area_cm2: int, terms: Terms) -> int:
    """What one invoice of an area costs in minor units; an empty one costs nothing."""
    tariff = tariff_of(terms)
    return tariff.rounded(tariff.exact(area_cm2))


def bill(shapes_cm2: Sequence[int], terms: Terms) -> Bill:
    """Bill one order of shapes.

    Minimum area once per order or once per shape; tiers, flat and minimum charge on the sum, or on each
    shape where areas are not summed. Raises ValueError for a negative area.
    """
    if any(area < 0 for area in shapes_cm2):
        raise ValueError(f"negative area in {list(shapes_cm2)}")
    covered = [area for area in shapes_cm2 if area]
    by_shape = terms.minimum_applies_to == "shape" or not terms.areas_summed
    billed = covered if by_shape else [sum(covered)] if covered else []
    billable = [max(area, terms.minimum_cm2) for area in billed]
    invoices = [sum(billable)] if terms.areas_summed else billable
    return Bill(
        area_km2=to_km2(sum(covered)),
        billable_km2=to_km2(sum(billable)),
        amount=Money(sum(order_price(area, terms) for area in invoices), terms.currency),
        lines=tuple(
            Line(area_km2=to_km2(area), billable_km2=to_km2(paid))
            for area, paid in zip(billed, billable, strict=True)
        ),
    )
