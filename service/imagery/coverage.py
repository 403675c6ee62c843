"""Coverage of bought patches by a delivered image: shares by area, and the points that are still missing.

Each patch is sampled at a lattice of points. A point is covered when the delivered pixel under it holds data,
or when it lies at the patch's side and a neighbour of that pixel holds data: a file may lack one pixel on
each side, because providers clip to whole pixels. Undeclared collars (`mark_collar`) hold no data unless the
low-resolution scene is dark there too.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.geotiff.ground import FloatArray, offset_m, to_wgs84
from service.imagery.lattice import LATTICE, LatticePoints, look_up, sample_patches
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import Indices, TileGrid

MIN_COVER = 0.98
"""Share of a patch's area that must be covered."""

DARK_SCENE = 45
"""Largest colour of an LR pixel that counts as dark ground, such as water."""

COLLAR_AS_DATA = 0.1
"""Share of a patch up to which a collar may be data, such as a shadow at the border of a file."""

_RIM_PX = 1.5  # delivered pixels; a missing pixel reaches this deep where the grids are rotated
_CHUNK = 128  # patches sampled at a time, to bound the memory


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The coverage of N patches."""

    shares: FloatArray  # (N,) of the area, with repeated pixels at the sides
    repeated_px: FloatArray  # (N,) delivered pixels that are missing at most on a side and repeated
    inside: FloatArray  # (N,) share within the file's extent, whether its pixels hold data or not
    collar: FloatArray  # (N,) share under an undeclared collar that does not count as data
    keeps_collar: NDArray[np.bool_]  # (N,) whether the collar counts as data throughout
    lacking: NDArray[np.bool_] = field(repr=False)  # (N, LATTICE, LATTICE) points without data

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whether each patch (N,) is covered well enough to be delivered."""
        return np.asarray(self.shares >= MIN_COVER)


def covered_patches(
    imagery: Imagery,
    grid: TileGrid,
    tiles: Indices,
    patches: Indices,
    scene: NDArray[np.uint8] | None = None,
    *,
    keep_collar: bool = False,
) -> Coverage:
    """Measure how the valid pixels of an image cover N patches, given by `tiles` and `patches` (N,).

    `scene` is the LR pixels (T, 3, tile_px, tile_px) of all tiles, which tell dark ground from a collar;
    `keep_collar` counts every collar as data.
    """
    tiles, patches = np.asarray(tiles, np.int64), np.asarray(patches, np.int64)
    measured = [
        _measure(imagery, grid, tiles[part], patches[part], scene, keep_collar)
        for part in (slice(start, start + _CHUNK) for start in range(0, len(tiles), _CHUNK))
    ]
    shares, repeated, inside, collar, kept, missing = (
        np.concatenate([one[item] for one in measured]) if measured else np.zeros(0) for item in range(6)
    )
    return Coverage(
        shares=shares,
        repeated_px=repeated,
        inside=inside,
        collar=collar,
        keeps_collar=kept.astype(np.bool_),
        lacking=missing.astype(np.bool_),
    )


def offset_to_nearest_m(
    imagery: Imagery, grid: TileGrid, tiles: Indices, patches: Indices
) -> tuple[float, float]:
    """Return the metres east and north from the image's centre to that of the nearest of some patches."""
    height, width = imagery.valid.shape
    start = to_wgs84(imagery.crs, np.array(imagery.transform @ (width / 2, height / 2)))
    centres = to_wgs84(grid.crs, grid.patch_corners(tiles, patches)[:, :4].mean(axis=1))
    offsets = [offset_m(start, centre) for centre in centres]
    return min(offsets, key=lambda one: float(np.hypot(*one)))


def _measure(
    imagery: Imagery,
    grid: TileGrid,
    tiles: Indices,
    patches: Indices,
    scene: NDArray[np.uint8] | None,
    keep_collar: bool,
) -> tuple[NDArray[Any], ...]:
    """Return shares, repeated pixels, shares inside, collar shares, kept collars, and missing points."""
    points = sample_patches(imagery, grid, tiles, patches)
    inside, valid, collar = look_up(imagery, points.columns, points.rows)
    if keep_collar:
        collar[:] = False
    elif scene is not None:
        collar &= ~dark_ground(scene, grid, tiles, patches, LATTICE)
    share = collar.mean(axis=(1, 2))
    drops = np.full(len(tiles), not keep_collar)
    missing, repeated = _missing(imagery, points, valid & ~collar, drops)
    # A dark margin so small may be a shadow: it is data, and the likeness judges it.
    kept = (1 - missing.mean(axis=(1, 2)) < MIN_COVER) & (share > 0) & (share <= COLLAR_AS_DATA)
    if kept.any():
        whole = _missing(imagery, points, valid & ~(collar & ~kept[:, None, None]), drops & ~kept)
        kept &= 1 - whole[0].mean(axis=(1, 2)) >= MIN_COVER  # a part of a patch ends where its collar begins
        missing, repeated = (
            np.where(kept[:, None, None], one, other)
            for one, other in zip(whole, (missing, repeated), strict=True)
        )
    near = points.depth.min(axis=(1, 2))  # from a point to the edge of the ground it stands for
    deepest = np.where(repeated, points.depth + near[:, None, None], 0).max(axis=(1, 2))
    return 1 - missing.mean(axis=(1, 2)), deepest, inside.mean(axis=(1, 2)), share, kept, missing


def _missing(
    imagery: Imagery, points: LatticePoints, has_data: NDArray[np.bool_], drops: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which points (N, LATTICE, LATTICE) are missing, and which are repeated from a neighbour."""
    repeated = ~has_data & (points.depth <= _RIM_PX)
    drops = np.broadcast_to(drops[:, None, None], repeated.shape)[repeated]
    repeated[repeated] = _beside_data(imagery, points.columns[repeated], points.rows[repeated], drops)
    return ~(has_data | repeated), repeated


def dark_ground(
    scene: NDArray[np.uint8], grid: TileGrid, tiles: Indices, patches: Indices, size: int
) -> NDArray[np.bool_]:
    """Say of size x size points (N, size, size) over N patches whether the LR pixel over each is dark."""
    along = (np.arange(size) + 0.5) / size
    row = ((patches % GRID)[:, None] + along) * grid.tile_px / GRID
    column = ((patches // GRID)[:, None] + along) * grid.tile_px / GRID
    at = tiles[:, None, None], row.astype(np.int64)[:, :, None], column.astype(np.int64)[:, None, :]
    return np.asarray(scene.max(axis=1)[at] <= DARK_SCENE)


def _beside_data(
    imagery: Imagery, columns: FloatArray, rows: FloatArray, drops: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Say of each point (P,) whether one of the eight pixels around its own holds data.

    Pixels of the collar hold none where `drops` (P,) is set.
    """
    found = np.zeros(columns.shape, np.bool_)
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            _, valid, collar = look_up(imagery, columns + right, rows + down)
            found |= valid & ~(collar & drops)
    return found
