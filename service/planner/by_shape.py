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
    GuaranteedLoss,
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
    taken: int
    """Choice of the patches that are not bought, because they are owned or on order."""
    allowed: Choices
    """The choices of patches that can be bought."""
    utilities: NDArray[np.float64]  # (16,)
    worth: NDArray[np.float64]  # (65536,)
    amounts: NDArray[np.int64]  # (65536,) minor units
    around: Choices
    """(65536,): each choice, with the taken patches that its shapes enclose because that is cheaper."""
    padded_amounts: NDArray[np.int64]
    """(65536,) minor units, if shapes may enclose any patch that is not chosen."""
    padded: Choices
    """(65536,): each choice, with the patches that its shapes then enclose."""


def price_choices(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    taken: NDArray[np.bool_],
) -> PricedChoices:
    """Price every choice of one tile: utilities (1, 16), eligible (1,), areas and taken (1, 16)."""
    values = utilities[0].astype(np.float64)
    orders, owned = order_choices(areas_m2, terms), _choice(taken)
    amounts, around = orders.around(owned)
    padded_amounts, padded = orders.around(EVERYTHING)
    return PricedChoices(
        orders=orders,
        eligible=bool(eligible[0]),
        taken=owned,
        allowed=CHOICES[CHOICES & owned == 0] if eligible[0] else CHOICES[:1],
        utilities=values,
        worth=BITS @ values,
        amounts=amounts,
        around=around,
        padded_amounts=padded_amounts,
        padded=padded,
    )


def decide_by_shape(
    priced: PricedChoices, objective: Objective, *, usual: Decision | None = None
) -> Decision:
    """Choose among all choices of the tile; `usual` is the decision if no patch were taken."""
    wanted = _wanted(priced, objective)
    # Under a limit on patches, patches that are paid for anyway stay padding.
    bought = _with_free(priced, wanted) if objective.most_patches is None else wanted
    return conclude(_purchase(priced, wanted, bought, usual, objective), priced.orders.terms, objective)


def _wanted(priced: PricedChoices, objective: Objective) -> int:
    """Return the best choice by the objective; break ties by cost, then by the fewest patches."""
    worth, amounts, allowed = priced.worth, priced.amounts, priced.allowed
    match objective:
        case (
            Policy(threshold=threshold)
            | TargetAccuracy(threshold=threshold)
            | GuaranteedLoss(threshold=threshold)
        ):
            useful = int((1 << np.flatnonzero(priced.utilities >= threshold)).sum())
            return useful & int(allowed[-1])
        case CostWeight(per_unit=weight):
            major = minor_per_major(priced.orders.terms.currency)
            return _best(allowed, worth - weight * amounts / major, amounts)
        case MaxCost(limit=limit):
            return _best(allowed[amounts[allowed] <= limit.minor], worth, amounts)
        case MaxPatches(patches=patches):
            return _best(allowed[BITS[allowed].sum(axis=1) <= patches], worth, priced.padded_amounts)
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
    wider = priced.allowed[(priced.allowed & wanted) == wanted]
    cheapest = wider[priced.amounts[wider] == priced.amounts[wider].min()]
    best = cheapest[priced.worth[cheapest] >= priced.worth[cheapest].max() - ALIKE]
    return int(best[np.argmax(BITS[best].sum(axis=1))])


def _purchase(
    priced: PricedChoices, wanted: int, bought: int, usual: Decision | None, objective: Objective
) -> Purchase:
    orders, currency = priced.orders, priced.orders.terms.currency
    enclosing = priced.around if objective.most_patches is None else priced.padded
    spared = 0 if usual is None else _choice(usual.selected) & priced.taken
    everything = EVERYTHING if priced.eligible else 0
    around, buyable = int(enclosing[bought]), int(priced.allowed[-1])
    useful = priced.allowed[1:] if buyable else CHOICES[1:]
    reached = objective.value(float(priced.worth[bought]), Money(int(orders.amounts[around]), currency))
    return Purchase(
        selected=_patches(bought),
        filled=_patches(bought & ~wanted),
        arranged=_patches(around),
        wanted=wanted.bit_count(),
        bill=orders.bill(around),
        spared=spared.bit_count(),
        with_spared=orders.bill(int(enclosing[bought | spared])),
        usual=None if usual is None else usual.bill,
        everything=orders.bill(everything),
        eligible=buyable.bit_count(),
        taken=(priced.taken & everything).bit_count(),
        cheapest=Money(int(priced.amounts[useful].min()), currency),
        # Every choice was compared, so the bound is reached.
        bound=Bound(measure=objective.measure, reached=reached, bound=reached),
    )


def _choice(patches: NDArray[np.bool_]) -> int:
    return int((1 << np.flatnonzero(patches[0])).sum())


def _patches(choice: int) -> NDArray[np.bool_]:
    return np.asarray(BITS[choice].astype(np.bool_)[None])
