"""What no plan can be better than, whatever its shapes. Pure numpy.

Shapes are forgotten: n patches cover at least the area of the n smallest, are worth at most the n most
useful, and cost at least what that area does. `docs/planning.md` says why no legal order costs less.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.money import exponent
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective
from service.pricing.billing import ANY_SHAPE, Terms, tariff_of

Measure = Literal["utility", "score", "cost"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How good a plan is by its objective, and how good one could be at best."""

    measure: Measure
    """Sum of utilities; that minus lambda times the bill; or the bill, of which less is better."""
    reached: float
    bound: float

    @property
    def gap(self) -> float:
        """How much better a plan could be at most."""
        return abs(self.bound - self.reached)


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """What 0..N of N eligible patches are worth at most and cost at least."""

    worth: NDArray[np.float64]  # (N + 1,)
    amounts: NDArray[np.int64]  # (N + 1,) minor units
    major: int
    """Minor units in one of the currency."""


def relax(
    utilities: NDArray[np.float64], areas_cm2: NDArray[np.int64], terms: Terms, least_cm2: int = 0
) -> Relaxation:
    """Forget shapes of eligible patches, utilities and areas (N,), but that none is below `least_cm2`."""
    worth = np.concatenate(([0.0], np.cumsum(np.sort(utilities)[::-1])))
    areas = np.concatenate(([0], np.maximum(np.cumsum(np.sort(areas_cm2)), least_cm2)))
    return Relaxation(worth=worth, amounts=_least(areas, terms), major=10 ** exponent(terms.currency))


def best(relaxation: Relaxation, objective: Objective, wanted: int) -> float:
    """The best that the objective could reach; `wanted` patches are those a threshold insists on."""
    worth, amounts = relaxation.worth, relaxation.amounts
    match objective:
        case CostWeight(per_unit=weight):
            return float((worth - weight * amounts / relaxation.major).max())
        case MaxCost(limit=limit):
            return float(worth[amounts <= limit.minor].max())
        case MaxPatches(patches=patches):
            return float(worth[: patches + 1].max())
        case _:
            return float(amounts[wanted]) / relaxation.major


def measured(objective: Objective, worth: float, amount_minor: int, currency: str) -> tuple[Measure, float]:
    """How good a purchase is by its objective."""
    cost = amount_minor / 10 ** exponent(currency)
    match objective:
        case CostWeight(per_unit=weight):
            return "score", worth - weight * cost
        case MaxCost() | MaxPatches():
            return "utility", worth
        case _:
            return "cost", cost


def bound_of(measure: Measure, reached: float, bound: float) -> Bound:
    """A bound with what was reached; sums taken in another order may differ in their last digits."""
    nearest = min(reached, bound) if measure == "cost" else max(reached, bound)
    return Bound(measure=measure, reached=reached, bound=nearest)


def _least(areas_cm2: NDArray[np.int64], terms: Terms) -> NDArray[np.int64]:
    """The least that an order covering each of these areas can cost, rising from 0."""
    if terms.areas_summed:
        any_shape = replace(terms, minimum_applies_to="order", rules=ANY_SHAPE)
        return tariff_of(any_shape).amounts(areas_cm2)
    # Each shape is an invoice: of whatever size, its patches cost at least the cheapest share each.
    amounts = tariff_of(terms).amounts(areas_cm2)
    counts = np.arange(len(amounts))
    if len(counts) == 1:
        return amounts
    share = (amounts[1:] / counts[1:]).min()
    least: NDArray[np.int64] = np.floor(counts * share * (1 - 1e-12)).astype(np.int64)
    least[1:] = np.maximum(least[1:], amounts[1])
    return least
