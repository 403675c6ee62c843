"""Rankings of what to buy of several tiles, best value first. Pure numpy.

Only prefixes of a ranking are bought. Patches are ranked by utility; steps from one choice of a tile to a
better one, and windows of neighbouring cells, by utility per cost. Windows matter where a shape is billed for
more than a tile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from service.planner.scene_orders import SceneOrders, covered_patches
from service.planner.tile_orders import BITS
from service.planner.tile_steps import Steps, rank_steps

Mask = NDArray[np.bool_]  # (T, 16)
Floats = NDArray[np.float64]
SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""Heights and widths of windows, in cells."""
MOST_WINDOWS = 32
SMALL_LATTICE = 4096
"""Cells up to which windows of all sides are compared; in larger scenes, those that a minimum pays for."""


@dataclass(frozen=True, kw_only=True)
class PrefixRanking:
    """A ranking, best value first; only its prefixes are bought."""

    length: int
    first: Callable[[int], Mask]
    """The patches of a prefix, by its length."""


def by_utility(ranked: NDArray[np.intp], shape: tuple[int, ...]) -> PrefixRanking:
    """Return the ranking of patches that are listed best first, as positions in a raveled mask (T, 16)."""
    return PrefixRanking(length=len(ranked), first=lambda count: _patches(ranked[:count], shape))


def by_step(orders: SceneOrders, utilities: Floats) -> PrefixRanking:
    """Return the ranking of steps from one choice of a tile to a better one: utilities (T, 16)."""
    steps = rank_steps(utilities, orders.tile.cover.weights)
    return PrefixRanking(length=len(steps.tiles), first=lambda count: _choices(steps, count, len(utilities)))


def by_window(orders: SceneOrders, utilities: Floats, values: Floats) -> PrefixRanking:
    """Return the ranking of windows: utilities (T, 16), and as `values` on the lattice."""
    windows = list(_best_windows(orders, values))
    useful = utilities > 0

    def first(count: int) -> Mask:
        cells = np.zeros(values.shape, dtype=np.bool_)
        for window in windows[:count]:
            cells[window] = True
        return covered_patches(orders, cells) & useful

    return PrefixRanking(length=len(windows), first=first)


def _best_windows(orders: SceneOrders, values: Floats) -> Iterator[tuple[slice, slice]]:
    """Yield the windows of the most utility per weight; each counts what those before it leave."""
    left, sizes = values.copy(), _sizes(orders)
    for _ in range(MOST_WINDOWS):
        sums = np.pad(left, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
        best = max((_best_of_size(orders, sums, size) for size in sizes), default=(0.0, 0, 0, 0, 0))
        value, top, left_side, height, width = best
        if value <= 0 or left.max() <= 0:
            return
        window = np.s_[top : top + height, left_side : left_side + width]
        left[window] = 0
        yield window


def _best_of_size(
    orders: SceneOrders, sums: Floats, size: tuple[int, int]
) -> tuple[float, int, int, int, int]:
    """Return utility per weight, place and size of the best window of a size; `sums` is cumulated."""
    height, width = size
    total = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(total.argmax()), total.shape)
    value = float(total[top, left]) / max(1, int(orders.weight_of[height * width]))
    return round(value, 15), int(top), int(left), height, width


def _sizes(orders: SceneOrders) -> list[tuple[int, int]]:
    shape, narrowest, weights = orders.cells_cm2.shape, orders.tile.narrowest, orders.weight_of
    sides = [sorted({*(one for one in SIDES if narrowest <= one <= extent), extent}) for extent in shape]
    sizes = list(product(*sides))
    if orders.cells_cm2.size <= SMALL_LATTICE:
        return sizes
    paid = max(int(np.searchsorted(weights, weights[1], side="right")) - 1, 16)
    return [(height, width) for height, width in sizes if paid / 2 < height * width <= paid]


def _patches(flat: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask.flat[flat] = True
    return mask


def _choices(steps: Steps, count: int, tiles: int) -> Mask:
    """Return the patches (T, 16) chosen after the first steps; a tile's last step replaces those before."""
    choices = np.zeros(tiles, dtype=np.int64)
    choices[steps.tiles[:count]] = steps.choices[:count]
    return BITS[choices].astype(np.bool_)
