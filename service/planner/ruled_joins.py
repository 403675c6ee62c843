"""Shapes joined in pairs where rules forbid some shapes: by a path or a rectangle. Pure numpy."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from service.planner.scene_orders import Cells, Ints, SceneOrders, ShapeLayout, layout_of

MOST_SHAPES = 12
"""Number of shapes up to which all pairs are compared."""
MOST_CELLS = 4096
"""Cells of the lattice up to which they are."""


def join_under_rules(orders: SceneOrders, layout: ShapeLayout) -> ShapeLayout:
    """Join pairs of shapes, the largest saving first, as long as a legal shape saves anything."""
    few = 1 < len(layout.areas_cm2) <= MOST_SHAPES and orders.cells_cm2.size <= MOST_CELLS
    if not few or not orders.joining_pays:
        return layout
    shapes = {number: _drawn(orders, layout, number) for number in range(len(layout.areas_cm2))}
    joins = {pair: _cheapest_join(orders, *(shapes[one] for one in pair)) for pair in combinations(shapes, 2)}
    while joins:
        pair = max(joins, key=lambda one: joins[one][0])
        saving, joined = joins[pair]
        if saving <= 0:
            break
        new = max(shapes) + 1
        shapes = {one: cells for one, cells in shapes.items() if one not in pair}
        joins = {one: join for one, join in joins.items() if not set(one) & set(pair)}
        joins |= {(one, new): _cheapest_join(orders, cells, joined) for one, cells in shapes.items()}
        shapes[new] = joined
    owner, rows, columns = np.nonzero(np.stack(list(shapes.values())))
    return layout_of(orders, rows, columns, owner)


def _drawn(orders: SceneOrders, layout: ShapeLayout, number: int) -> Cells:
    cells = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    own = layout.owner == number
    cells[layout.rows[own], layout.columns[own]] = True
    return cells


def _cheapest_join(orders: SceneOrders, one: Cells, other: Cells) -> tuple[int, Cells]:
    """Return the lightest legal shape around two, and the weight that it saves."""
    orders.check()
    options = np.stack(list(_joins(one, other, orders.tile.narrowest)))
    framed = np.pad(options, ((0, 0), (1, 1), (1, 1)))
    legal = orders.terms.rules.admits(framed, orders.tile.narrowest)
    legal[-1] = True  # the rectangle
    weight, options = orders.weight_of, options[legal]
    weights = weight[options.sum(axis=(1, 2))]
    best = int(weights.argmin())
    apart = weight[[one.sum(), other.sum()]].sum()
    return int(apart - weights[best]), options[best]


def _joins(one: Cells, other: Cells, narrowest: int) -> Iterator[Cells]:
    """Yield the union of two shapes with each of two paths between them, and the rectangle around both."""
    union = one | other
    start, end = _closest(np.argwhere(one), np.argwhere(other))
    for corner in ((start[0], end[1]), (end[0], start[1])):
        joined = union.copy()
        for at in (start, end):
            rows, columns = (
                _widths(at[axis], corner[axis], narrowest, joined.shape[axis]) for axis in (0, 1)
            )
            joined[rows, columns] = True
        yield joined
    box = np.zeros_like(union)
    box[np.ix_(*(_between(np.asarray(union.any(axis=axis))) for axis in (1, 0)))] = True
    yield box


def _between(some: Cells) -> Cells:
    """Mark everything from the first to the last of some rows or columns."""
    marked: Cells = np.logical_or.accumulate(some) & np.logical_or.accumulate(some[::-1])[::-1]
    return marked


def _closest(one: Ints, other: Ints) -> tuple[list[int], list[int]]:
    """Return the closest cells of two shapes, by rows and columns between them."""
    distance = np.abs(one[:, None] - other[None]).sum(axis=2)
    first, second = np.unravel_index(int(distance.argmin()), distance.shape)
    return one[first].tolist(), other[second].tolist()


def _widths(first: int, last: int, narrowest: int, extent: int) -> slice:
    """Return the span of a path of the least legal width, inside the lattice."""
    start = min(first, last, extent - narrowest)
    return slice(start, max(max(first, last) + 1, start + narrowest))
