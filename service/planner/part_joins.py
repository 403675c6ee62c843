"""Paths of cells that join distant parts into one shape, where any connected shape may be ordered. Pure.

Under a minimum area per shape, or an invoice per shape, one shape with cells that nobody wants can cost less
than several. Pairs of parts are joined greedily, the largest saving first, as in Kruskal's algorithm. The
shortest paths between neighbours come from one distance transform, whose regions meet where paths meet
(Mehlhorn, A faster approximation algorithm for the Steiner problem in graphs, 1988).
"""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from scipy import ndimage

from service.planner.scene_orders import Cells, Ints, SceneOrders

MOST_ROUNDS = 20
TRIED_AT_ONCE = 1_000
"""Joins, or paths, between two calls of the check."""


@dataclass(frozen=True, kw_only=True)
class _Edges:
    """E shortest paths between two parts: `length` cells, by two neighbouring cells where regions meet."""

    parts: Ints  # (E, 2)
    length: Ints  # (E,)
    meeting: Ints  # (E, 2, 2) row and column of both cells


def join_parts(orders: SceneOrders, wanted: Cells, rounds: int = MOST_ROUNDS) -> Cells:
    """Return wanted cells and the paths that join their parts where that lowers the sum of weights.

    After each of the `rounds`, further joins start from the paths too.
    """
    joined = wanted.copy()
    for _ in range(rounds):
        orders.check()
        parts, count = ndimage.label(joined)
        distance, source = ndimage.distance_transform_cdt(~joined, "taxicab", return_indices=True)
        edges = _shortest(parts[tuple(source)], distance)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        used = _cheaper_joins(orders, sizes, edges)
        if not used:
            break
        for number, (row, column) in enumerate(edges.meeting[used].reshape(-1, 2).tolist()):
            if number % TRIED_AT_ONCE == 0:
                orders.check()
            _draw_path(joined, (row, column), (int(source[0, row, column]), int(source[1, row, column])))
    return joined


def _shortest(nearest: Ints, distance: Ints) -> _Edges:
    """Find the shortest path between parts whose regions meet: nearest part and distance of every cell."""
    index = np.arange(nearest.size).reshape(nearest.shape)
    sides = ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]))
    first, second = (np.concatenate([index[side[at]].ravel() for side in sides]) for at in (0, 1))
    near, steps = nearest.ravel(), distance.ravel()
    apart = near[first] != near[second]
    first, second = first[apart], second[apart]
    pair = np.sort(np.stack((near[first], near[second]), axis=1), axis=1)
    length = steps[first] + steps[second]
    order = np.lexsort((first, length, pair[:, 1], pair[:, 0]))
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (pair[order][1:] != pair[order][:-1]).any(axis=1)
    kept = order[fresh]
    cells = np.stack((first[kept], second[kept]), axis=1)
    meeting = np.stack(np.divmod(cells, nearest.shape[1]), axis=2)
    return _Edges(parts=pair[kept].astype(np.int64), length=length[kept].astype(np.int64), meeting=meeting)


def _cheaper_joins(orders: SceneOrders, sizes: Ints, edges: _Edges) -> list[int]:
    """Return the edges to use, greedily by saving; sizes (P + 1,) of parts 1 to P in cells."""
    weight_of = orders.weight_of
    last = len(weight_of) - 1
    one, other = edges.parts.T
    together = np.minimum(sizes[one] + sizes[other] + edges.length, last)
    savings = weight_of[sizes[one]] + weight_of[sizes[other]] - weight_of[together]
    hopeful = np.flatnonzero(savings > 0)
    heap = list(
        zip((-savings[hopeful]).tolist(), edges.length[hopeful].tolist(), hopeful.tolist(), strict=True)
    )
    heapify(heap)
    groups, size, weights = list(range(len(sizes))), sizes.tolist(), weight_of.tolist()
    pairs, used = edges.parts.tolist(), []
    while heap:
        if len(heap) % TRIED_AT_ONCE == 0:
            orders.check()
        promised, length, at = heappop(heap)
        first, second = _root(groups, pairs[at][0]), _root(groups, pairs[at][1])
        whole = min(size[first] + size[second] + length, last)
        saving = weights[size[first]] + weights[size[second]] - weights[whole]
        if first == second or saving <= 0:
            continue
        if -promised > saving:
            heappush(heap, (-saving, length, at))
            continue
        groups[max(first, second)] = min(first, second)
        size[min(first, second)] = whole
        used.append(at)
    return used


def _root(groups: list[int], part: int) -> int:
    while groups[part] != part:
        groups[part] = groups[groups[part]]
        part = groups[part]
    return part


def _draw_path(cells: Cells, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Mark a shortest path, which bends once, at the side that lies nearer to the middle of the lattice."""
    (row, column), (last_row, last_column) = start, end
    rows = slice(min(row, last_row), max(row, last_row) + 1)
    columns = slice(min(column, last_column), max(column, last_column) + 1)
    middle = (cells.shape[0] / 2, cells.shape[1] / 2)
    here = abs(row - middle[0]) + abs(last_column - middle[1])
    there = abs(last_row - middle[0]) + abs(column - middle[1])
    if here <= there:
        cells[row, columns], cells[rows, last_column] = True, True
    else:
        cells[rows, column], cells[last_row, columns] = True, True
