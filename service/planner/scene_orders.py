"""Legal shapes around chosen patches of several tiles, and their cost. Pure numpy.

Each tile's patches are covered at the lowest cost within the tile. Shapes that touch are merged where the
result is legal and no dearer. If one rectangle around everything is cheaper still, it is ordered instead.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.money import Money
from service.planner.tile_orders import BITS, TileOrders, order_choices
from service.pricing.areas import CM2_PER_M2, whole_cm2
from service.pricing.billing import PriceTerms, bill, tariff_of
from service.pricing.charge_rules import Bill
from service.pricing.shape_rules import ANY_SHAPE

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SceneOrders:
    """The inputs of a scene's orders. Its lattice has one cell per patch, 4 x 4 cells per tile."""

    terms: PriceTerms
    columns: int
    """Tiles from west to east."""
    cells_cm2: Ints  # (rows, columns) of the lattice
    tile: TileOrders
    """The orders of a tile in which all patches have the area of the scene's smallest patch."""


@dataclass(frozen=True, kw_only=True)
class ShapeLayout:
    """S shapes, and the N cells of the scene that they cover; shapes may overlap."""

    rows: Ints  # (N,)
    columns: Ints  # (N,)
    owner: Ints  # (N,) index of the shape of each cell
    areas_cm2: Ints  # (S,)
    amount: Money
    box: tuple[int, int, int, int] | None = None
    """First row, first column, rows and columns of the only shape, if it reaches beyond the scene."""

    def bill(self, terms: PriceTerms) -> Bill:
        """Bill these shapes."""
        return bill(self.areas_cm2.tolist(), terms)


def scene_orders(areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms) -> SceneOrders:
    """Prepare the orders of a scene: areas (T, 16) in square metres, tiles row by row."""
    areas = whole_cm2(areas_m2)
    cells = np.zeros((len(areas) // columns * GRID, columns * GRID), dtype=np.int64)
    cells[cells_of(columns, *_every(len(areas)))] = areas.ravel()
    return SceneOrders(
        terms=terms, columns=columns, cells_cm2=cells, tile=_tile_orders(int(areas.min()), terms)
    )


def cells_of(columns: int, tiles: NDArray[Any], patches: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the lattice rows and columns of patches (N,) of tiles (N,)."""
    return tiles // columns * GRID + patches % GRID, tiles % columns * GRID + patches // GRID


def arrange_shapes(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Arrange the shapes to order for chosen patches (T, 16). The same patches give the same shapes."""
    if not selected.any():
        none = np.zeros(0, dtype=np.int64)
        return ShapeLayout(
            rows=none, columns=none, owner=none, areas_cm2=none, amount=Money(0, orders.terms.currency)
        )
    around = _around(orders, selected)
    apart = _apart(orders, selected)
    return around if apart is None or around.amount < apart.amount else apart


def covered(orders: SceneOrders, layout: ShapeLayout) -> NDArray[np.bool_]:
    """Return which patches (T, 16) lie in a shape, chosen or not."""
    inside = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    inside[layout.rows, layout.columns] = True
    tiles = orders.cells_cm2.size // PATCHES
    return inside[cells_of(orders.columns, *_every(tiles))].reshape(tiles, PATCHES)


@lru_cache(maxsize=16)
def _tile_orders(patch_cm2: int, terms: PriceTerms) -> TileOrders:
    return order_choices(np.full((1, PATCHES), patch_cm2 / CM2_PER_M2), terms)


def _every(tiles: int) -> tuple[Ints, Ints]:
    return np.divmod(np.arange(tiles * PATCHES), PATCHES)


def _around(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Order one rectangle around everything, which is legal under all rules."""
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
    return ShapeLayout(
        rows=rows + max(top, 0),
        columns=columns + max(left, 0),
        owner=np.zeros(inside.size, dtype=np.int64),
        areas_cm2=areas,
        amount=_amount(areas, orders.terms),
        box=(top, left, height, width) if beyond else None,
    )


def _span(at: Ints, narrowest: int, extent: int) -> tuple[int, int]:
    """Return first cell and length of the shortest legal span around cells; inside the scene if it fits."""
    first, length = int(at.min()), max(int(np.ptp(at)) + 1, narrowest)
    if length > extent:
        return (extent - length) // 2, length
    return min(first, extent - length), length


def _apart(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout | None:
    """Order several shapes; None where the scene itself is too narrow for one."""
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
    return ShapeLayout(
        rows=rows,
        columns=columns,
        owner=owner,
        areas_cm2=areas,
        amount=_amount(areas, orders.terms),
    )


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


def _joined(orders: SceneOrders, rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """Merge shapes that touch or overlap where that is legal and no dearer; return new owners (N,)."""
    count, tariff = int(owner.max()) + 1, tariff_of(orders.terms)
    region = _regions(orders.cells_cm2.shape, rows, columns, owner)
    areas = _sums(owner, orders.cells_cm2[rows, columns], count)
    whole, down, across = _distinct(region[owner], rows, columns)
    together = _sums(whole, orders.cells_cm2[down, across], count)
    apart = _sums(region, tariff.weights(areas), count)
    joined = tariff.weights(together)
    joins = (np.bincount(region, minlength=count) > 1) & (joined <= apart)
    if orders.terms.rules != ANY_SHAPE:
        joins &= joined < apart
        starts = np.searchsorted(whole, np.arange(count + 1))
        for one in np.flatnonzero(joins):
            part = slice(starts[one], starts[one + 1])
            cells = _framed(down[part], across[part])
            joins[one] = orders.terms.rules.admits(cells[None], orders.tile.narrowest)[0]
    return np.where(joins[region], region, np.arange(count))[owner]


def _distinct(owner: Ints, rows: Ints, columns: Ints) -> tuple[Ints, Ints, Ints]:
    """Return owners, rows and columns (N,) sorted and without duplicates."""
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    keys = np.unique((owner * height + rows) * width + columns)
    return keys // (height * width), keys // width % height, keys % width


def _framed(rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Draw cells on the smallest lattice that holds them and an empty frame."""
    mask = np.zeros((np.ptp(rows) + 3, np.ptp(columns) + 3), dtype=np.bool_)
    mask[rows - rows.min() + 1, columns - columns.min() + 1] = True
    return mask


def _regions(shape: tuple[int, ...], rows: Ints, columns: Ints, owner: Ints) -> Ints:
    """Label connected components: each shape gets the lowest index of the shapes it touches or overlaps."""
    owners = np.full(shape, -1)
    owners[rows, columns] = owner
    pairs = [(owner, owners[rows, columns])]
    for one, other in ((owners[1:], owners[:-1]), (owners[:, 1:], owners[:, :-1])):
        both = (one >= 0) & (other >= 0)
        pairs.append((one[both], other[both]))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    region = np.arange(int(owner.max()) + 1)
    # Every pair takes the lower of its two labels until none changes; `lower[lower]` shortens the chains.
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
    """Return exact sums (count,) of values by key."""
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, keys, values)
    return sums


def _amount(areas_cm2: Ints, terms: PriceTerms) -> Money:
    """Price an order of shapes as `billing.bill` does, without its lines."""
    tariff = tariff_of(terms)
    return Money(int(tariff.totals(tariff.weights(areas_cm2).sum(keepdims=True))[0]), terms.currency)
