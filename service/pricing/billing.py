"""From a price list's terms to the bill of an order, and to the least that an order can cost. Pure numpy.

`Tariff` applies the rules of `charge_rules` and knows none of them: a new rule changes nothing here but
`PriceTerms`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache, reduce
from math import lcm

import numpy as np
from numpy.typing import NDArray

from service.money import LARGEST_MINOR, Money, minor_per_major
from service.pricing.areas import LARGEST_CM2, to_cm2, to_km2
from service.pricing.charge_rules import (
    AreaPrice,
    Bill,
    ChargedArea,
    ChargeRule,
    FlatPrice,
    MinimumArea,
    MinimumCharge,
    Scope,
    Tier,
    Whole,
)
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules


@dataclass(frozen=True, kw_only=True)
class PriceTerms:
    """The terms of a price list that bills depend on. Prices and charges in major units of `currency`."""

    currency: str
    tiers: tuple[Tier, ...] = ()
    """Ascending from 0: of 600 km2 under tiers from 0 and 500, 100 are charged at the second price."""
    flat: Decimal = Decimal(0)
    """An amount added to every invoice; the only charge of a scene that is sold at one price."""
    minimum_km2: Decimal = Decimal(0)
    minimum_applies_to: Scope = "order"
    minimum_charge: Decimal = Decimal(0)
    areas_summed: bool = True
    """Whether the shapes of an order share one invoice; if not, each is billed as an order of its own."""
    rules: ShapeRules = ANY_SHAPE

    def charge_rules(self) -> tuple[ChargeRule, ...]:
        """Return the rules in the order in which they apply. ValueError unless tiers ascend from 0."""
        rules: list[ChargeRule] = []
        if self.minimum_km2:
            rules.append(MinimumArea(minimum_km2=self.minimum_km2, scope=self.minimum_applies_to))
        if self.tiers:
            rules.append(AreaPrice(tiers=self.tiers, currency=self.currency))
        if self.flat:
            rules.append(FlatPrice(amount=self.flat, currency=self.currency))
        if self.minimum_charge:
            rules.append(MinimumCharge(amount=self.minimum_charge, currency=self.currency))
        return tuple(rules)

    @property
    def by_area(self) -> bool:
        """Whether an order's price depends only on the sum of its areas, not on its shapes."""
        by_shape = any(rule.scope == "shape" for rule in self.charge_rules())
        return self.areas_summed and not by_shape and self.rules == ANY_SHAPE

    @property
    def each_shape_is_a_line(self) -> bool:
        """Whether a bill has a line for each shape, instead of one line for the whole order."""
        by_shape = any(rule.scope == "shape" for rule in self.charge_rules())
        return by_shape or self.minimum_applies_to == "shape" or not self.areas_summed

    def ignoring_shapes(self) -> "PriceTerms":
        """Return the same prices for orders in which shapes do not matter."""
        return replace(self, areas_summed=True, minimum_applies_to="order", rules=ANY_SHAPE)


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """The charge rules of a price list, ready to price many orders. All areas in cm2."""

    currency: str
    rules: tuple[ChargeRule, ...]
    scale: int
    """Prices are exact as whole multiples of 1/scale minor units."""
    shared_invoice: bool
    """Whether all shapes of an order are on one invoice."""

    def weights(self, shapes_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what each shape (N,) adds to its order: billed cm2 on a shared invoice, else its price."""
        if self.shared_invoice:
            return self._billable(shapes_cm2, {"shape"})
        return self._invoices(self._billable(shapes_cm2, {"shape", "order"}))

    def totals(self, weights: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the amounts (N,), minor units, of orders whose shapes have these total weights."""
        if self.shared_invoice:
            return self._invoices(self._billable(weights, {"order"}))
        return weights

    def amounts(self, areas_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the amounts (N,), minor units, of orders that are one shape of each area."""
        return self.totals(self.weights(areas_cm2))

    def least(self, areas_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return lower bounds (N + 1,), minor units, of orders of 0..N patches, whatever their shapes.

        `areas_cm2` (N + 1,), rising from 0, holds the smallest area of each number of patches.
        """
        if self.shared_invoice:
            areas = reduce(lambda least, rule: rule.least_billable(least), self.rules, areas_cm2)
            return self._invoices(areas)
        # Each shape is an invoice: k patches in one shape cost at least amounts[k], so every patch costs at
        # least the smallest amounts[k] / k.
        amounts = self.amounts(areas_cm2)
        counts = np.arange(len(amounts))
        if len(counts) == 1:
            return amounts
        share = (amounts[1:] / counts[1:]).min()
        least: NDArray[np.int64] = np.floor(counts * share * (1 - 1e-12)).astype(np.int64)
        least[1:] = np.maximum(least[1:], amounts[1])
        return least

    def billable_lines(self, areas_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the area (N,) that is billed for each line of a bill."""
        return self._billable(areas_cm2, {"shape", "order"})

    def exact(self, area_cm2: int) -> int:
        """Return the price of an order of one shape before rounding, times `scale`."""
        area = np.array([area_cm2], dtype=object)
        return int(self._exact(self._billable(area, {"shape", "order"}))[0])

    def explain_free(self, bill: Bill, rules: ShapeRules) -> str:
        """Return why further patches cost nothing on this bill."""
        each = not self.shared_invoice
        reasons = [
            *(rule.explain(bill, each_shape_invoiced=each) for rule in self.rules),
            rules.explain(),
            *(rule.explain_merging(each_shape_invoiced=each) for rule in self.rules),
        ]
        rounding = "the bill is rounded to the smallest unit of the currency"
        return next((reason for reason in reasons if reason), rounding)

    def _billable(self, areas_cm2: Whole, scopes: set[Scope]) -> Whole:
        rules = [rule for rule in self.rules if rule.scope in scopes]
        return reduce(lambda areas, rule: rule.billable(areas), rules, areas_cm2)

    def _exact(self, billable_cm2: Whole) -> Whole:
        prices = np.zeros_like(billable_cm2)
        for rule in self.rules:
            prices = rule.price(prices, billable_cm2, self.scale)
        return np.where(billable_cm2 > 0, prices, 0)

    def _invoices(self, billable_cm2: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the amounts (N,) of one invoice of each billed area, rounded once, halves up."""
        largest = np.array([max(int(billable_cm2.max(initial=0)), 1)], dtype=object)
        fits = 2 * (self._exact(largest)[0] + self.scale) < 2**63  # every step in 64 bits
        prices = self._exact(billable_cm2 if fits else billable_cm2.astype(object))
        return np.asarray((2 * prices + self.scale) // (2 * self.scale), dtype=np.int64)


@lru_cache(maxsize=64)
def tariff_of(terms: PriceTerms, *, minimums: bool = True) -> Tariff:
    """Prepare to price orders; without `minimums`, at the list price. ValueError unless tiers ascend."""
    rules = tuple(rule for rule in terms.charge_rules() if minimums or rule.listed)
    amounts = [amount for rule in rules for amount in rule.amounts()]
    return Tariff(
        currency=terms.currency,
        rules=rules,
        scale=lcm(*(amount.denominator for amount in amounts)),
        shared_invoice=terms.areas_summed,
    )


def list_price(area_cm2: int, terms: PriceTerms) -> Money:
    """Return the price of an area without minimums."""
    return _price(area_cm2, tariff_of(terms, minimums=False))


def order_price(area_cm2: int, terms: PriceTerms) -> Money:
    """Return the price of an order of one shape; an empty order costs nothing."""
    return _price(area_cm2, tariff_of(terms))


def _price(area_cm2: int, tariff: Tariff) -> Money:
    return Money(int(tariff.amounts(np.array([area_cm2], dtype=np.int64))[0]), tariff.currency)


def in_range(areas_cm2: NDArray[np.int64], terms: PriceTerms) -> bool:
    """Say whether any order of patches (N,) stays in the range of amounts, however its shapes are drawn.

    The upper bound takes each patch as a shape and an invoice of its own, at the highest price of an area.
    """
    count = len(areas_cm2)
    rate = max((tier.price_per_km2 for tier in terms.tiers), default=Decimal(0))
    billed_cm2 = int(areas_cm2.sum()) + count * to_cm2(terms.minimum_km2)
    major = rate * to_km2(billed_cm2) + count * (terms.flat + terms.minimum_charge)
    return billed_cm2 < LARGEST_CM2 and major * minor_per_major(terms.currency) < LARGEST_MINOR


def bill(shapes_cm2: Sequence[int], terms: PriceTerms) -> Bill:
    """Bill one order of shapes. ValueError for a negative area."""
    if any(area < 0 for area in shapes_cm2):
        raise ValueError(f"negative area in {list(shapes_cm2)}")
    tariff = tariff_of(terms)
    shapes = [area for area in shapes_cm2 if area]
    lines = shapes if terms.each_shape_is_a_line or not shapes else [sum(shapes)]
    billable = tariff.billable_lines(np.array(lines, dtype=np.int64)).tolist()
    weights = tariff.weights(np.array(shapes, dtype=np.int64)).tolist()
    amount = tariff.totals(np.array([sum(weights)], dtype=np.int64))
    return Bill(
        area_km2=to_km2(sum(shapes)),
        billable_km2=to_km2(sum(billable)),
        amount=Money(int(amount[0]), terms.currency),
        lines=tuple(
            ChargedArea(area_km2=to_km2(area), billable_km2=to_km2(billed))
            for area, billed in zip(lines, billable, strict=True)
        ),
    )
