"""The cheapest shapes around a few parts of a scene, found exactly where any connected shape is legal. Pure.

The fewest cells that connect each set of parts are a Steiner tree of the lattice, found by dynamic
programming over the sets (Dreyfus and Wagner, The Steiner problem in graphs, 1971). A second one over the
same sets finds the partition into shapes of the least weight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.planner.scene_orders import Cells, Ints, SceneOrders

MOST_PARTS = 9
MOST_STEPS = 4_000_000
"""Limit of 3 ** parts times cells; some hundredths of a second."""
_UNREACHED = 1 << 20
_MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, kw_only=True)
class _Trees:
    """The smallest trees of all sets of K parts: a set is a number of K bits."""

    extra: NDArray[np.int32]
    """(2 ** K, rows, columns): cells outside the parts of a set that connect it and this cell."""
    origin: NDArray[np.int16]
    """The same shape: the tree continues in this direction (-1 to -4), or is two trees: this set and the
    rest of its set; 0 where it starts."""
    inside: NDArray[np.int16]  # (rows, columns): bit of the part of each cell, 0 outside all


def cheapest_parts(orders: SceneOrders, wanted: Cells) -> Cells | None:
    """Return the cells of the cheapest shapes around wanted cells; None where there are too many parts."""
    rows, columns = np.nonzero(wanted)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    parts, count = ndimage.label(wanted[box])
    if count > MOST_PARTS or 3**count * parts.size > MOST_STEPS:
        return None
    trees = _grow_trees(parts, count)
    least = trees.extra.reshape(1 << count, -1).min(axis=1)
    sizes = _bits(count) @ np.bincount(parts.ravel(), minlength=count + 1)[1:]
    cells = wanted.copy()
    for group in _partition(orders.weight_of[np.minimum(sizes + least, len(orders.weight_of) - 1)], count):
        _draw_tree(cells[box], trees, group)
    return cells


def _bits(count: int) -> Ints:
    return (np.arange(1 << count)[:, None] >> np.arange(count)) & 1


def _grow_trees(parts: Ints, count: int) -> _Trees:
    """Find the smallest trees, from sets of one part to the set of all `count` parts."""
    inside = np.where(parts > 0, 1 << np.maximum(parts - 1, 0), 0).astype(np.int16)
    extra = np.full((1 << count, *parts.shape), _UNREACHED, dtype=np.int32)
    origin = np.zeros(extra.shape, dtype=np.int16)
    free = (np.arange(1 << count, dtype=np.int16)[:, None, None] & inside) > 0
    paid = (~free).astype(np.int32)  # a cell of a set's own parts costs nothing more
    size = _bits(count).sum(axis=1)
    for number in range(1, count + 1):
        layer = np.flatnonzero(size == number)
        for one in layer.tolist():
            _combine(extra, origin, paid, one)
        grown, course = extra[layer], origin[layer]
        _spread_trees(grown, course, paid[layer])
        extra[layer], origin[layer] = grown, course
    return _Trees(extra=extra, origin=origin, inside=inside)


def _combine(
    extra: NDArray[np.int32], origin: NDArray[np.int16], paid: NDArray[np.int32], whole: int
) -> None:
    """Combine two trees that meet in a cell to the tree of a set; a single part is its own tree."""
    lowest = whole & -whole
    if whole == lowest:
        extra[whole][paid[whole] == 0] = 0
        return
    halves = np.array([one for one in _subsets(whole) if one & lowest and one != whole])
    # The meeting cell is in both trees: count it once, and not at all if it lies in a part of the set.
    beyond = extra[halves] - paid[halves] + extra[whole ^ halves] - paid[whole ^ halves]
    best = beyond.argmin(axis=0)
    extra[whole] = np.take_along_axis(beyond, best[None], axis=0)[0] + paid[whole]
    origin[whole] = halves[best]


def _subsets(whole: int) -> list[int]:
    found, one = [], whole
    while one:
        found.append(one)
        one = (one - 1) & whole
    return found


def _spread_trees(extra: NDArray[np.int32], origin: NDArray[np.int16], paid: NDArray[np.int32]) -> None:
    """Lengthen trees (N, rows, columns) cell by cell until none becomes smaller."""
    while True:
        changed = False
        for number, (down, across) in enumerate(_MOVES, start=1):
            here, there = _shifted(down, across)
            longer = extra[there] + paid[here]
            better = longer < extra[here]
            if better.any():
                changed = True
                extra[here] = np.where(better, longer, extra[here])
                origin[here] = np.where(better, -number, origin[here])
        if not changed:
            return


def _shifted(down: int, across: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return slices of all cells that have a neighbour in a direction, and of those neighbours."""
    spans = {0: (slice(None), slice(None)), 1: (slice(None, -1), slice(1, None))}
    spans[-1] = spans[1][::-1]
    rows, columns = spans[down], spans[across]
    return (np.s_[:], rows[0], columns[0]), (np.s_[:], rows[1], columns[1])


def _partition(weights: Ints, count: int) -> list[int]:
    """Split all parts into the sets (numbers of `count` bits) of the least total weight."""
    total, first = np.zeros(1 << count, dtype=np.int64), np.zeros(1 << count, dtype=np.int64)
    for whole in range(1, 1 << count):
        lowest = whole & -whole
        sets = np.array([one | lowest for one in [0, *_subsets(whole ^ lowest)]])
        sums = weights[sets] + total[whole ^ sets]
        best = int(sums.argmin())
        total[whole], first[whole] = sums[best], sets[best]
    groups, left = [], (1 << count) - 1
    while left:
        groups.append(int(first[left]))
        left ^= groups[-1]
    return groups


def _draw_tree(cells: Cells, trees: _Trees, group: int) -> None:
    """Mark the cells of the smallest tree of a set of parts."""
    start = np.unravel_index(int(trees.extra[group].argmin()), cells.shape)
    pending = [(group, int(start[0]), int(start[1]))]
    while pending:
        whole, row, column = pending.pop()
        cells[row, column] = True
        origin = int(trees.origin[whole, row, column])
        if origin < 0:
            down, across = _MOVES[-origin - 1]
            pending.append((whole, row + down, column + across))
        elif origin > 0:
            pending += [(origin, row, column), (whole ^ origin, row, column)]
