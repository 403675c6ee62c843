"""Cut a scene into the tiles that a bundle's policy reads."""

from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.geotiff.errors import (
    AlreadyHighResolutionError,
    GeoreferenceError,
    GsdTooCoarseError,
    SceneTooSmallError,
)
from service.geotiff.ground import pixel_steps_m
from service.imagery.averaging import average_down, whole
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid, quadrangle_area_m2

FINEST, COARSEST = 0.9, 1.5  # of the bundle's LR GSD: what is used as it is
_SQUARE_DEGREES = 2.0  # how far from a right angle rows and columns may be on the ground
# A pixel counts as cloud when it is bright (about a quarter of full reflectance) and nearly colourless.
_CLOUD_BRIGHT, _CLOUD_SPREAD = 200, 25


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """A scene cut into T tiles, and what was left out."""

    grid: TileGrid
    pixels: NDArray[np.uint8] = field(repr=False)  # (T, 3, lr_px, lr_px)
    valid_share: NDArray[np.float32] = field(repr=False)  # (T,) of the tile's area
    cloud_share: NDArray[np.float32] = field(repr=False)  # (T,) a hint: bright, colourless; snow counts too
    gsd_m: tuple[float, float]  # of the upload, along rows and down columns, at its centre
    edge_px: tuple[int, int]  # LR pixels at the right and at the bottom that fill no tile
    planned_km2: float
    left_out_km2: float


def cut_tiles(imagery: Imagery, lr_px: int, lr_gsd_m: float, hr_gsd_m: float) -> Tiles:
    """Cut imagery into tiles of lr_px x lr_px pixels of lr_gsd_m metres.

    Each axis on its own: finer than 0.9 times lr_gsd_m is averaged down to exactly lr_gsd_m on the
    ground (at the scene's centre), up to 1.5 times is used as it is. Raises 422 `gsd-too-coarse`,
    `already-high-resolution` (not coarser than hr_gsd_m), `scene-smaller-than-a-tile`, or
    `georeference-unusable` for sheared pixels.
    """
    height, width = imagery.valid.shape
    x_m, y_m, angle = pixel_steps_m(imagery.transform, imagery.crs, width, height)
    _check_resolution(x_m, y_m, angle, lr_gsd_m, hr_gsd_m)
    factors = _factor(x_m, lr_gsd_m), _factor(y_m, lr_gsd_m)
    across, down = whole(width, factors[0]), whole(height, factors[1])
    if across < lr_px or down < lr_px:
        raise _too_small(width * x_m, height * y_m, (lr_px * x_m * factors[0], lr_px * y_m * factors[1]))
    rgb, share = average_down(imagery.rgb, imagery.valid, factors)
    grid = TileGrid(
        columns=across // lr_px,
        rows=down // lr_px,
        tile_px=lr_px,
        transform=imagery.transform @ Affine.scale(*factors),
        crs=imagery.crs,
    )
    pixels = _stack(rgb, grid)
    planned = float(grid.patch_areas_m2().sum()) / 1e6
    total = quadrangle_area_m2(imagery.transform, imagery.crs, width, height) / 1e6
    return Tiles(
        grid=grid,
        pixels=pixels,
        valid_share=_tile_means(share, grid),
        cloud_share=_cloud_share(pixels),
        gsd_m=(x_m, y_m),
        edge_px=(across - grid.columns * lr_px, down - grid.rows * lr_px),
        planned_km2=planned,
        left_out_km2=max(total - planned, 0.0),
    )


def _factor(gsd_m: float, lr_gsd_m: float) -> float:
    return lr_gsd_m / gsd_m if gsd_m < FINEST * lr_gsd_m else 1.0


def _check_resolution(x_m: float, y_m: float, angle: float, lr_gsd_m: float, hr_gsd_m: float) -> None:
    if abs(angle - 90) > _SQUARE_DEGREES:
        raise GeoreferenceError(
            f"The raster is sheared: rows and columns meet at {angle:.1f} degrees. Reproject it (gdalwarp)."
        )
    pixel = f"{x_m:.3g} x {y_m:.3g} m"
    if max(x_m, y_m) > COARSEST * lr_gsd_m:
        raise GsdTooCoarseError(
            f"The raster's pixels are {pixel} on the ground; this bundle reads {lr_gsd_m:.3g} m and takes "
            f"at most {COARSEST * lr_gsd_m:.4g} m.",
            gsd_m=[round(x_m, 4), round(y_m, 4)],
            lr_gsd_m=lr_gsd_m,
        )
    if max(x_m, y_m) <= hr_gsd_m:
        raise AlreadyHighResolutionError(
            f"The raster's pixels are {pixel} on the ground, no coarser than the {hr_gsd_m:.3g} m that "
            "would be bought: there is nothing to buy. Send the free low-resolution image of the same place.",
            gsd_m=[round(x_m, 4), round(y_m, 4)],
            hr_gsd_m=hr_gsd_m,
        )


def _too_small(width_m: float, height_m: float, tile_m: tuple[float, float]) -> SceneTooSmallError:
    return SceneTooSmallError(
        f"The scene is {width_m:.0f} x {height_m:.0f} m; one tile of this bundle takes "
        f"{tile_m[0]:.0f} x {tile_m[1]:.0f} m. Send a larger extent.",
        scene_m=[round(width_m, 1), round(height_m, 1)],
        tile_m=[round(tile_m[0], 1), round(tile_m[1], 1)],
    )


def _stack(image: NDArray[np.uint8], grid: TileGrid) -> NDArray[np.uint8]:
    """(3, H, W) -> (T, 3, tile_px, tile_px), row-major tiles."""
    side = grid.tile_px
    cut = image[:, : grid.rows * side, : grid.columns * side]
    cells = cut.reshape(3, grid.rows, side, grid.columns, side)
    return np.ascontiguousarray(cells.transpose(1, 3, 0, 2, 4)).reshape(-1, 3, side, side)


def _tile_means(image: NDArray[np.float32], grid: TileGrid) -> NDArray[np.float32]:
    """(H, W) -> the mean of each tile (T,)."""
    side = grid.tile_px
    cut = image[: grid.rows * side, : grid.columns * side]
    means = cut.reshape(grid.rows, side, grid.columns, side).mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(means.ravel(), np.float32)


def _cloud_share(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    darkest, brightest = pixels.min(axis=1), pixels.max(axis=1)
    cloudy = (darkest >= _CLOUD_BRIGHT) & (brightest - darkest <= _CLOUD_SPREAD)
    return np.asarray(cloudy.mean(axis=(1, 2)), np.float32)
