"""From utilities and prices to what is bought. Pure; the reasoning is in `docs/planning.md`."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.planner import by_area, by_shape, by_tiles
from service.planner.decision import Decision
from service.planner.objectives import Objective
from service.pricing.billing import Terms

Decide = Callable[[Objective], Decision]


def plan_purchases(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: Terms,
    objective: Objective,
    columns: int = 1,
) -> Decision:
    """Choose patches: utilities (T, 16) in [0, 1], eligible (T,), areas (T, 16) in square metres.

    The choice is the best of all 2 ** (16 T) subsets by the real, rounded bill where areas are equal and
    shapes do not count, or there is one tile; the decision's bound says how good another one could be.
    Tiles lie row by row, `columns` in a row, which counts where shapes do.
    Raises ValueError for utilities outside [0, 1].
    """
    return decider(utilities, eligible, areas_m2, terms, columns)(objective)


def decider(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: Terms,
    columns: int = 1,
) -> Decide:
    """Rank and price once, to decide for any number of objectives. Raises as plan_purchases."""
    if not ((utilities >= 0) & (utilities <= 1)).all():
        raise ValueError("utilities must lie in [0, 1]")
    if terms.by_area:
        return partial(by_area.decide, by_area.rank_patches(utilities, eligible, areas_m2, terms))
    if len(utilities) > 1:
        return partial(by_tiles.decide, by_tiles.price_scene(utilities, eligible, areas_m2, columns, terms))
    return partial(by_shape.decide, by_shape.price_choices(utilities, eligible, areas_m2, terms))
