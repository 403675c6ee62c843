"""Charge rules: each states its part of a bill, its lower bound and its explanation. Pure numpy.

Rules compute on arrays (N,) with one entry per invoice. Areas are whole cm2; prices are whole multiples of
1/scale minor units, where `scale` is a common denominator of all amounts. The arrays hold int64 where that
is wide enough for every step, else Python integers; so all arithmetic is exact until one rounding at the end.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from service.money import Money, minor_per_major, to_minor
from service.pricing.areas import CM2_PER_KM2, to_cm2

Scope = Literal["order", "shape"]
Whole = NDArray[Any]  # (N,) int64, or Python integers as objects


@dataclass(frozen=True, kw_only=True)
class ChargedArea:
    """One billed area: the area covered, and the area charged after minimums."""

    area_km2: Decimal
    billable_km2: Decimal


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The bill of a whole order: its lines, their sums, and the amount."""

    area_km2: Decimal
    billable_km2: Decimal
    amount: Money
    lines: tuple[ChargedArea, ...]


class ChargeRule:
    """One rule about what an order costs. A subclass overrides what the rule changes.

    Two properties make the planner's lower bound valid; tests/unit/pricing checks them for every rule:
    a larger area is never cheaper, and parts are never billed for less area than their union.
    """

    scope: Scope = "order"
    """Whether `billable` applies to the sum of an order's areas, or to each shape."""
    listed: ClassVar[bool] = True
    """Whether the list price, which ignores minimums, includes the rule."""

    def amounts(self) -> tuple[Fraction, ...]:
        """Return the exact amounts in minor units that `scale` has to make whole."""
        return ()

    def billable(self, areas_cm2: Whole) -> Whole:
        """Return the area that is billed for each area; 0 for 0."""
        return areas_cm2

    def least_billable(self, areas_cm2: Whole) -> Whole:
        """Return the least area that is billed for each area, however it is cut into shapes."""
        return self.billable(areas_cm2)

    def price(self, prices: Whole, areas_cm2: Whole, scale: int) -> Whole:  # noqa: ARG002  (for subclasses)
        """Return the invoice prices after this rule, from the prices after the rules before it."""
        return prices

    def explain(self, bill: Bill, *, each_shape_invoiced: bool) -> str | None:  # noqa: ARG002
        """Return why further patches cost nothing on this bill; None if the rule is not the reason."""
        return None

    def explain_merging(self, *, each_shape_invoiced: bool) -> str | None:  # noqa: ARG002
        """Return why one shape can cost no more than the smaller shapes in it; None if it cannot."""
        return None


@dataclass(frozen=True, kw_only=True)
class MinimumArea(ChargeRule):
    """A minimum billable area, per order or per shape."""

    minimum_km2: Decimal
    scope: Scope = "order"
    listed = False

    def billable(self, areas_cm2: Whole) -> Whole:
        """Return each area or the minimum, whichever is larger."""
        return np.where(areas_cm2 > 0, np.maximum(areas_cm2, to_cm2(self.minimum_km2)), 0)

    def explain(self, bill: Bill, *, each_shape_invoiced: bool) -> str | None:
        """Name the minimum when it raised the bill."""
        if bill.billable_km2 <= bill.area_km2:
            return None
        each = self.explain_merging(each_shape_invoiced=each_shape_invoiced)
        return each or f"an order is billed for at least {self._km2}"

    def explain_merging(self, *, each_shape_invoiced: bool) -> str | None:
        """Name the minimum if every shape has to reach it."""
        each = self.scope == "shape" or each_shape_invoiced
        return f"a shape is billed for at least {self._km2}" if each else None

    @property
    def _km2(self) -> str:
        return f"{self.minimum_km2.normalize():f} km2"


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The price of each square kilometre of an invoice beyond `above_km2`, in major units."""

    above_km2: Decimal
    price_per_km2: Decimal


@dataclass(frozen=True, kw_only=True)
class AreaPrice(ChargeRule):
    """A price per area, in tiers: the area within each tier is charged at that tier's price."""

    tiers: tuple[Tier, ...]
    currency: str

    def __post_init__(self) -> None:
        starts = self._starts
        if starts[0] != 0 or any(after <= before for before, after in pairwise(starts)):
            raise ValueError(f"tiers must ascend from 0: {[str(tier.above_km2) for tier in self.tiers]}")

    def amounts(self) -> tuple[Fraction, ...]:
        """Return the rates per cm2."""
        return self._rates

    def price(self, prices: Whole, areas_cm2: Whole, scale: int) -> Whole:
        """Add the area within each tier times that tier's rate."""
        starts = self._starts
        for start, end, rate in zip(starts, [*starts[1:], None], self._rates, strict=True):
            reached = areas_cm2 if end is None else np.minimum(areas_cm2, end)
            prices = prices + int(rate * scale) * np.maximum(reached - start, 0)
        return prices

    def explain_merging(self, *, each_shape_invoiced: bool) -> str | None:
        """Name the tiers if every shape starts at the first one."""
        falling = any(after < before for before, after in pairwise(self._rates))
        return "a larger shape costs less per km2" if each_shape_invoiced and falling else None

    @cached_property
    def _starts(self) -> list[int]:
        return [to_cm2(tier.above_km2) for tier in self.tiers]

    @cached_property
    def _rates(self) -> tuple[Fraction, ...]:
        minor = minor_per_major(self.currency)
        return tuple(Fraction(tier.price_per_km2) * minor / CM2_PER_KM2 for tier in self.tiers)


@dataclass(frozen=True, kw_only=True)
class FlatPrice(ChargeRule):
    """An amount added to every invoice; the only charge of a scene that is sold at one price."""

    amount: Decimal
    currency: str

    def amounts(self) -> tuple[Fraction, ...]:
        """Return the amount."""
        return (_exact_minor(self.amount, self.currency),)

    def price(self, prices: Whole, areas_cm2: Whole, scale: int) -> Whole:  # noqa: ARG002
        """Add the amount."""
        return prices + int(_exact_minor(self.amount, self.currency) * scale)

    def explain(self, bill: Bill, *, each_shape_invoiced: bool) -> str | None:  # noqa: ARG002
        """Name the single price when it is the whole bill."""
        return "a scene has one price" if bill.amount == _rounded(self.amount, self.currency) else None

    def explain_merging(self, *, each_shape_invoiced: bool) -> str | None:
        """Name the amount if every shape is charged with it."""
        amount = _rounded(self.amount, self.currency)
        return f"every shape is charged with {amount}" if each_shape_invoiced else None


@dataclass(frozen=True, kw_only=True)
class MinimumCharge(ChargeRule):
    """A minimum amount for every invoice."""

    amount: Decimal
    currency: str
    listed = False

    def amounts(self) -> tuple[Fraction, ...]:
        """Return the amount."""
        return (_exact_minor(self.amount, self.currency),)

    def price(self, prices: Whole, areas_cm2: Whole, scale: int) -> Whole:  # noqa: ARG002
        """Raise every price to the minimum."""
        return np.maximum(prices, int(_exact_minor(self.amount, self.currency) * scale))

    def explain(self, bill: Bill, *, each_shape_invoiced: bool) -> str | None:
        """Name the minimum when it is the whole bill, or when every shape has to reach it."""
        minimum = _rounded(self.amount, self.currency)
        if bill.amount == minimum:
            return f"an order costs at least {minimum}"
        return f"a shape costs at least {minimum}" if each_shape_invoiced else None


def _exact_minor(amount: Decimal, currency: str) -> Fraction:
    return Fraction(amount) * minor_per_major(currency)


def _rounded(amount: Decimal, currency: str) -> Money:
    return Money(to_minor(amount, currency), currency)
