"""Pixels of a patch from stored patches on the same and on other grids."""

from dataclasses import replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.geotiff.ground import transform_points
from service.imagery.placement import patch_transform
from service.imagery.resampling import StoredPatch, resample_patch
from service.imagery.tile_grid import TileGrid, apply_affine

GRID = TileGrid(
    columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 400_000, 0, -10, 5_800_000), crs="EPSG:32633"
)
SIZE = 16


def painted(grid: TileGrid, tile: int, patch: int, size: int = SIZE) -> StoredPatch:
    """Return a stored patch whose colours are a smooth function of the place on the ground."""
    return StoredPatch(grid=grid, tile=tile, patch=patch, pixels=colours(grid, tile, patch, size))


def colours(grid: TileGrid, tile: int, patch: int, size: int = SIZE) -> NDArray[np.uint8]:
    at = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), axis=-1)
    places = apply_affine(patch_transform(grid, tile, patch, size), at.reshape(-1, 2))
    x, y = transform_points(grid.crs, GRID.crs, places).T
    bands = [(x - 400_000) / 2, (5_800_000 - y) / 2, (x - y + 5_400_000) / 4]
    return np.asarray(np.rint(np.array(bands).clip(0, 255)), np.uint8).reshape(3, size, size)


def worst(found: NDArray[np.uint8], tile: int, patch: int) -> int:
    return int(np.abs(found.astype(int) - colours(GRID, tile, patch).astype(int)).max())


def test_same_lattice_is_copied() -> None:
    stored = painted(GRID, 1, 5)
    assert resample_patch(GRID, 1, 5, SIZE, [stored]) is stored.pixels


def test_crop_on_the_same_lattice_is_copied() -> None:
    crop = replace(GRID, transform=GRID.transform @ Affine.translation(8, 0), columns=1, rows=1)
    stored = painted(crop, 0, 5)
    assert resample_patch(GRID, 1, 5, SIZE, [stored]) is stored.pixels


def test_patches_of_a_shifted_grid_make_the_patch_they_cover() -> None:
    shifted = replace(GRID, transform=GRID.transform @ Affine.translation(1, 1))
    stored = [painted(shifted, 0, patch) for patch in (0, 1, 4, 5)]
    assert worst(resample_patch(GRID, 0, 5, SIZE, stored), 0, 5) <= 1


def test_patches_in_another_crs_make_the_patch_they_cover() -> None:
    corner = transform_points(GRID.crs, "EPSG:3857", np.array([400_000.0, 5_800_000.0]))
    scale = 10 / np.cos(np.radians(52.34))
    other = TileGrid(
        columns=2, rows=2, tile_px=8, crs="EPSG:3857",
        transform=Affine(scale, 0, corner[0] - 30, 0, -scale, corner[1] + 30),
    )  # fmt: skip
    stored = [painted(other, tile, patch) for tile in range(4) for patch in range(16)]
    assert worst(resample_patch(GRID, 0, 5, SIZE, stored), 0, 5) <= 2


def test_finer_pixels_are_averaged() -> None:
    found = resample_patch(GRID, 0, 5, SIZE, [painted(GRID, 0, 5, size=4 * SIZE)])
    assert worst(found, 0, 5) <= 1


def test_earlier_patch_is_preferred() -> None:
    shifted = replace(GRID, transform=GRID.transform @ Affine.translation(0.001, 0))
    dark = replace(painted(shifted, 0, 5), pixels=np.zeros((3, SIZE, SIZE), np.uint8))
    assert resample_patch(GRID, 0, 5, SIZE, [dark, painted(shifted, 0, 5)]).max() == 0


def test_ground_that_no_patch_holds_repeats_the_nearest_pixel() -> None:
    shifted = replace(GRID, transform=GRID.transform @ Affine.translation(0.04, 0))  # 2 % of a patch
    found = resample_patch(GRID, 0, 5, SIZE, [painted(shifted, 0, 5)])
    assert worst(found, 0, 5) <= 1
