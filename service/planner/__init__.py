"""From utilities and prices to the patches to buy. Pure; `docs/planning.md` has the reasoning."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.planner.by_area import decide_by_area, rank_patches
from service.planner.by_shape import decide_by_shape, price_choices
from service.planner.by_tiles import decide_by_tiles
from service.planner.candidates import price_scene
from service.planner.decision import Decision
from service.planner.objectives import Objective
from service.planner.scene_orders import Check
from service.pricing.billing import PriceTerms

ALIKE_AREAS = 1e-4
"""Largest relative difference of areas, as in scenes in metres, at which a ranking of patches decides."""

Decide = Callable[[Objective], Decision]


class Choose(Protocol):
    """A planner of a prepared scene."""

    def __call__(self, objective: Objective, *, usual: Decision | None = None) -> Decision:
        """Choose patches; `usual` is the decision if none were taken."""


def plan_purchases(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    objective: Objective,
    columns: int = 1,
    taken: NDArray[np.bool_] | None = None,
    check: Check = lambda: None,
) -> Decision:
    """Choose patches: utilities (T, 16) of 0 or more, eligible (T,), areas (T, 16) in square metres.

    `taken` (T, 16) marks patches that are not bought, because they are owned or on order already.
    Where shapes do not matter and all areas are equal, the choice is the best of all 2 ** (16 T) subsets by
    the real, rounded bill. So it is for one tile, except that areas which differ by ALIKE_AREAS or less are
    ranked as if they were equal. Otherwise the decision's bound limits how much better
    another choice could be. Tiles are listed row by row, `columns` in a row; the order matters where shapes
    do. `check` is called between the steps of a long search, and may raise to end it. Raises ValueError for
    utilities that are negative or not finite.
    """
    return decider(utilities, eligible, areas_m2, terms, columns, taken, check)(objective)


def decider(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    columns: int = 1,
    taken: NDArray[np.bool_] | None = None,
    check: Check = lambda: None,
) -> Decide:
    """Rank and price a scene once, to decide for any number of objectives. Raises as plan_purchases."""
    if not ((utilities >= 0) & np.isfinite(utilities)).all():
        raise ValueError("utilities must be finite and 0 or more")
    choose = partial(_chooser, utilities, eligible, areas_m2, terms, columns, check)
    none = np.zeros(utilities.shape, dtype=np.bool_)
    taken = none if taken is None else taken & eligible[:, None]
    as_usual = choose(none)
    if not taken.any():
        return as_usual
    with_taken = choose(taken)
    # What the objective would buy otherwise says which of the taken patches save money.
    return lambda objective: with_taken(objective, usual=as_usual(objective))


def _chooser(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    columns: int,
    check: Check,
    taken: NDArray[np.bool_],
) -> Choose:
    scene = (utilities, eligible, areas_m2)
    one = len(utilities) == 1
    if terms.by_area and not (one and _unequal(areas_m2)):
        return partial(decide_by_area, rank_patches(*scene, terms, taken))
    if not one:
        return partial(decide_by_tiles, price_scene(*scene, columns, terms, taken, check))
    return partial(decide_by_shape, price_choices(*scene, terms, taken))


def _unequal(areas_m2: NDArray[np.float64]) -> bool:
    return bool(areas_m2.max() > areas_m2.min() * (1 + ALIKE_AREAS))
