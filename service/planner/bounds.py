"""An upper bound on every plan, whatever its shapes. Pure numpy.

The bound relaxes the shape constraints: n patches cover at least the area of the n smallest, are worth at
most the n most useful, and cost at least what that area costs. `docs/planning.md` says why it is valid.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pricing.billing import PriceTerms, tariff_of

Measure = Literal["utility", "score", "cost"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How good a plan is by its objective, and how good any plan could be."""

    measure: Measure
    """The sum of utilities; that sum minus lambda times the bill; or the bill (lower is better)."""
    reached: float
    bound: float

    @property
    def gap(self) -> float:
        """The most by which another plan could be better."""
        return abs(self.bound - self.reached)


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """The most that 0..N of N eligible patches can be worth, and the least that they can cost."""

    worth: NDArray[np.float64]  # (N + 1,)
    amounts: NDArray[np.int64]  # (N + 1,) minor units
    currency: str


def relax(
    utilities: NDArray[np.float64], areas_cm2: NDArray[np.int64], terms: PriceTerms, least_cm2: int = 0
) -> Relaxation:
    """Relax the shape constraints for eligible patches, utilities and areas (N,).

    `least_cm2` is the smallest area that any legal shape can have.
    """
    worth = np.concatenate(([0.0], np.cumsum(np.sort(utilities)[::-1])))
    areas = np.concatenate(([0], np.maximum(np.cumsum(np.sort(areas_cm2)), least_cm2)))
    return Relaxation(worth=worth, amounts=tariff_of(terms).least(areas), currency=terms.currency)


def bound_of(measure: Measure, reached: float, bound: float) -> Bound:
    """Pair a bound with what was reached; sums in different orders may differ in their last digits."""
    nearest = min(reached, bound) if measure == "cost" else max(reached, bound)
    return Bound(measure=measure, reached=reached, bound=nearest)
