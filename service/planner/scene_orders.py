"""Legal shapes around chosen patches of several tiles, and what they cost. Pure numpy.

Each tile's patches are covered as cheaply as one tile's can be; shapes that touch become one where that is
legal and no dearer; and where one rectangle around everything is cheaper still, that is ordered.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.planner.by_shape import TileOrders, order_amounts, order_choices, shape_weights
from service.planner.tile_shapes import BITS, is_legal
from service.pricing.billing import ANY_SHAPE, CM2_PER_M2, Bill, Terms, bill, whole_cm2

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SceneOrders:
    """What the orders of a scene depend on. Its lattice counts patches: 4 x 4 of a tile."""

    terms: Terms
    columns: int
    """Tiles from west to east."""
    cells_cm2: Ints  # (rows, columns) of the lattice
    tile: TileOrders
    """The orders of a tile whose patches are all as small as the scene's smallest."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """S shapes, and the N cells of the scene that they cover; shapes may overlap."""

    rows: Ints  # (N,)
    columns: Ints  # (N,)
    owner: Ints  # (N,) numbers of shapes
    areas_cm2: Ints  # (S,)
    amount: int
    """Minor units."""
    box: tuple[int, int, int, int] | None = None
    """First row, first column, rows and columns of the only shape, where it reaches beyond the scene."""

    def bill(self, terms: Terms) -> Bill:
        """The bill of these shapes."""
        return bill(self.areas_cm2.tolist(), terms)


def scene_orders(areas_m2: NDArray[np.float64], columns: int, terms: Terms) -> SceneOrders:
    """Prepare for the orders of a scene: areas (T, 16) in square metres, tiles row by row."""
    areas = whole_cm2(areas_m2)
    cells = np.zeros((len(areas) // columns * GRID, columns * GRID), dtype=np.int64)
    cells[cells_of(columns, *_every(len(areas)))] = areas.ravel()
    return SceneOrders(
        terms=terms, columns=columns, cells_cm2=cells, tile=_tile_orders(int(areas.min()), terms)
    )


def cells_of(columns: int, tiles: NDArray[Any], patches: NDArray[Any]) -> tuple[Ints, Ints]:
    """Rows and columns on the lattice of patches (N,) of tiles (N,)."""
    return tiles // columns * GRID + patches % GRID, tiles % columns * GRID + patches // GRID


def lay_out(orders: SceneOrders, selected: NDArray[np.bool_]) -> Layout:
    """The shapes to order for chosen patches (T, 16): always the same for the same ones."""
    if not selected.any():
        none = np.zeros(0, dtype=np.int64)
        return Layout(rows=none, columns=none, owner=none, areas_cm2=none, amount=0)
    around = _around(orders, selected)
    apart = _apart(orders, selected)
    return around if apart is None or around.amount < apart.amount else apart


def covered(orders: SceneOrders, layout: Layout) -> NDArray[np.bool_]:
    """Which patches (T, 16) lie in a shape, chosen or not."""
    inside = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    inside[layout.rows, layout.columns] = True
    tiles = orders.cells_cm2.size // PATCHES
    return inside[cells_of(orders.columns, *_every(tiles))].reshape(tiles, PATCHES)


@lru_cache(maxsize=16)
def _tile_orders(patch_cm2: int, terms: Terms) -> TileOrders:
    return order_choices(np.full((1, PATCHES), patch_cm2 / CM2_PER_M2), terms)


def _every(tiles: int) -> tuple[Ints, Ints]:
    return np.divmod(np.arange(tiles * PATCHES), PATCHES)


def _around(orders: SceneOrders, selected: NDArray[np.bool_]) -> Layout:
    """One rectangle around everything: legal whatever the rules."""
    spans = [
        _span(at, orders.tile.narrowest, extent)
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
    return Layout(
        rows=rows + max(top, 0),
        columns=columns + max(left, 0),
        owner=np.zeros(inside.size, dtype=np.int64),
        areas_cm2=areas,
        amount=_amount(areas, orders.terms),
        box=(top, left, height, width) if beyond else None,
    )


def _span(at: Ints, narrowest: int, extent: int) -> tuple[int, int]:
    """First cell and length of the least span that holds some; inside the scene where it fits."""
    first, length = int(at.min()), max(int(np.ptp(at)) + 1, narrowest)
    if length > extent:
        return (extent - length) // 2, length
    return min(first, extent - length), length


def _apart(orders: SceneOrders, selected: NDArray[np.bool_]) -> Layout | None:
    """Several shapes; none where the scene itself is too narrow for one."""
    narrowest = orders.tile.narrowest
    if narrowest <= GRID:
        rows, columns, owner = _in_tiles(orders, selected)
    elif narrowest <= min(orders.cells_cm2.shape):
        rows, columns, owner = _in_squares(orders, selected)
    else:
        return None
    owner, rows, columns = _distinct(_joined(orders, rows, columns, owner), rows, columns)
    owner = np.unique(owner, return_inverse=True)[1]
    areas = _sums(owner, orders.cells_cm2[rows, columns], int(owner[-1]) + 1)
    return Layout(
        rows=rows,
        columns=columns,
        owner=owner,
        areas_cm2=areas,
        amount=_amount(areas, orders.terms),
    )


def _in_tiles(orders: SceneOrders, selected: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Rows, columns and owners of the cells of the cheapest shapes inside each tile."""
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
    """As _in_tiles, of squares of the least width, for shapes that must be wider than a tile."""
    side = orders.tile.narrowest
    at = np.stack(cells_of(orders.columns, *np.nonzero(selected)), axis=1)
    last = np.array(orders.cells_cm2.shape) - side
    corners = np.unique(np.minimum(at // side * side, last), axis=0)
    cells = corners[:, None] + np.indices((side, side)).reshape(2, -1).T
    return cells[..., 0].ravel(), cells[..., 1].ravel(), np.repeat(np.arange(len(corners)), side**2)


def _joined(orders: SceneOrders, rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """New owners (N,): shapes that touch or overlap are one where that is legal and no dearer."""
    count = int(owner.max()) + 1
    region = _regions(orders.cells_cm2.shape, rows, columns, owner)
    areas = _sums(owner, orders.cells_cm2[rows, columns], count)
    whole, down, across = _distinct(region[owner], rows, columns)
    together = _sums(whole, orders.cells_cm2[down, across], count)
    apart = _sums(region, shape_weights(areas, orders.terms), count)
    joined = shape_weights(together, orders.terms)
    joins = (np.bincount(region, minlength=count) > 1) & (joined <= apart)
    if orders.terms.rules != ANY_SHAPE:
        joins &= joined < apart
        starts = np.searchsorted(whole, np.arange(count + 1))
        for one in np.flatnonzero(joins):
            part = slice(starts[one], starts[one + 1])
            joins[one] = is_legal(_mask(down[part], across[part]), orders.terms.rules, orders.tile.narrowest)
    return np.where(joins[region], region, np.arange(count))[owner]


def _distinct(owner: Ints, rows: Ints, columns: Ints) -> tuple[Ints, Ints, Ints]:
    """Owners, rows and columns (N,) without what is there twice, sorted."""
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    keys = np.unique((owner * height + rows) * width + columns)
    return keys // (height * width), keys // width % height, keys % width


def _mask(rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Cells on a lattice no larger than they are."""
    mask = np.zeros((np.ptp(rows) + 1, np.ptp(columns) + 1), dtype=np.bool_)
    mask[rows - rows.min(), columns - columns.min()] = True
    return mask


def _regions(shape: tuple[int, ...], rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """Of every shape the lowest number of those it hangs together with, over shared edges or cells."""
    owners = np.full(shape, -1)
    owners[rows, columns] = owner
    pairs = [(owner, owners[rows, columns])]
    for one, other in ((owners[1:], owners[:-1]), (owners[:, 1:], owners[:, :-1])):
        both = (one >= 0) & (other >= 0)
        pairs.append((one[both], other[both]))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    region = np.arange(int(owner.max()) + 1)
    while True:
        lower = region.copy()
        lowest = np.minimum(region[first], region[second])
        np.minimum.at(lower, region[first], lowest)
        np.minimum.at(lower, region[second], lowest)
        lower = lower[lower]
        if (lower == region).all():
            return region
        region = lower


def _sums(keys: Ints, values: Ints, count: int) -> Ints:
    """Exact sums (count,) of values by key."""
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, keys, values)
    return sums


def _amount(areas_cm2: Ints, terms: Terms) -> int:
    """What an order of shapes costs: `billing.bill` without its lines."""
    return int(order_amounts(shape_weights(areas_cm2, terms).sum(keepdims=True), terms)[0])
