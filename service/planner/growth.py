"""Patches beside ordered shapes that add nothing to the bill. Pure numpy.

A shape below a minimum area is billed for the minimum, so it may grow until it reaches that. Each step takes
the most useful neighbour, which need not lead to the best set.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.planner.scene_orders import Ints, SceneOrders, ShapeLayout, cells_of
from service.pricing.billing import tariff_of
from service.pricing.shape_rules import ANY_SHAPE

Cell = tuple[int, int]


def free_neighbours(
    orders: SceneOrders, layout: ShapeLayout, utilities: NDArray[np.float64], open_to: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the patches (T, 16) by which shapes may grow while each is billed as before.

    They are among `open_to` (T, 16), best utility first. Shapes that meet are billed together afterwards, so
    the caller prices the result. There are none where shapes must keep rules.
    """
    tiles = len(utilities)
    grown = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    places = cells_of(orders.columns, *np.divmod(np.arange(tiles * PATCHES), PATCHES))
    if orders.terms.rules == ANY_SHAPE and layout.box is None:
        values, free = np.zeros(grown.shape), grown.copy()
        values[places], free[places] = utilities.ravel(), open_to.ravel()
        free[layout.rows, layout.columns] = False
        _grow(layout, _room(orders, layout.areas_cm2), values, free, grown)
    return grown[places].reshape(tiles, PATCHES)


def neighbours_in_order(
    orders: SceneOrders, layout: ShapeLayout, utilities: NDArray[np.float64], open_to: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the patches by which shapes may grow, as positions in a raveled mask (T, 16).

    Each is the most useful among those of `open_to` (T, 16) that touch a shape or a patch before it. There
    are none where shapes must keep rules.
    """
    if orders.terms.rules != ANY_SHAPE or layout.box is not None:
        return np.zeros(0, dtype=np.intp)
    places = cells_of(orders.columns, *np.divmod(np.arange(utilities.size), PATCHES))
    position = np.zeros(orders.cells_cm2.shape, dtype=np.intp)
    values, free = np.zeros(position.shape), np.zeros(position.shape, dtype=np.bool_)
    position[places], values[places], free[places] = np.arange(utilities.size), utilities.flat, open_to.flat
    cells: list[Cell] = list(zip(layout.rows.tolist(), layout.columns.tolist(), strict=True))
    for cell in cells:
        free[cell] = False
    order = _best_first(cells, values, free)
    return np.array([position[cell] for cell in order], dtype=np.intp)


def _best_first(cells: list[Cell], values: NDArray[np.float64], free: NDArray[np.bool_]) -> Iterator[Cell]:
    """Yield the free cells that cells reach, always the most useful one that touches those before it."""
    reached = {near for cell in cells for near in _beside(cell, free)}
    heap = [(-values[cell], cell) for cell in reached]
    heapify(heap)
    while heap:
        _, cell = heappop(heap)
        yield cell
        for near in _beside(cell, free):
            if near not in reached:
                reached.add(near)
                heappush(heap, (-values[near], near))


def _room(orders: SceneOrders, areas_cm2: Ints) -> Ints:
    """Return how many cells each shape (S,) may gain without being billed more."""
    tariff, cell = tariff_of(orders.terms), int(orders.cells_cm2.max())
    billed = tariff.weights(areas_cm2)
    low, high = np.zeros_like(areas_cm2), np.full_like(areas_cm2, orders.cells_cm2.size)
    while (low < high).any():  # what is billed never falls with the area
        middle = (low + high + 1) // 2
        enough = tariff.weights(areas_cm2 + middle * cell) <= billed
        low, high = np.where(enough, middle, low), np.where(enough, high, middle - 1)
    return low


def _grow(
    layout: ShapeLayout,
    room: Ints,
    values: NDArray[np.float64],
    free: NDArray[np.bool_],
    grown: NDArray[np.bool_],
) -> None:
    """Grow each shape into free cells, and mark them in `grown` and as no longer free."""
    for shape in np.flatnonzero(room).tolist():
        own = layout.owner == shape
        cells: list[Cell] = list(zip(layout.rows[own].tolist(), layout.columns[own].tolist(), strict=True))
        for cell in islice(_best_first(cells, values, free), int(room[shape])):
            free[cell], grown[cell] = False, True


def _beside(cell: Cell, free: NDArray[np.bool_]) -> list[Cell]:
    """Return the free cells that share an edge with a cell."""
    row, column = cell
    around = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    rows, columns = free.shape
    return [one for one in around if 0 <= one[0] < rows and 0 <= one[1] < columns and free[one]]
