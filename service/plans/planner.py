"""From utilities and prices to what is bought. Pure; the reasoning is in `docs/planning.md`."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.plans import by_area, by_shape
from service.plans.decision import Decision
from service.plans.objectives import Objective
from service.pricing.billing import Terms

Decide = Callable[[Objective], Decision]


class ShapePricesError(InvalidInputError):
    """The price list bills or limits each shape by itself, and the scene has more than one tile."""

    code = "priced-by-shape"
    title = "This price list cannot be planned with for so large a scene"


def plan_purchases(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: Terms,
    objective: Objective,
) -> Decision:
    """Choose patches: utilities (T, 16) in [0, 1], eligible (T,), areas (T, 16) in square metres.

    The choice is the best of all 2 ** (16 T) subsets by the real, rounded bill: where shapes count
    among all those of the one tile, else where areas are equal.
    Raises ShapePricesError where shapes count and there are several tiles, ValueError for utilities
    outside [0, 1].
    """
    return decider(utilities, eligible, areas_m2, terms)(objective)


def decider(
    utilities: NDArray[np.float32], eligible: NDArray[np.bool_], areas_m2: NDArray[np.float64], terms: Terms
) -> Decide:
    """Rank and price once, to decide for any number of objectives. Raises as plan_purchases."""
    if not ((utilities >= 0) & (utilities <= 1)).all():
        raise ValueError("utilities must lie in [0, 1]")
    if terms.by_area:
        return partial(by_area.decide, by_area.rank_patches(utilities, eligible, areas_m2, terms))
    if len(utilities) > 1:
        raise ShapePricesError(
            "the price list bills every shape by itself or limits what a shape may be; plans can be made "
            "with it for a scene of one tile",
            tiles=len(utilities),
        )
    return partial(by_shape.decide, by_shape.price_choices(utilities, eligible, areas_m2, terms))
