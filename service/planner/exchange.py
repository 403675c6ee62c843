"""Better patches for the same money: exchanges at the edges of ordered shapes. Pure numpy.

A patch that nothing asks for leaves its shape, and a more useful one beside the shape takes its place, so
that the shape stays connected and as large. The search is greedy.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.planner.scene_orders import Cells, Ints, SceneOrders, ShapeLayout, cells_of_layout
from service.pricing.shape_rules import ANY_SHAPE

MOST_CELLS = 1024
"""Cells of the lattice up to which exchanges are looked for."""
MOST_EXCHANGES = 24
OFFERS = 4
"""Number of the least useful patches that each newcomer may replace."""


def exchanged(
    orders: SceneOrders, layout: ShapeLayout, values: NDArray[np.float64], fixed: Cells, free: Cells
) -> Cells:
    """Return the cells of the shapes after exchanges: `values`, `fixed` and `free` on the lattice.

    Cells that are `fixed` stay; those that are `free` may be taken. There are none where shapes keep rules.
    """
    cells = cells_of_layout(orders, layout)
    if orders.terms.rules != ANY_SHAPE or layout.box is not None or cells.size > MOST_CELLS:
        return cells
    for _ in range(MOST_EXCHANGES):
        orders.check()
        if not _exchange(cells, values, fixed, free):
            break
    return cells


def _exchange(cells: Cells, values: NDArray[np.float64], fixed: Cells, free: Cells) -> bool:
    """Carry out the first exchange that gains anything, the most useful newcomers first."""
    shapes = ndimage.label(cells)[0]
    for row, column in _beside(shapes, free & ~cells & (values > 0), values):
        touched = _touched(shapes, row, column)
        if len(touched) != 1:  # it would join two shapes
            continue
        shape = shapes == touched.pop()
        leaving = np.argwhere(shape & ~fixed & (values < values[row, column]))
        order = np.argsort(values[tuple(leaving.T)], kind="stable")[:OFFERS]
        for out in leaving[order].tolist():
            shape[out[0], out[1]], shape[row, column] = False, True
            if ndimage.label(shape)[1] == 1:
                cells[out[0], out[1]], cells[row, column] = False, True
                return True
            shape[out[0], out[1]], shape[row, column] = True, False
    return False


def _beside(shapes: Ints, open_to: Cells, values: NDArray[np.float64]) -> list[list[int]]:
    """Return the open cells that touch a shape, most useful first."""
    near = np.argwhere(ndimage.binary_dilation(shapes > 0) & open_to)
    found: list[list[int]] = near[np.argsort(-values[tuple(near.T)], kind="stable")].tolist()
    return found


def _touched(shapes: Ints, row: int, column: int) -> set[int]:
    """Return the shapes that share an edge with a cell."""
    framed = shapes[max(row - 1, 0) : row + 2, column], shapes[row, max(column - 1, 0) : column + 2]
    return {int(one) for side in framed for one in side} - {0}
