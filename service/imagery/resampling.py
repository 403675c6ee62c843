"""Pixels of a patch taken from stored patches of the same ground, on whatever grids they were delivered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from models.grid import GRID
from service.geotiff.ground import FloatArray, transform_points
from service.imagery.overlap import lattice_offset
from service.imagery.placement import patch_transform
from service.imagery.tile_grid import TileGrid, apply_affine

_MOST_SAMPLES = 4  # per pixel and axis, where stored pixels are finer


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredPatch:
    """A delivered patch as it is kept: pixels uint8 (3, s, s) over one patch of a grid."""

    grid: TileGrid
    tile: int
    patch: int
    pixels: NDArray[np.uint8]

    @property
    def to_pixels(self) -> Affine:
        """The transform from the grid's CRS to (column, row) of the pixels."""
        affine: Affine = ~patch_transform(self.grid, self.tile, self.patch, self.pixels.shape[-1])
        return affine


def resample_patch(
    grid: TileGrid, tile: int, patch: int, size: int, stored: Sequence[StoredPatch]
) -> NDArray[np.uint8]:
    """Return the pixels (3, size, size) of a patch from one or more stored patches that cover it.

    Pixels on the same lattice are copied. Others are interpolated (bilinear) at each pixel's centre, or
    averaged over several points where the stored pixels are finer. Earlier patches are preferred; points
    that none holds, at most 2 % of the patch, repeat the nearest pixel.
    """
    for one in stored:
        if one.pixels.shape[-1] == size and _is_same(grid, tile, patch, one):
            return one.pixels
    samples = _samples(grid, tile, patch, size, stored[0])
    points = _points(patch_transform(grid, tile, patch, size), size, samples)
    fine = _look_up(points, grid.crs, stored)
    side = size * samples
    colours = fine.reshape(3, side // samples, samples, side // samples, samples).mean(axis=(2, 4))
    return np.asarray(np.rint(colours).clip(0, 255), np.uint8)


def _is_same(grid: TileGrid, tile: int, patch: int, one: StoredPatch) -> bool:
    offset = lattice_offset(grid, one.grid)
    return offset is not None and _cell(grid, tile, patch) == tuple(
        at + by for at, by in zip(_cell(one.grid, one.tile, one.patch), offset, strict=True)
    )


def _cell(grid: TileGrid, tile: int, patch: int) -> tuple[int, int]:
    """Return column and row of a patch on its grid's lattice."""
    return tile % grid.columns * GRID + patch // GRID, tile // grid.columns * GRID + patch % GRID


def _samples(grid: TileGrid, tile: int, patch: int, size: int, stored: StoredPatch) -> int:
    """Return the points per pixel and axis at which stored pixels are read."""
    centre = patch_transform(grid, tile, patch, size) @ Affine.translation(size / 2, size / 2)
    corners = apply_affine(centre, np.array([(0, 0), (1, 0), (0, 1)]))
    placed = apply_affine(stored.to_pixels, transform_points(grid.crs, stored.grid.crs, corners))
    step = float(np.linalg.norm(placed[1:] - placed[0], axis=1).max())
    return min(max(math.ceil(step - 0.05), 1), _MOST_SAMPLES) if math.isfinite(step) else 1


def _points(transform: Affine, size: int, samples: int) -> FloatArray:
    """Return points (N, 2) of the pixels row by row, `samples` a pixel and axis, in the grid's CRS."""
    at = (np.arange(size * samples) + 0.5) / samples
    return apply_affine(transform, np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2))


def _look_up(points: FloatArray, crs: str, stored: Sequence[StoredPatch]) -> FloatArray:
    """Return colours (3, N) at points of a CRS; each comes from the first patch that holds it."""
    colours, nearest = np.zeros((3, len(points))), np.full(len(points), np.inf)
    for one in stored:
        side = one.pixels.shape[-1]
        placed = apply_affine(one.to_pixels, transform_points(crs, one.grid.crs, points))
        beyond = np.abs(placed - placed.clip(0, side)).max(axis=1)
        better = np.isfinite(beyond) & (beyond < nearest)
        nearest[better] = beyond[better]
        colours[:, better] = _bilinear(one.pixels, placed[better])
    return colours


def _bilinear(pixels: NDArray[np.uint8], placed: FloatArray) -> FloatArray:
    """Interpolate pixels (3, s, s) at (column, row) positions (N, 2) between their centres; edges repeat."""
    side = pixels.shape[-1]
    at = (placed - 0.5).clip(0, side - 1)
    low = np.minimum(at.astype(np.int64), max(side - 2, 0))
    high = np.minimum(low + 1, side - 1)
    (x, y), (left, top), (right, bottom) = (at - low).T, low.T, high.T
    upper = pixels[:, top, left] * (1 - x) + pixels[:, top, right] * x
    lower = pixels[:, bottom, left] * (1 - x) + pixels[:, bottom, right] * x
    return np.asarray(upper * (1 - y) + lower * y)
