"""Plans of one tile under prices or rules of each shape: all 65,536 choices are priced. Pure numpy.

What is paid for is bought: patches that only make a shape legal, or fill its minimum, come along free.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.money import exponent
from service.planner.bounds import Bound, measured
from service.planner.decision import Decision, Purchase, conclude
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.planner.tile_shapes import (
    BITS,
    CHOICES,
    EVERYTHING,
    Choices,
    Cover,
    cover_with,
    cover_with_parts,
    legal_shapes,
)
from service.pricing.billing import ANY_SHAPE, CM2_PER_M2, Bill, Terms, bill, tariff_of, whole_cm2

ALIKE = 1e-9
"""Sums of utilities nearer than this are equal."""


@dataclass(frozen=True, kw_only=True)
class TileOrders:
    """Every choice of one tile's patches: the cheapest legal order around it."""

    terms: Terms
    narrowest: int
    """Patches that a shape must be wide; beyond 4, a square around the tile is all that can be ordered."""
    patches_cm2: NDArray[np.int64]  # (16,)
    areas_cm2: NDArray[np.int64]  # (65536,) of each choice as one shape, that square included
    cover: Cover
    amounts: NDArray[np.int64]  # (65536,) minor units

    def bill(self, choice: int) -> Bill:
        """The bill of the cheapest order around a choice."""
        return bill([int(self.areas_cm2[shape]) for shape in self.cover.shapes(choice)], self.terms)


@dataclass(frozen=True, kw_only=True)
class PricedChoices:
    """Every choice of one tile's patches: what it is worth, beside what it costs."""

    orders: TileOrders
    eligible: bool
    utilities: NDArray[np.float64]  # (16,)
    worth: NDArray[np.float64]  # (65536,)


def price_choices(
    utilities: NDArray[np.float32], eligible: NDArray[np.bool_], areas_m2: NDArray[np.float64], terms: Terms
) -> PricedChoices:
    """Price every choice of the one tile: utilities (1, 16), eligible (1,), areas (1, 16)."""
    values = utilities[0].astype(np.float64)
    return PricedChoices(
        orders=order_choices(areas_m2, terms),
        eligible=bool(eligible[0]),
        utilities=values,
        worth=BITS @ values,
    )


def order_choices(areas_m2: NDArray[np.float64], terms: Terms) -> TileOrders:
    """Find the cheapest legal order around every choice of one tile: areas (1, 16) in square metres."""
    patches = whole_cm2(areas_m2)[0]
    narrowest = _narrowest(patches, terms)
    areas = BITS @ patches
    if narrowest > GRID:
        areas[EVERYTHING] = narrowest**2 * int(patches.sum()) // PATCHES
    cover = _cover(areas, terms, narrowest)
    return TileOrders(
        terms=terms,
        narrowest=narrowest,
        patches_cm2=patches,
        areas_cm2=areas,
        cover=cover,
        amounts=order_amounts(cover.weights, terms),
    )


def decide(priced: PricedChoices, objective: Objective) -> Decision:
    """Choose among all choices of the tile."""
    if not priced.eligible:
        return conclude(_purchase(priced, 0, 0, 0, objective), priced.orders.terms, objective)
    wanted = _wanted(priced, objective)
    bought = wanted if isinstance(objective, MaxPatches) else _with_free(priced, wanted)
    purchase = _purchase(priced, wanted, bought, EVERYTHING, objective)
    return conclude(purchase, priced.orders.terms, objective)


def _wanted(priced: PricedChoices, objective: Objective) -> int:
    """The choice asked for: of equally good ones the cheapest, then the one of fewest patches."""
    worth, amounts = priced.worth, priced.orders.amounts
    match objective:
        case Policy(threshold=threshold) | TargetAccuracy(threshold=threshold):
            return int((1 << np.flatnonzero(priced.utilities >= threshold)).sum())
        case CostWeight(per_unit=weight):
            major = 10 ** exponent(priced.orders.terms.currency)
            return _best(CHOICES, worth - weight * amounts / major, amounts)
        case MaxCost(limit=limit):
            return _best(CHOICES[amounts <= limit.minor], worth, amounts)
        case MaxPatches(patches=patches):
            return _best(CHOICES[BITS.sum(axis=1) <= patches], worth, amounts)


def _best(allowed: Choices, score: NDArray[np.float64], amounts: NDArray[np.int64]) -> int:
    best = allowed[score[allowed] >= score[allowed].max() - ALIKE]
    cheapest = best[amounts[best] == amounts[best].min()]
    return int(cheapest[np.argmin(BITS[cheapest].sum(axis=1))])


def _with_free(priced: PricedChoices, wanted: int) -> int:
    """What no order of the wanted patches can cost less than: of such choices the best, then the largest."""
    if not wanted:
        return 0
    around = CHOICES[(CHOICES & wanted) == wanted]
    cheapest = around[priced.orders.amounts[around] == priced.orders.amounts[around].min()]
    best = cheapest[priced.worth[cheapest] >= priced.worth[cheapest].max() - ALIKE]
    return int(best[np.argmax(BITS[best].sum(axis=1))])


def _purchase(
    priced: PricedChoices, wanted: int, bought: int, everything: int, objective: Objective
) -> Purchase:
    worth, amount = float(priced.worth[bought]), int(priced.orders.amounts[bought])
    measure, reached = measured(objective, worth, amount, priced.orders.terms.currency)
    return Purchase(
        selected=BITS[bought].astype(np.bool_)[None],
        filled=BITS[bought & ~wanted].astype(np.bool_)[None],
        wanted=wanted.bit_count(),
        bill=priced.orders.bill(bought),
        everything=priced.orders.bill(everything),
        eligible=everything.bit_count(),
        cheapest_minor=int(priced.orders.amounts[1:].min()),
        bound=Bound(measure=measure, reached=reached, bound=reached),  # nothing was left out
    )


def _narrowest(patches_cm2: NDArray[np.int64], terms: Terms) -> int:
    """How many patches wide a shape must be."""
    side_m = math.sqrt(float(patches_cm2.mean()) / CM2_PER_M2)
    return max(1, math.ceil(float(terms.rules.minimum_width_m) / side_m - 1e-6))


def shape_weights(areas_cm2: NDArray[np.int64], terms: Terms) -> NDArray[np.int64]:
    """What each shape of an area (N,) adds to an order: billed cm2 where areas are summed, else its price."""
    if not terms.areas_summed:
        return tariff_of(terms).amounts(areas_cm2)
    by_shape = terms.minimum_applies_to == "shape"
    return np.where(areas_cm2 > 0, np.maximum(areas_cm2, terms.minimum_cm2), 0) if by_shape else areas_cm2


def order_amounts(weights: NDArray[np.int64], terms: Terms) -> NDArray[np.int64]:
    """What orders (N,) cost whose shapes weigh so much together, minor units."""
    # Where areas are summed, a minimum per shape is in the weights already, and none of them is below it.
    return tariff_of(terms).amounts(weights) if terms.areas_summed else weights


def _cover(areas_cm2: NDArray[np.int64], terms: Terms, narrowest: int) -> Cover:
    """The cheapest legal shapes around every choice."""
    weights = shape_weights(areas_cm2, terms)
    if terms.rules == ANY_SHAPE:
        return cover_with_parts(weights)
    return cover_with(legal_shapes(terms.rules, narrowest), weights)
