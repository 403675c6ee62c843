"""Shapes found tile by tile, and one rectangle around everything. Pure numpy.

Each tile's patches are covered at the lowest cost within the tile. Shapes that touch are merged where the
result is legal and no dearer. If one rectangle around everything is cheaper still, it is ordered instead.
Plans of versions without a search over the whole scene were billed for these shapes.
"""

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.planner.scene_orders import (
    Ints,
    SceneOrders,
    ShapeLayout,
    cells_of,
    distinct_cells,
    empty_layout,
    layout_of,
    price_of_shapes,
    sums_by_key,
)
from service.planner.tile_orders import BITS
from service.pricing.billing import tariff_of
from service.pricing.shape_rules import ANY_SHAPE


def arrange_by_tile(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Arrange shapes for chosen patches (T, 16), tile by tile or in one rectangle."""
    if not selected.any():
        return empty_layout(orders.terms)
    around = box_around(orders, selected)
    apart = shapes_of_tiles(orders, selected)
    return around if apart is None or around.amount < apart.amount else apart


def box_around(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Order one rectangle around everything, which is legal under all rules."""
    spans = [
        legal_span(int(at.min()), int(np.ptp(at)) + 1, orders.tile.narrowest, extent)
        for at, extent in zip(
            cells_of(orders.columns, *np.nonzero(selected)), orders.cells_cm2.shape, strict=True
        )
    ]
    (top, height), (left, width) = spans
    inside = orders.cells_cm2[max(top, 0) : top + height, max(left, 0) : left + width]
    beyond = height * width - inside.size
    rows, columns = (one.ravel() for one in np.indices(inside.shape))
    area = int(inside.sum()) + beyond * int(orders.cells_cm2.sum()) // orders.cells_cm2.size
    areas = np.array([area])
    return ShapeLayout(
        rows=rows + max(top, 0),
        columns=columns + max(left, 0),
        owner=np.zeros(inside.size, dtype=np.int64),
        areas_cm2=areas,
        amount=price_of_shapes(areas, orders.terms),
        box=(top, left, height, width) if beyond else None,
    )


def legal_span(first: int, length: int, narrowest: int, extent: int) -> tuple[int, int]:
    """Return first cell and length of the shortest legal span around a span; inside the scene if it fits."""
    length = max(length, narrowest)
    if length > extent:
        return (extent - length) // 2, length
    return min(first, extent - length), length


def shapes_of_tiles(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout | None:
    """Order the shapes of each tile, merged; None where the scene itself is too narrow for a shape."""
    narrowest = orders.tile.narrowest
    if narrowest <= GRID:
        rows, columns, owner = _in_tiles(orders, selected)
    elif narrowest <= min(orders.cells_cm2.shape):
        rows, columns, owner = _in_squares(orders, selected)
    else:
        return None
    return layout_of(orders, rows, columns, merge_touching(orders, rows, columns, owner))


def _in_tiles(orders: SceneOrders, selected: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Return rows, columns and owners of the cells of the cheapest shapes inside each tile."""
    left = selected @ (1 << np.arange(PATCHES))
    tiles, shapes = [], []
    while left.any():
        some = np.flatnonzero(left)
        shape = orders.tile.cover.shape[left[some]]
        tiles.append(some)
        shapes.append(shape)
        left[some] &= ~shape
    owner, patches = np.nonzero(BITS[np.concatenate(shapes)])
    return *cells_of(orders.columns, np.concatenate(tiles)[owner], patches), owner


def _in_squares(orders: SceneOrders, selected: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Return the same of squares of the minimum width, for shapes that must be wider than a tile."""
    side = orders.tile.narrowest
    at = np.stack(cells_of(orders.columns, *np.nonzero(selected)), axis=1)
    last = np.array(orders.cells_cm2.shape) - side
    corners = np.unique(np.minimum(at // side * side, last), axis=0)
    cells = corners[:, None] + np.indices((side, side)).reshape(2, -1).T
    return cells[..., 0].ravel(), cells[..., 1].ravel(), np.repeat(np.arange(len(corners)), side**2)


def merge_touching(orders: SceneOrders, rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """Merge shapes that touch or overlap where that is legal and no dearer; return new owners (N,)."""
    count, tariff = int(owner.max()) + 1, tariff_of(orders.terms)
    region = _regions(orders, rows, columns, owner)
    areas = sums_by_key(owner, orders.cells_cm2[rows, columns], count)
    whole, down, across = distinct_cells(region[owner], rows, columns)
    together = sums_by_key(whole, orders.cells_cm2[down, across], count)
    apart = sums_by_key(region, tariff.weights(areas), count)
    joined = tariff.weights(together)
    joins = (np.bincount(region, minlength=count) > 1) & (joined <= apart)
    if orders.terms.rules != ANY_SHAPE:
        joins &= joined < apart
        starts = np.searchsorted(whole, np.arange(count + 1))
        for one in np.flatnonzero(joins):
            orders.check()
            part = slice(starts[one], starts[one + 1])
            cells = _framed(down[part], across[part])
            joins[one] = orders.terms.rules.admits(cells[None], orders.tile.narrowest)[0]
    return np.where(joins[region], region, np.arange(count))[owner]


def _framed(rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Draw cells on the smallest lattice that holds them and an empty frame."""
    mask = np.zeros((np.ptp(rows) + 3, np.ptp(columns) + 3), dtype=np.bool_)
    mask[rows - rows.min() + 1, columns - columns.min() + 1] = True
    return mask


def _regions(orders: SceneOrders, rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """Label connected components: each shape gets the lowest index of the shapes it touches or overlaps."""
    owners = np.full(orders.cells_cm2.shape, -1)
    owners[rows, columns] = owner
    pairs = [(owner, owners[rows, columns])]
    for one, other in ((owners[1:], owners[:-1]), (owners[:, 1:], owners[:, :-1])):
        both = (one >= 0) & (other >= 0)
        pairs.append((one[both], other[both]))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    region = np.arange(int(owner.max()) + 1)
    # Every pair takes the lower of its two labels until none changes; `lower[lower]` shortens the chains.
    while True:
        orders.check()
        lower = region.copy()
        lowest = np.minimum(region[first], region[second])
        np.minimum.at(lower, region[first], lowest)
        np.minimum.at(lower, region[second], lowest)
        lower = lower[lower]
        if (lower == region).all():
            return region
        region = lower
