"""The drawing over a scene's picture: grid, patches, order shapes and their padding, or their density. Pure.

A drawing is 1000 units wide. Its height keeps the proportions that the window has on the ground.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
import shapely
from numpy.typing import NDArray

from models.grid import GRID
from service.dashboard.windows import DETAILED_SIDE, Window, around
from service.geotiff.ground import pixel_steps_m
from service.imagery.tile_grid import TileGrid
from service.planner.order_shapes import Shape, lattice_of
from service.plans.arrays import PlanArrays

WIDTH = 1000.0
"""Width of a drawing in its own units."""
CELLS = 32
"""Most cells of a density along the longer side of a window."""
SHADES = 5
"""Number of shades of a density."""
NUMBERED = 55.0
"""Least width of a tile in units for its number to be written."""
FINE = 30.0
"""Width of a patch in units below which outlines are thin."""
PATCH_INSET = 0.07
"""Share of a patch that its outline keeps away from the patch's edge, so that neighbours do not overlap."""

Mask = NDArray[np.bool_]
Place = Callable[[float, float], str]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Patches or shapes of one kind, drawn as one path."""

    kind: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A rectangle that leads somewhere: a tile, or a cell of several tiles."""

    x: float
    y: float
    width: float
    height: float
    title: str
    tile: int | None
    """Number of the tile; None for a cell."""
    window: str
    """Window that it leads to."""
    shade: int = 0
    """Shade of a cell by the share of its patches that are bought, 0 to SHADES."""

    @property
    def is_numbered(self) -> bool:
        """Whether there is room for the number of a tile."""
        return self.tile is not None and self.width >= NUMBERED


@dataclass(frozen=True, kw_only=True)
class ScaleBar:
    """A round length on the ground, and its length in the drawing."""

    label: str
    length: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything that is drawn over the picture of a window."""

    window: Window
    height: float
    grid: str
    layers: Sequence[Layer]
    spots: Sequence[Spot]
    scale: ScaleBar
    is_dense: bool
    """Whether cells with a density are drawn instead of patches."""
    is_fine: bool
    """Whether patches are so small that their outlines are thin."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """The way from the lattice of patches to units of a drawing."""

    window: Window
    across: float
    """Units per patch from west to east."""
    down: float
    """Units per patch from north to south."""
    metre: float
    """Units per metre along rows."""

    @classmethod
    def of(cls, grid: TileGrid, window: Window) -> "Units":
        """Measure a patch on the ground at the middle of the scene."""
        width, height, _ = pixel_steps_m(
            grid.transform, grid.crs, grid.columns * grid.tile_px, grid.rows * grid.tile_px
        )
        across = WIDTH / (window.columns * GRID)
        side_m = width * grid.tile_px / GRID
        return cls(window=window, across=across, down=across * height / width, metre=across / side_m)

    def x(self, column: float) -> float:
        """Return the place of a column of the lattice."""
        return round((column - self.window.left * GRID) * self.across, 2)

    def y(self, row: float) -> float:
        """Return the place of a row of the lattice."""
        return round((row - self.window.top * GRID) * self.down, 2)

    @property
    def height(self) -> float:
        """Height of the drawing."""
        return round(self.window.rows * GRID * self.down, 2)


def draw(grid: TileGrid, arrays: PlanArrays, shapes: Sequence[Shape], window: Window) -> Drawing:
    """Draw a window of a plan: its patches, or where they are too many the share of them that is bought."""
    units = Units.of(grid, window)
    if window.is_detailed:
        layers, spots = _layers(grid, arrays, shapes, units), tuple(_tiles(grid, arrays, units))
    else:
        layers, spots = [], tuple(_cells(grid, arrays, units))
    return Drawing(
        window=window,
        height=units.height,
        grid=_grid_path(units) if window.is_detailed else "",
        layers=layers,
        spots=spots,
        scale=scale_bar(units.metre),
        is_dense=not window.is_detailed,
        is_fine=units.across < FINE,
    )


def scale_bar(units_per_m: float) -> ScaleBar:
    """Return the longest of 1, 2 or 5 times a power of ten that fits into a fifth of the drawing."""
    most_m = WIDTH / 5 / units_per_m
    power = 10.0 ** floor(log10(most_m))
    metres = next(step * power for step in (5, 2, 1) if step * power <= most_m)
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return ScaleBar(label=label, length=round(metres * units_per_m, 2))


def _layers(grid: TileGrid, arrays: PlanArrays, shapes: Sequence[Shape], units: Units) -> list[Layer]:
    """Return the layers of a detailed window, the lowest first; empty ones are left out."""
    bought = arrays.selected
    no_data = np.broadcast_to(~arrays.eligible[:, None], bought.shape)
    kinds = (
        ("no-data", no_data, 0.0),
        ("owned", arrays.owned & ~bought, PATCH_INSET),
        ("ordered", arrays.on_order & ~bought, PATCH_INSET),
        ("filled", bought & arrays.filled, PATCH_INSET),
        ("bought", bought & ~arrays.filled, PATCH_INSET),
    )
    near = [one.polygon for one in shapes if one.polygon.intersects(_outline(units.window))]
    layers = [
        Layer(kind="padding", path=_rings(_padding(near, lattice_of(bought, grid.columns)), units)),
        *(
            Layer(kind=kind, path=_patches(lattice_of(mask, grid.columns), units, inset))
            for kind, mask, inset in kinds
        ),
        Layer(kind="shape", path=_rings(near, units)),
    ]
    return [layer for layer in layers if layer.path]


def _outline(window: Window) -> shapely.Polygon:
    left, top = window.left * GRID, window.top * GRID
    return shapely.box(left, top, left + window.columns * GRID, top + window.rows * GRID)


def _padding(shapes: Iterable[shapely.Polygon], bought: Mask) -> list[shapely.Polygon]:
    """Return the ground in shapes that is ordered only to keep the rules of a price list."""
    parts = list[shapely.Polygon]()
    for shape in shapes:
        left, top, right, bottom = (int(side) for side in shape.bounds)
        rows, columns = np.nonzero(bought[max(top, 0) : bottom + 1, max(left, 0) : right + 1])
        rows, columns = rows + max(top, 0), columns + max(left, 0)
        wanted = shapely.union_all(shapely.box(columns, rows, columns + 1, rows + 1))
        parts += [one for one in shapely.get_parts(shape.difference(wanted)) if one.area > 1e-6]
    return parts


def _patches(lattice: Mask, units: Units, inset: float) -> str:
    window = units.window
    left, top = window.left * GRID, window.top * GRID
    part = lattice[top : top + window.rows * GRID, left : left + window.columns * GRID]
    width, height = (round(side * (1 - 2 * inset), 2) for side in (units.across, units.down))
    return "".join(
        f"M{units.x(left + column + inset)} {units.y(top + row + inset)}h{width}v{height}h-{width}z"
        for row, column in np.argwhere(part).tolist()
    )


def _rings(polygons: Iterable[shapely.Polygon], units: Units) -> str:
    rings = (list(ring.coords)[:-1] for one in polygons for ring in (one.exterior, *one.interiors))
    return "".join("M" + "L".join(f"{units.x(x)} {units.y(y)}" for x, y in ring) + "z" for ring in rings)


def _grid_path(units: Units) -> str:
    window = units.window
    columns = (f"M{units.x((window.left + at) * GRID)} 0V{units.height}" for at in range(window.columns + 1))
    rows = (f"M0 {units.y((window.top + at) * GRID)}H{WIDTH:g}" for at in range(window.rows + 1))
    return "".join((*columns, *rows))


def _tiles(grid: TileGrid, arrays: PlanArrays, units: Units) -> Iterable[Spot]:
    window = units.window
    for row in range(window.top, window.top + window.rows):
        for column in range(window.left, window.left + window.columns):
            tile = row * grid.columns + column
            yield Spot(
                x=units.x(column * GRID),
                y=units.y(row * GRID),
                width=round(GRID * units.across, 2),
                height=round(GRID * units.down, 2),
                title=_tile_title(arrays, tile),
                tile=tile,
                window=window.text,
            )


def _tile_title(arrays: PlanArrays, tile: int) -> str:
    if not arrays.eligible[tile]:
        return f"Tile {tile} has too few valid pixels and is not planned."
    return f"Tile {tile}: {int(arrays.selected[tile].sum())} of 16 patches bought."


def _cells(grid: TileGrid, arrays: PlanArrays, units: Units) -> Iterable[Spot]:
    """Return the cells of a window with the share of their patches that are bought."""
    window = units.window
    side = ceil(max(window.columns, window.rows) / CELLS)
    bought = arrays.selected.sum(axis=1).reshape(grid.rows, grid.columns)
    planned = arrays.eligible.reshape(grid.rows, grid.columns) * arrays.selected.shape[1]
    for top in range(window.top, window.top + window.rows, side):
        for left in range(window.left, window.left + window.columns, side):
            rows = slice(top, min(top + side, window.top + window.rows))
            columns = slice(left, min(left + side, window.left + window.columns))
            counts = (int(each[rows, columns].sum()) for each in (bought, planned))
            yield _cell(grid, units, rows, columns, *counts)


def _cell(grid: TileGrid, units: Units, rows: slice, columns: slice, bought: int, planned: int) -> Spot:
    side = max(rows.stop - rows.start, columns.stop - columns.start, DETAILED_SIDE)
    leads = around(grid, (columns.start + columns.stop) // 2, (rows.start + rows.stop) // 2, side)
    return Spot(
        x=units.x(columns.start * GRID),
        y=units.y(rows.start * GRID),
        width=round((columns.stop - columns.start) * GRID * units.across, 2),
        height=round((rows.stop - rows.start) * GRID * units.down, 2),
        title=f"{bought:,} of {planned:,} patches bought. Zoom in.",
        tile=None,
        window=leads.text,
        shade=0 if not bought else min(SHADES, 1 + int(SHADES * bought / planned)),
    )
