"""Plans of one tile where the price depends on shapes: all 65,536 choices are priced. Pure numpy.

Patches that only make a shape legal, or fill its minimum area, are paid for anyway, so they are bought too.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from service.money import Money, minor_per_major
from service.planner.bounds import Bound
from service.planner.decision import Decision, Purchase, conclude
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.planner.tile_orders import BITS, CHOICES, EVERYTHING, Choices, TileOrders, order_choices
from service.pricing.billing import PriceTerms

ALIKE = 1e-9
"""Sums of utilities that differ by less are equal."""


@dataclass(frozen=True, kw_only=True)
class PricedChoices:
    """Every choice of one tile's patches, with its worth and its cost."""

    orders: TileOrders
    eligible: bool
    utilities: NDArray[np.float64]  # (16,)
    worth: NDArray[np.float64]  # (65536,)


def price_choices(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
) -> PricedChoices:
    """Price every choice of one tile: utilities (1, 16), eligible (1,), areas (1, 16)."""
    values = utilities[0].astype(np.float64)
    return PricedChoices(
        orders=order_choices(areas_m2, terms),
        eligible=bool(eligible[0]),
        utilities=values,
        worth=BITS @ values,
    )


def decide_by_shape(priced: PricedChoices, objective: Objective) -> Decision:
    """Choose among all choices of the tile."""
    if not priced.eligible:
        return conclude(_purchase(priced, 0, 0, 0, objective), priced.orders.terms, objective)
    wanted = _wanted(priced, objective)
    # Under a limit on patches, patches that are paid for anyway stay padding.
    bought = _with_free(priced, wanted) if objective.most_patches is None else wanted
    purchase = _purchase(priced, wanted, bought, EVERYTHING, objective)
    return conclude(purchase, priced.orders.terms, objective)


def _wanted(priced: PricedChoices, objective: Objective) -> int:
    """Return the best choice by the objective; break ties by cost, then by the fewest patches."""
    worth, amounts = priced.worth, priced.orders.amounts
    match objective:
        case Policy(threshold=threshold) | TargetAccuracy(threshold=threshold):
            return int((1 << np.flatnonzero(priced.utilities >= threshold)).sum())
        case CostWeight(per_unit=weight):
            major = minor_per_major(priced.orders.terms.currency)
            return _best(CHOICES, worth - weight * amounts / major, amounts)
        case MaxCost(limit=limit):
            return _best(CHOICES[amounts <= limit.minor], worth, amounts)
        case MaxPatches(patches=patches):
            return _best(CHOICES[BITS.sum(axis=1) <= patches], worth, amounts)
        case _:
            assert_never(objective)


def _best(allowed: Choices, score: NDArray[np.float64], amounts: NDArray[np.int64]) -> int:
    best = allowed[score[allowed] >= score[allowed].max() - ALIKE]
    cheapest = best[amounts[best] == amounts[best].min()]
    return int(cheapest[np.argmin(BITS[cheapest].sum(axis=1))])


def _with_free(priced: PricedChoices, wanted: int) -> int:
    """Pick, among the cheapest supersets of `wanted`, the most useful; break ties by size."""
    if not wanted:
        return 0
    around = CHOICES[(CHOICES & wanted) == wanted]
    cheapest = around[priced.orders.amounts[around] == priced.orders.amounts[around].min()]
    best = cheapest[priced.worth[cheapest] >= priced.worth[cheapest].max() - ALIKE]
    return int(best[np.argmax(BITS[best].sum(axis=1))])


def _purchase(
    priced: PricedChoices, wanted: int, bought: int, everything: int, objective: Objective
) -> Purchase:
    orders, currency = priced.orders, priced.orders.terms.currency
    reached = objective.value(float(priced.worth[bought]), Money(int(orders.amounts[bought]), currency))
    return Purchase(
        selected=BITS[bought].astype(np.bool_)[None],
        filled=BITS[bought & ~wanted].astype(np.bool_)[None],
        wanted=wanted.bit_count(),
        bill=orders.bill(bought),
        everything=orders.bill(everything),
        eligible=everything.bit_count(),
        cheapest=Money(int(orders.amounts[1:].min()), currency),
        # Every choice was compared, so the bound is reached.
        bound=Bound(measure=objective.measure, reached=reached, bound=reached),
    )
