"""Placement of a delivered image on the patch it was bought for. Only arrays are warped, never the upload."""

from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject

from models.grid import GRID
from service.errors import ConflictError, InvalidInputError
from service.geotiff.ground import FloatArray, offset_m, pixel_steps_m, to_wgs84, transform_points
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid

MIN_COVER = 0.98  # share of the patch's area that valid delivered pixels must cover
MAX_COARSENESS = 2.0  # size of a delivered pixel over that of an ordered pixel
_TOLERANCE = 1.005  # map scale and ground scale differ by up to this factor across a UTM zone
_MARGIN = 4  # extra pixels around the patch, for interpolation at its edge
_EDGE_POINTS = 9  # points per side that locate the patch in another CRS


class PatchMisplacedError(ConflictError):
    """The delivered file does not cover the patch it was delivered for."""

    code = "patch-misplaced"
    title = "The delivered file does not cover this patch"


class PatchTooCoarseError(InvalidInputError):
    """The delivered file is coarser than the patch that was ordered."""

    code = "patch-too-coarse"
    title = "The delivered file is too coarse"


def place_patch(imagery: Imagery, grid: TileGrid, tile: int, patch: int, size: int) -> NDArray[np.uint8]:
    """Return the pixels (3, size, size) of a patch from a delivered image of any CRS, resolution and extent.

    A finer delivery is averaged and a coarser one interpolated (bilinear), both without invalid pixels.
    Raises 409 `patch-misplaced` when valid pixels cover less than 98 % of the patch, and 422
    `patch-too-coarse` when the delivered pixels are more than twice as large as those ordered.
    """
    corners = grid.patch_corners(np.array([tile]), np.array([patch]))[0]
    target = _patch_transform(grid, tile, patch, size)
    coarseness = _check_coarseness(imagery, target, grid.crs, size)
    cut = _cut_around(imagery, grid.crs, _edges(corners))
    rgb, cover = _resample(*cut, imagery.crs, target, grid.crs, size, coarseness)
    share = float((cover >= 0.5).mean())
    if share < MIN_COVER:
        raise _misplaced(imagery, grid.crs, corners, share)
    return rgb


def _patch_transform(grid: TileGrid, tile: int, patch: int, size: int) -> Affine:
    side = grid.tile_px / GRID
    column = tile % grid.columns * grid.tile_px + patch // GRID * side
    row = tile // grid.columns * grid.tile_px + patch % GRID * side
    return grid.transform @ Affine.translation(column, row) @ Affine.scale(side / size)


def _check_coarseness(imagery: Imagery, target: Affine, crs: str, size: int) -> float:
    """Return the size of a delivered pixel over that of an ordered pixel, by the coarser axis."""
    height, width = imagery.valid.shape
    delivered = pixel_steps_m(imagery.transform, imagery.crs, width, height)[:2]
    ordered = pixel_steps_m(target, crs, size, size)[:2]
    ratio = max(delivered) / max(ordered)
    if ratio > MAX_COARSENESS * _TOLERANCE:
        raise PatchTooCoarseError(
            f"The delivered pixels are {max(delivered):.3g} m. This patch was ordered at "
            f"{max(ordered):.3g} m, and pixels may be at most {MAX_COARSENESS:g} times as large. "
            "Deliver the patch at the ordered resolution.",
            delivered_gsd_m=round(max(delivered), 4),
            ordered_gsd_m=round(max(ordered), 4),
        )
    return ratio


def _edges(corners: FloatArray) -> FloatArray:
    """Return points (N, 2) along the closed ring (5, 2), because straight edges bend in another CRS."""
    along = np.linspace(0, 1, _EDGE_POINTS)[:, None]
    sides = [start + (end - start) * along for start, end in pairwise(corners)]
    return np.concatenate(sides)


def _cut_around(imagery: Imagery, crs: str, edges: FloatArray) -> tuple[NDArray[Any], Affine]:
    """Cut the surroundings of the patch: float32 (4, h, w) of colours and validity, and their transform.

    The cut is empty (h or w is 0) when the patch lies outside the image.
    """
    x, y = transform_points(crs, imagery.crs, edges).T
    columns, rows = ~imagery.transform @ (x, y)
    height, width = imagery.valid.shape
    left, right = _span(columns, width)
    top, bottom = _span(rows, height)
    window = (slice(top, bottom), slice(left, right))
    valid = imagery.valid[window].astype(np.float32)
    layers = np.concatenate([imagery.rgb[(slice(None), *window)] * valid, valid[None]])
    return layers, imagery.transform @ Affine.translation(left, top)


def _span(positions: FloatArray, length: int) -> tuple[int, int]:
    if not np.isfinite(positions).all():
        return 0, 0
    first, last = np.floor(positions.min()) - _MARGIN, np.ceil(positions.max()) + _MARGIN
    return int(np.clip(first, 0, length)), int(np.clip(last, 0, length))


def _resample(
    layers: NDArray[Any],
    transform: Affine,
    crs: str,
    target: Affine,
    target_crs: str,
    size: int,
    coarseness: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return colours (3, size, size) and the valid share of each pixel (size, size)."""
    placed = np.zeros((4, size, size), np.float32)
    if layers.size:
        reproject(
            layers,
            placed,
            src_transform=transform,
            src_crs=crs,
            dst_transform=target,
            dst_crs=target_crs,
            resampling=Resampling.average if coarseness < 1 else Resampling.bilinear,
        )
    cover = placed[3]
    colours = placed[:3] / np.where(cover > 0, cover, 1)
    return np.rint(colours).clip(0, 255).astype(np.uint8), cover


def _misplaced(imagery: Imagery, crs: str, corners: FloatArray, share: float) -> PatchMisplacedError:
    height, width = imagery.valid.shape
    delivered = to_wgs84(imagery.crs, np.array(imagery.transform @ (width / 2, height / 2)))
    wanted = to_wgs84(crs, corners[:4].mean(axis=0))
    east, north = offset_m(delivered, wanted)
    return PatchMisplacedError(
        f"Valid pixels of the delivered file cover {share:.1%} of the patch, but {MIN_COVER:.0%} are needed. "
        f"The patch's centre lies {abs(east):.1f} m {'east' if east >= 0 else 'west'} and "
        f"{abs(north):.1f} m {'north' if north >= 0 else 'south'} of the file's.",
        offset_m={"dx": round(east, 2), "dy": round(north, 2)},
        covered=round(share, 4),
    )
