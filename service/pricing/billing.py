"""What a provider bills for an area: price, minimum area, one rounding. Pure.

Areas are integers of square centimetres: their sums are exact in any order, and the whole Earth
(5.1e18 cm2) still fits in 64 bits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.money import Money, exponent

CM2_PER_M2 = 10**4
CM2_PER_KM2 = 10**10

Scope = Literal["order", "shape"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The part of a price list that arithmetic needs. Price in major units of `currency`."""

    currency: str
    price_per_km2: Decimal
    minimum_km2: Decimal
    minimum_applies_to: Scope

    @property
    def minimum_cm2(self) -> int:
        """The minimum billable area, in whole square centimetres."""
        return int(self.minimum_km2 * CM2_PER_KM2)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One billed area: what it covers, and what the minimum makes of it."""

    area_km2: Decimal
    billable_km2: Decimal


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The whole order: its lines, their sums, and the amount, rounded once."""

    area_km2: Decimal
    billable_km2: Decimal
    amount: Money
    lines: tuple[Line, ...]


def whole_cm2(areas_m2: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round areas (any shape) from square metres to whole square centimetres."""
    return np.rint(np.asarray(areas_m2, dtype=np.float64) * CM2_PER_M2).astype(np.int64)


def to_km2(area_cm2: int) -> Decimal:
    """Square centimetres as exact square kilometres."""
    return Decimal(area_cm2).scaleb(-10)


def list_prices(areas_cm2: Iterable[int], terms: Terms) -> list[int]:
    """Price times area, no minimum: minor units of each area on its own, halves rounded up.

    Integers only, so a scene of 614,656 patches is priced exactly and in a fraction of a second.
    """
    per_cm2 = Fraction(terms.price_per_km2) * 10 ** exponent(terms.currency) / CM2_PER_KM2
    over, under = 2 * per_cm2.numerator, 2 * per_cm2.denominator
    half = per_cm2.denominator
    return [(area * over + half) // under for area in areas_cm2]


def order_prices(areas_cm2: Iterable[int], terms: Terms) -> list[int]:
    """What one order of each area costs under a minimum per order; an empty order costs nothing."""
    minimum = terms.minimum_cm2
    return list_prices((max(area, minimum) if area else 0 for area in areas_cm2), terms)


def bill(shapes_cm2: Sequence[int], terms: Terms) -> Bill:
    """Bill one order of shapes: `max(area, minimum)` once per order or once per shape.

    Raises ValueError for a negative area.
    """
    if any(area < 0 for area in shapes_cm2):
        raise ValueError(f"negative area in {list(shapes_cm2)}")
    billed = [sum(shapes_cm2)] if terms.minimum_applies_to == "order" else list(shapes_cm2)
    covered = [area for area in billed if area]
    billable = [max(area, terms.minimum_cm2) for area in covered]
    return Bill(
        area_km2=to_km2(sum(covered)),
        billable_km2=to_km2(sum(billable)),
        amount=Money(list_prices([sum(billable)], terms)[0], terms.currency),
        lines=tuple(
            Line(area_km2=to_km2(area), billable_km2=to_km2(paid))
            for area, paid in zip(covered, billable, strict=True)
        ),
    )
