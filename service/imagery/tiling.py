"""The division of a scene into the tiles that a bundle's policy reads."""

from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.geotiff.errors import GeoreferenceError
from service.geotiff.ground import pixel_steps_m
from service.imagery.averaging import average_down, whole
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid, quadrangle_area_m2

FINEST, COARSEST = 0.9, 1.5  # range of GSD over the bundle's LR GSD that is not resampled
_FINEST_M = 1e-3  # metres; smaller pixels are a mistake in the georeference
_MAX_SHEAR_DEGREES = 2.0  # largest deviation from a right angle between rows and columns on the ground
# A pixel counts as cloud when it is bright (about a quarter of full reflectance) and nearly colourless.
_CLOUD_BRIGHT, _CLOUD_SPREAD = 200, 25


class GsdTooCoarseError(InvalidInputError):
    """The raster's pixels are larger than the bundle's low resolution allows."""

    code = "gsd-too-coarse"
    title = "The raster is too coarse"


class AlreadyHighResolutionError(InvalidInputError):
    """The raster is already as fine as the patches that could be bought."""

    code = "already-high-resolution"
    title = "The raster is already high-resolution"


class SceneTooSmallError(InvalidInputError):
    """The raster is smaller than one whole tile."""

    code = "scene-smaller-than-a-tile"
    title = "The scene is smaller than one tile"


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """A scene cut into T tiles, and the size of the rest."""

    grid: TileGrid
    pixels: NDArray[np.uint8] = field(repr=False)  # (T, 3, lr_px, lr_px)
    valid_share: NDArray[np.float32] = field(repr=False)  # (T,) of the tile's area
    cloud_share: NDArray[np.float32] = field(repr=False)  # (T,) share of bright, colourless pixels; snow too
    gsd_m: tuple[float, float]  # the upload's GSD along rows and down columns, at its centre
    edge_px: tuple[int, int]  # LR pixels at the right and at the bottom that fill no tile
    planned_km2: float
    left_out_km2: float


def cut_tiles(imagery: Imagery, lr_px: int, lr_gsd_m: float, hr_gsd_m: float) -> Tiles:
    """Cut imagery into tiles of lr_px x lr_px pixels of lr_gsd_m metres.

    Each axis is treated on its own: pixels finer than 0.9 times lr_gsd_m are averaged down to exactly
    lr_gsd_m on the ground (at the scene's centre); up to 1.5 times they are used as they are. Raises 422
    `gsd-too-coarse`, `already-high-resolution` (not coarser than hr_gsd_m), `scene-smaller-than-a-tile`,
    or `georeference-unusable` for sheared pixels.
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
    if min(x_m, y_m) < _FINEST_M:
        raise GeoreferenceError(
            f"The raster's pixels are {x_m:.3g} x {y_m:.3g} m on the ground, and no image is finer than "
            f"{_FINEST_M:g} m. Its coordinates may be degrees: assign the CRS that they belong to."
        )
    if abs(angle - 90) > _MAX_SHEAR_DEGREES:
        raise GeoreferenceError(
            f"The raster is sheared: rows and columns meet at {angle:.1f} degrees. Reproject it (gdalwarp)."
        )
    pixel = f"{x_m:.3g} x {y_m:.3g} m"
    if max(x_m, y_m) > COARSEST * lr_gsd_m:
        raise GsdTooCoarseError(
            f"The raster's pixels are {pixel} on the ground. This bundle reads {lr_gsd_m:.3g} m and accepts "
            f"at most {COARSEST * lr_gsd_m:.4g} m. Send a finer image.",
            gsd_m=[round(x_m, 4), round(y_m, 4)],
            lr_gsd_m=lr_gsd_m,
        )
    if max(x_m, y_m) <= hr_gsd_m:
        raise AlreadyHighResolutionError(
            f"The raster's pixels are {pixel} on the ground, no coarser than the {hr_gsd_m:.3g} m that can "
            "be bought. There is nothing to buy. Send the free low-resolution image of the same place.",
            gsd_m=[round(x_m, 4), round(y_m, 4)],
            hr_gsd_m=hr_gsd_m,
        )


def _too_small(width_m: float, height_m: float, tile_m: tuple[float, float]) -> SceneTooSmallError:
    return SceneTooSmallError(
        f"The scene is {width_m:.0f} x {height_m:.0f} m, but one tile of this bundle is "
        f"{tile_m[0]:.0f} x {tile_m[1]:.0f} m. Send a larger extent.",
        scene_m=[round(width_m, 1), round(height_m, 1)],
        tile_m=[round(tile_m[0], 1), round(tile_m[1], 1)],
    )


def _stack(image: NDArray[np.uint8], grid: TileGrid) -> NDArray[np.uint8]:
    """Cut an image (3, H, W) into tiles (T, 3, tile_px, tile_px), row by row."""
    side = grid.tile_px
    cut = image[:, : grid.rows * side, : grid.columns * side]
    cells = cut.reshape(3, grid.rows, side, grid.columns, side)
    return np.ascontiguousarray(cells.transpose(1, 3, 0, 2, 4)).reshape(-1, 3, side, side)


def _tile_means(image: NDArray[np.float32], grid: TileGrid) -> NDArray[np.float32]:
    """Return the mean of an image (H, W) in each tile (T,)."""
    side = grid.tile_px
    cut = image[: grid.rows * side, : grid.columns * side]
    means = cut.reshape(grid.rows, side, grid.columns, side).mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(means.ravel(), np.float32)


def _cloud_share(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    darkest, brightest = pixels.min(axis=1), pixels.max(axis=1)
    cloudy = (darkest >= _CLOUD_BRIGHT) & (brightest - darkest <= _CLOUD_SPREAD)
    return np.asarray(cloudy.mean(axis=(1, 2)), np.float32)
