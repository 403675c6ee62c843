"""The ground that the patches of a scene share with patches of other scenes. Pure geometry.

Patches on one lattice, such as those of two files of the same scene, match exactly. Others share ground by
area, in an equal-area projection around the scene, which treats every meridian and the poles alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import groupby

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.geotiff.ground import FloatArray, to_wgs84
from service.imagery.coverage import MIN_COVER
from service.imagery.tile_grid import TileGrid, apply_affine, to_equal_area

OFF_LATTICE = 1e-3
"""Patch sides by which corners may be off for two grids to have one lattice."""
_LEAST_SHARE = 1e-6  # of a patch; less is a rounding error along a common edge
_SIDE_POINTS = 9  # points per side of a scene that find its centre and extent
_EXTENT_MARGIN = 1.01  # the true extent over that of these points

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class GridPatches:
    """N patches of one grid."""

    grid: TileGrid
    tiles: Ints  # (N,)
    patches: Ints  # (N,)


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedGround:
    """P pairs of a scene's patch and a patch of a source, by the scene's patch and then by source."""

    ours: Ints
    """(P,) positions in the raveled (T, 16) patches of the scene."""
    source: Ints
    """(P,) numbers of the sources."""
    theirs: Ints
    """(P,) numbers of the patches in their source."""
    share: FloatArray
    """(P,) shares of the scene's patch that lie on the source's patch, 0 to 1."""
    covered: FloatArray
    """(T, 16) shares of each patch that all sources cover together."""

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Pairs (P,) that are needed for a whole patch if earlier sources are preferred."""
        before = np.cumsum(self.share) - self.share
        first = np.searchsorted(self.ours, self.ours)  # each pair's first pair of the same patch
        needed: NDArray[np.bool_] = before - before[first] < MIN_COVER
        return needed


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pairs:
    ours: Ints
    source: Ints
    theirs: Ints
    share: FloatArray
    shapes: NDArray[np.object_]  # common ground on the plane; None for exact pairs


_NONE = np.zeros(0, dtype=np.int64)
_NO_PAIRS = _Pairs(
    ours=_NONE, source=_NONE, theirs=_NONE, share=np.zeros(0), shapes=np.zeros(0, dtype=object)
)


def share_ground(grid: TileGrid, wanted: NDArray[np.bool_], sources: Sequence[GridPatches]) -> SharedGround:
    """Find the sources' patches under the `wanted` patches (T, 16) of a grid."""
    found = [_pairs(grid, wanted, number, one) for number, one in enumerate(sources)]
    pairs = _in_order(found) if found else _NO_PAIRS
    return SharedGround(
        ours=pairs.ours,
        source=pairs.source,
        theirs=pairs.theirs,
        share=pairs.share,
        covered=_covered(wanted.size, pairs).reshape(wanted.shape),
    )


def lattice_offset(grid: TileGrid, other: TileGrid) -> tuple[int, int] | None:
    """Return the column and row of a grid's lattice of patches where another grid's lattice begins.

    None when they differ in CRS, patch size or direction, when one lies between the other's lines, and when
    they lie apart: longitudes of 180 and -180 degrees are one place.
    """
    if grid.crs != other.crs:
        return None
    into = ~(grid.transform @ Affine.scale(grid.tile_px / GRID))
    into = into @ other.transform @ Affine.scale(other.tile_px / GRID)
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * (other.columns * GRID, other.rows * GRID)
    placed = apply_affine(into, corners)
    offset, extent = np.rint(placed[0]), np.array([grid.columns, grid.rows]) * GRID
    if not (np.abs(placed - corners - offset) < OFF_LATTICE).all():
        return None
    if ((offset >= extent) | (offset + corners[3] <= 0)).any():
        return None
    return int(offset[0]), int(offset[1])


def near(grid: TileGrid, others: Sequence[TileGrid]) -> list[bool]:
    """Return which of the other grids may share ground with a grid: their circles on the Earth touch."""
    centre, extent = _circles([grid])
    centres, extents = _circles(others)
    angles = np.arccos(np.clip(centres @ centre[0], -1, 1))
    apart = angles > extents + extent[0]  # false, as for near ones, where the circles are undefined
    return [not one for one in apart.tolist()]


def _pairs(grid: TileGrid, wanted: NDArray[np.bool_], number: int, source: GridPatches) -> _Pairs:
    offset = lattice_offset(grid, source.grid)
    if offset is None:
        ours, theirs, share, shapes = _by_ground(grid, wanted, source)
    else:
        ours, theirs = _by_lattice(grid, wanted, source, offset)
        share, shapes = np.ones(len(ours)), np.full(len(ours), None, dtype=object)
    return _Pairs(ours=ours, source=np.full_like(ours, number), theirs=theirs, share=share, shapes=shapes)


def _in_order(found: Sequence[_Pairs]) -> _Pairs:
    joined = {
        field.name: np.concatenate([getattr(one, field.name) for one in found]) for field in fields(_Pairs)
    }
    order = np.lexsort((joined["theirs"], joined["source"], joined["ours"]))
    return _Pairs(**{name: values[order] for name, values in joined.items()})


def _by_lattice(
    grid: TileGrid, wanted: NDArray[np.bool_], source: GridPatches, offset: tuple[int, int]
) -> tuple[Ints, Ints]:
    column = source.tiles % source.grid.columns * GRID + source.patches // GRID + offset[0]
    row = source.tiles // source.grid.columns * GRID + source.patches % GRID + offset[1]
    inside = (column >= 0) & (column < grid.columns * GRID) & (row >= 0) & (row < grid.rows * GRID)
    theirs, column, row = np.flatnonzero(inside), column[inside], row[inside]
    tile, patch = row // GRID * grid.columns + column // GRID, column % GRID * GRID + row % GRID
    ours = tile * PATCHES + patch
    asked = wanted.ravel()[ours]
    return ours[asked], theirs[asked]


def _by_ground(
    grid: TileGrid, wanted: NDArray[np.bool_], source: GridPatches
) -> tuple[Ints, Ints, FloatArray, NDArray[np.object_]]:
    flat, centre = np.flatnonzero(wanted), grid.centre_wgs84()
    mine = _outlines(grid, *np.divmod(flat, PATCHES), centre)
    others = _outlines(source.grid, source.tiles, source.patches, centre)
    ours, theirs = shapely.STRtree(others).query(mine, predicate="intersects")
    shapes = shapely.intersection(mine[ours], others[theirs])
    share = shapely.area(shapes) / shapely.area(mine[ours])
    kept = share > _LEAST_SHARE
    return flat[ours[kept]], theirs[kept], share[kept], shapes[kept]


def _outlines(grid: TileGrid, tiles: Ints, patches: Ints, centre: FloatArray) -> NDArray[np.object_]:
    """Return polygons (N,) on the plane around `centre`, empty where the plane does not reach."""
    rings = to_equal_area(grid.crs, grid.patch_corners(tiles, patches), centre)
    shapes = np.full(len(rings), shapely.Polygon(), dtype=object)
    finite = np.isfinite(rings).all(axis=(1, 2))
    shapes[finite] = shapely.polygons(rings[finite])
    return shapes


def _covered(count: int, pairs: _Pairs) -> FloatArray:
    """Return the share of every patch that its pairs cover together, common ground counted once."""
    if not len(pairs.ours):
        return np.zeros(count)
    total = np.bincount(pairs.ours, pairs.share, count)
    # Patches of one source do not overlap, so the sum over one source is exact.
    keys, place = np.unique(np.stack([pairs.ours, pairs.source]), axis=1, return_inverse=True)
    single = np.zeros(count)
    np.maximum.at(single, keys[0], np.bincount(place.ravel(), pairs.share, keys.shape[1]))
    covered = np.where(single >= MIN_COVER, single, total)
    unsure = (covered >= MIN_COVER) & (single < MIN_COVER)
    numbers = np.flatnonzero(unsure[pairs.ours]).tolist()
    for patch, group in groupby(numbers, key=lambda number: int(pairs.ours[number])):
        part = list(group)
        whole = shapely.area(pairs.shapes[part[0]]) / pairs.share[part[0]]
        covered[patch] = shapely.area(shapely.union_all(pairs.shapes[part])) / whole
    return np.asarray(np.minimum(covered, 1))


def _circles(grids: Sequence[TileGrid]) -> tuple[FloatArray, FloatArray]:
    """Return centres (N, 3) on the unit sphere and radii (N,) in radians of circles around grids."""
    found = [_circle(grid) for grid in grids]
    return np.array([centre for centre, _ in found]).reshape(-1, 3), np.array([radius for _, radius in found])


@lru_cache(maxsize=16_384)
def _circle(grid: TileGrid) -> tuple[FloatArray, float]:
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, _SIDE_POINTS)] * 2), axis=-1).reshape(-1, 2)
    points = apply_affine(grid.transform, steps * (grid.columns, grid.rows) * grid.tile_px)
    lon, lat = np.radians(to_wgs84(grid.crs, points)).T
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    middle = vectors.mean(axis=0)
    centre = middle / np.linalg.norm(middle)
    extent = np.arccos(np.clip(vectors @ centre, -1, 1)).max()
    return centre, float(extent * _EXTENT_MARGIN)
