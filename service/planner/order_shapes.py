"""From chosen patches to polygons that a provider accepts. Pure geometry on the scene's patch lattice.

The lattice has one cell per patch: a tile at (row, column) of the scene covers 4 x 4 cells, x grows with the
column, y with the row. Vertices are integers, so neighbours meet exactly in every projection.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from models.grid import GRID
from service.planner.arranging import ARRANGEMENTS, NEWEST
from service.planner.scene_orders import SceneOrders, ShapeLayout, scene_orders
from service.planner.tile_orders import BITS, TileOrders, order_choices
from service.pricing.areas import CM2_PER_M2
from service.pricing.billing import PriceTerms

Points = NDArray[np.float64]  # (..., 2), x and y, or longitude and latitude


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One polygon to order: bought patches connected over edges, and perhaps padding."""

    polygon: shapely.Polygon
    """The outline on the lattice, with a vertex at every patch corner along its boundary."""
    patches: int
    """The number of bought patches, without padding."""
    area_m2: float
    """The geodesic area: the sum over its patches; beyond the scene, patches have the mean area."""
    padding_m2: float = 0.0
    """The part of the area that is ordered, and paid, only to keep the price list's rules."""


def lattice_of(selected: NDArray[np.bool_], columns: int) -> NDArray[np.bool_]:
    """Spread (T, 16) choices, tiles row by row, over the lattice: (4 * rows, 4 * columns)."""
    return _spread(selected, columns).astype(np.bool_)


def compile_order(
    selected: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    columns: int,
    terms: PriceTerms,
    arranged: NDArray[np.bool_] | None = None,
    arrangement: int = NEWEST,
) -> tuple[Shape, ...]:
    """Compile the legal shapes of an order: chosen patches (T, 16), areas (T, 16), tiles row by row.

    `arranged` (T, 16) holds the chosen patches and others that their shapes enclose as padding. The
    `arrangement` of a stored plan is that of its bill.
    """
    arranged = selected if arranged is None else arranged
    if terms.by_area:
        return compile_shapes(selected, areas_m2, columns)
    if len(selected) == 1:
        return compile_tile_shapes(selected, areas_m2, terms, arranged)
    layout = ARRANGEMENTS[arrangement](scene_orders(areas_m2, columns, terms), arranged)
    return compile_scene_shapes(selected, areas_m2, columns, terms, layout)


def compile_shapes(
    selected: NDArray[np.bool_], areas_m2: NDArray[np.float64], columns: int
) -> tuple[Shape, ...]:
    """Merge the chosen patches (T, 16) into shapes, in the order of their first patch from the top left."""
    chosen = lattice_of(selected, columns)
    rows, cols = np.nonzero(chosen)
    if not len(rows):
        return ()
    polygons = np.array(merge_cells(cols, rows), dtype=object)
    # A cell's centre lies in exactly one shape: this sums the areas without any overlay.
    centres = shapely.points(cols + 0.5, rows + 0.5)
    cells, owners = shapely.STRtree(polygons).query(centres, predicate="within")
    patch_areas = _spread(areas_m2, columns)[rows, cols]
    counts = np.bincount(owners, minlength=len(polygons))
    totals = np.bincount(owners, weights=patch_areas[cells], minlength=len(polygons))
    first = np.full(len(polygons), len(rows))
    np.minimum.at(first, owners, cells)
    return tuple(
        Shape(polygon=polygons[at], patches=int(counts[at]), area_m2=float(totals[at]))
        for at in np.argsort(first)
    )


def compile_tile_shapes(
    selected: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    arranged: NDArray[np.bool_],
) -> tuple[Shape, ...]:
    """Compile the legal shapes of one tile, padding included: chosen patches (1, 16), areas (1, 16)."""
    orders = order_choices(areas_m2, terms)
    choice, around = (int((1 << np.flatnonzero(mask[0])).sum()) for mask in (selected, arranged))
    return tuple(_tile_shape(orders, shape, choice) for shape in orders.cover.shapes(around))


def compile_scene_shapes(
    selected: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    columns: int,
    terms: PriceTerms,
    layout: ShapeLayout,
) -> tuple[Shape, ...]:
    """Compile the legal shapes of several tiles, padding included: the layout that was billed."""
    orders = scene_orders(areas_m2, columns, terms)
    chosen = lattice_of(selected, columns)
    starts = np.searchsorted(layout.owner, np.arange(len(layout.areas_cm2) + 1))
    return tuple(
        _scene_shape(orders, layout, chosen, number, slice(starts[number], starts[number + 1]))
        for number in range(len(layout.areas_cm2))
    )


def _scene_shape(
    orders: SceneOrders, layout: ShapeLayout, chosen: NDArray[np.bool_], number: int, part: slice
) -> Shape:
    rows, columns = layout.rows[part], layout.columns[part]
    if layout.box is None:
        (polygon,) = merge_cells(columns, rows)
    else:
        top, left, height, width = layout.box
        polygon = shapely.box(left, top, left + width, top + height)
    bought = chosen[rows, columns]
    area = int(layout.areas_cm2[number])
    padding = area - int(orders.cells_cm2[rows[bought], columns[bought]].sum())
    return Shape(
        polygon=_as_counted(polygon, orders.terms),
        patches=int(np.count_nonzero(bought)),
        area_m2=area / CM2_PER_M2,
        padding_m2=padding / CM2_PER_M2,
    )


def _tile_shape(orders: TileOrders, shape: int, choice: int) -> Shape:
    if orders.narrowest > GRID:
        margin = (orders.narrowest - GRID) / 2
        polygon = shapely.box(-margin, -margin, GRID + margin, GRID + margin)
    else:
        patches = np.flatnonzero(BITS[shape])
        (polygon,) = merge_cells(patches // GRID, patches % GRID)
    area, bought = int(orders.areas_cm2[shape]), shape & choice
    padding = area - int(BITS[bought] @ orders.patches_cm2)
    return Shape(
        polygon=_as_counted(polygon, orders.terms),
        patches=bought.bit_count(),
        area_m2=area / CM2_PER_M2,
        padding_m2=padding / CM2_PER_M2,
    )


def _as_counted(polygon: shapely.Polygon, terms: PriceTerms) -> shapely.Polygon:
    """Remove vertices on straight sides if the provider limits their number."""
    if terms.rules.max_vertices is None:
        return polygon
    # simplify() keeps the first point of a ring, so normalize() first makes it a corner.
    return cast(shapely.Polygon, shapely.normalize(polygon).simplify(0))


def merge_cells(columns: NDArray[np.intp], rows: NDArray[np.intp]) -> list[shapely.Polygon]:
    """Merge unit cells that share an edge; every lattice point on a boundary stays a vertex."""
    cells = shapely.box(columns, rows, columns + 1, rows + 1)
    return list(shapely.get_parts(shapely.disjoint_subset_union_all(cells)))


def move(transform: Affine, points: Points) -> Points:
    """Apply an affine transformation to points (..., 2)."""
    linear = np.array([[transform.a, transform.d], [transform.b, transform.e]])
    return np.asarray(points @ linear + (transform.c, transform.f), dtype=np.float64)


def _spread(values: NDArray[np.bool_] | NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    rows = len(values) // columns
    # (row, column, patch column, patch row): patch ids are column-major
    cells = np.asarray(values, dtype=np.float64).reshape(rows, columns, GRID, GRID)
    return cells.transpose(0, 3, 1, 2).reshape(rows * GRID, columns * GRID)
