"""A scene of several tiles as a lattice of patches, and shapes on it with their bill. Pure numpy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.money import Money
from service.planner.tile_orders import TileOrders, order_choices
from service.pricing.areas import CM2_PER_M2, whole_cm2
from service.pricing.billing import PriceTerms, bill, tariff_of
from service.pricing.charge_rules import Bill

Ints = NDArray[np.int64]
Cells = NDArray[np.bool_]
"""A set of cells (rows, columns) of a scene's lattice."""
Check = Callable[[], None]
"""A function that raises when the caller no longer wants a plan."""


@dataclass(frozen=True, kw_only=True)
class SceneOrders:
    """The inputs of a scene's orders. Its lattice has one cell per patch, 4 x 4 cells per tile."""

    terms: PriceTerms
    columns: int
    """Tiles from west to east."""
    cells_cm2: Ints  # (rows, columns) of the lattice
    tile: TileOrders
    """The orders of a tile in which all patches have the area of the scene's smallest patch."""
    check: Check = field(default=lambda: None, repr=False, compare=False)
    """Called between the steps of every search for shapes; it raises to end the search."""

    @property
    def tiles(self) -> int:
        """The number of tiles."""
        return self.cells_cm2.size // PATCHES

    @cached_property
    def weight_of(self) -> Ints:
        """The weight of a shape by its number of cells, 0 to all of the lattice, if all are equally large."""
        mean = round(self.cells_cm2.mean())
        return tariff_of(self.terms).weights(np.arange(self.cells_cm2.size + 1) * mean)

    @cached_property
    def joining_pays(self) -> bool:
        """Whether one shape of twice the size ever weighs less than two shapes."""
        single = self.weight_of[1 : (len(self.weight_of) + 1) // 2]
        return bool((self.weight_of[2::2][: len(single)] < 2 * single - 1).any())

    @cached_property
    def splitting_pays(self) -> bool:
        """Whether two shapes ever weigh less than one of twice the size, not counting rounding."""
        single = self.weight_of[1 : (len(self.weight_of) + 1) // 2]
        return bool((self.weight_of[2::2][: len(single)] > 2 * single + 1).any())


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


def scene_orders(
    areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms, check: Check = lambda: None
) -> SceneOrders:
    """Prepare the orders of a scene: areas (T, 16) in square metres, tiles row by row."""
    areas = whole_cm2(areas_m2)
    cells = np.zeros((len(areas) // columns * GRID, columns * GRID), dtype=np.int64)
    cells[cells_of(columns, *_every(len(areas)))] = areas.ravel()
    tile = _tile_orders(int(areas.min()), terms)
    return SceneOrders(terms=terms, columns=columns, cells_cm2=cells, tile=tile, check=check)


def cells_of(columns: int, tiles: NDArray[Any], patches: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the lattice rows and columns of patches (N,) of tiles (N,)."""
    return tiles // columns * GRID + patches % GRID, tiles % columns * GRID + patches // GRID


def on_lattice(orders: SceneOrders, selected: NDArray[np.bool_]) -> Cells:
    """Return chosen patches (T, 16) as cells of the lattice."""
    cells = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    cells[cells_of(orders.columns, *np.nonzero(selected))] = True
    return cells


def covered(orders: SceneOrders, layout: ShapeLayout) -> NDArray[np.bool_]:
    """Return which patches (T, 16) lie in a shape, chosen or not."""
    return covered_patches(orders, cells_of_layout(orders, layout))


def cells_of_layout(orders: SceneOrders, layout: ShapeLayout) -> Cells:
    """Return the cells of the lattice that lie in a shape."""
    inside = np.zeros(orders.cells_cm2.shape, dtype=np.bool_)
    inside[layout.rows, layout.columns] = True
    return inside


def covered_patches(orders: SceneOrders, cells: Cells) -> NDArray[np.bool_]:
    """Return cells of the lattice as patches (T, 16)."""
    return cells[cells_of(orders.columns, *_every(orders.tiles))].reshape(orders.tiles, PATCHES)


def lattice_values(orders: SceneOrders, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of patches (T, 16) on the lattice."""
    found = np.zeros(orders.cells_cm2.shape)
    found[cells_of(orders.columns, *_every(orders.tiles))] = values.ravel()
    return found


def empty_layout(terms: PriceTerms) -> ShapeLayout:
    """Return the layout of an order of nothing."""
    none = np.zeros(0, dtype=np.int64)
    return ShapeLayout(rows=none, columns=none, owner=none, areas_cm2=none, amount=Money(0, terms.currency))


def layout_of(orders: SceneOrders, rows: Ints, columns: Ints, owner: Ints) -> ShapeLayout:
    """Bill shapes that are given as cells (N,) with the shape of each; owners need not be consecutive."""
    orders.check()
    owner, rows, columns = distinct_cells(owner, rows, columns)
    owner = np.unique(owner, return_inverse=True)[1]
    areas = sums_by_key(owner, orders.cells_cm2[rows, columns], int(owner[-1]) + 1)
    return ShapeLayout(
        rows=rows,
        columns=columns,
        owner=owner,
        areas_cm2=areas,
        amount=price_of_shapes(areas, orders.terms),
    )


def distinct_cells(owner: Ints, rows: Ints, columns: Ints) -> tuple[Ints, Ints, Ints]:
    """Return owners, rows and columns (N,) sorted and without duplicates."""
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    keys = np.unique((owner * height + rows) * width + columns)
    return keys // (height * width), keys // width % height, keys % width


def sums_by_key(keys: Ints, values: Ints, count: int) -> Ints:
    """Return exact sums (count,) of values by key."""
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, keys, values)
    return sums


def price_of_shapes(areas_cm2: Ints, terms: PriceTerms) -> Money:
    """Price an order of shapes as `billing.bill` does, without its lines."""
    tariff = tariff_of(terms)
    return Money(int(tariff.totals(tariff.weights(areas_cm2).sum(keepdims=True))[0]), terms.currency)


@lru_cache(maxsize=16)
def _tile_orders(patch_cm2: int, terms: PriceTerms) -> TileOrders:
    return order_choices(np.full((1, PATCHES), patch_cm2 / CM2_PER_M2), terms)


def _every(tiles: int) -> tuple[Ints, Ints]:
    return np.divmod(np.arange(tiles * PATCHES), PATCHES)
