"""From utilities and prices to the patches to buy. Pure; `docs/planning.md` has the reasoning."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.planner.by_area import decide_by_area, rank_patches
from service.planner.by_shape import decide_by_shape, price_choices
from service.planner.by_tiles import decide_by_tiles, price_scene
from service.planner.decision import Decision
from service.planner.objectives import Objective
from service.pricing.billing import PriceTerms

Decide = Callable[[Objective], Decision]


def plan_purchases(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    objective: Objective,
    columns: int = 1,
) -> Decision:
    """Choose patches: utilities (T, 16) in [0, 1], eligible (T,), areas (T, 16) in square metres.

    Where areas are equal and shapes do not matter, or there is only one tile, the choice is the best of all
    2 ** (16 T) subsets by the real, rounded bill. Otherwise the decision's bound limits how much better
    another choice could be. Tiles are listed row by row, `columns` in a row; the order matters where shapes
    do. Raises ValueError for utilities outside [0, 1].
    """
    return decider(utilities, eligible, areas_m2, terms, columns)(objective)


def decider(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    columns: int = 1,
) -> Decide:
    """Rank and price a scene once, to decide for any number of objectives. Raises as plan_purchases."""
    if not ((utilities >= 0) & (utilities <= 1)).all():
        raise ValueError("utilities must lie in [0, 1]")
    if terms.by_area:
        return partial(decide_by_area, rank_patches(utilities, eligible, areas_m2, terms))
    if len(utilities) > 1:
        return partial(decide_by_tiles, price_scene(utilities, eligible, areas_m2, columns, terms))
    return partial(decide_by_shape, price_choices(utilities, eligible, areas_m2, terms))
