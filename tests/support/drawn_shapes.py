"""Shapes that anyone can draw by hand, and the exact optimum of small scenes, found without the planner."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from service.planner.scene_orders import Cells, Ints, SceneOrders
from service.pricing.billing import tariff_of

FAR = 10**9


def hand_drawn(orders: SceneOrders, wanted: Cells) -> Iterator[Ints]:
    """Yield the areas of rectangles, inside the scene: one per row, per column, per row of tiles, and one."""
    for step in (1, 4, len(wanted)):
        yield _strips(orders, wanted, step, turned=False)
        yield _strips(orders, wanted, step, turned=True)


def _strips(orders: SceneOrders, wanted: Cells, step: int, *, turned: bool) -> Ints:
    side = orders.tile.narrowest
    cells, areas = (wanted.T, orders.cells_cm2.T) if turned else (wanted, orders.cells_cm2)
    found = []
    for top in range(0, len(cells), step):
        rows, columns = np.nonzero(cells[top : top + step])
        if len(rows):
            height, width = (max(side, int(np.ptp(one)) + 1) for one in (rows, columns))
            first, left = top + int(rows.min()), int(columns.min())
            beyond = height > len(cells) or width > cells.shape[1]
            first, left = min(first, len(cells) - height), min(left, cells.shape[1] - width)
            mean = int(areas.sum()) // areas.size
            part = areas[first : first + height, left : left + width]
            found.append(height * width * mean if beyond else int(part.sum()))
    return np.array(found, dtype=np.int64)


def cheapest_connected(orders: SceneOrders, wanted: Cells) -> int:
    """Return the least bill of connected shapes around wanted cells of equal areas, at most ten."""
    cells = [(int(row), int(column)) for row, column in np.argwhere(wanted)]
    least = _smallest_trees(cells, wanted.shape)
    return _cheapest_partition(orders, len(cells), lambda group: least[group])


def cheapest_rectangles(orders: SceneOrders, wanted: Cells) -> int:
    """Return the least bill of rectangles around wanted cells of equal areas, at most ten."""
    cells, side = np.argwhere(wanted), orders.tile.narrowest

    def size(group: int) -> int:
        own = cells[[at for at in range(len(cells)) if group >> at & 1]]
        height, width = np.maximum(np.ptp(own, axis=0) + 1, side).tolist()
        return int(height * width)

    return _cheapest_partition(orders, len(cells), size)


def _cheapest_partition(orders: SceneOrders, count: int, size: Callable[[int], int]) -> int:
    """Compare all partitions of cells into shapes whose least size each set of them determines."""
    tariff, patch = tariff_of(orders.terms), int(orders.cells_cm2[0, 0])
    weight = {
        group: int(tariff.weights(np.array([size(group) * patch]))[0]) for group in range(1, 1 << count)
    }
    best = {0: 0}
    for whole in range(1, 1 << count):
        best[whole], group = FAR**3, whole
        while group:
            if group & whole & -whole:
                best[whole] = min(best[whole], weight[group] + best[whole ^ group])
            group = (group - 1) & whole
    return int(tariff.totals(np.array([best[(1 << count) - 1]]))[0])


def _smallest_trees(cells: list[tuple[int, int]], shape: tuple[int, ...]) -> dict[int, int]:
    """Return the fewest cells that connect each set of cells, by Dreyfus and Wagner's recursion."""
    places = list(product(range(shape[0]), range(shape[1])))
    steps = {one: _distances(one, shape) for one in places}
    tree: dict[tuple[int, tuple[int, int]], int] = {}
    for whole in range(1, 1 << len(cells)):
        if whole & (whole - 1) == 0:
            start = cells[whole.bit_length() - 1]
            tree |= {(whole, place): steps[start][place] + 1 for place in places}
            continue
        halves = [one for one in range(1, whole) if one & whole == one and one & whole & -whole]
        met = {
            place: min(tree[one, place] + tree[whole ^ one, place] - 1 for one in halves) for place in places
        }
        for place in places:
            tree[whole, place] = min(met[there] + steps[there][place] for there in places)
    return {whole: min(tree[whole, place] for place in places) for whole in range(1, 1 << len(cells))}


def _distances(start: tuple[int, int], shape: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Return the steps over edges from a cell to every other."""
    found, edge = {start: 0}, deque([start])
    while edge:
        row, column = edge.popleft()
        for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if 0 <= near[0] < shape[0] and 0 <= near[1] < shape[1] and near not in found:
                found[near] = found[row, column] + 1
                edge.append(near)
    return found
