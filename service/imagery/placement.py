"""Placement of a delivered image on the patch it was bought for. Only arrays are warped, never the upload."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

from models.grid import GRID
from service.errors import ConflictError, InvalidInputError
from service.geotiff.ground import FloatArray, pixel_steps_m
from service.imagery.coverage import MIN_COVER, Coverage, covered_patches, dark_ground, offset_to_nearest_m
from service.imagery.lattice import to_image_crs
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid
from service.imagery.warping import warp_layers

MAX_COARSENESS = 2.0  # size of a delivered pixel over that of an ordered pixel
SCALE_TOLERANCE = 1.005  # map scale and ground scale differ by up to this factor across a UTM zone
_MARGIN = 4  # extra pixels around the patch, for interpolation at its edge
_MOST_MARGIN = 256  # pixels
_EDGE_POINTS = 9  # points per side that locate the patch in another CRS
_FINER = 1 - 1e-6  # coarseness below which pixels are averaged; at 1, rounding must not decide
_OWN = 0.25  # least valid share of a placed pixel whose own colours are used


class PatchMisplacedError(ConflictError):
    """The delivered file does not cover the patch it was delivered for."""

    code = "patch-misplaced"
    title = "The delivered file does not cover this patch"


class PatchTooCoarseError(InvalidInputError):
    """The delivered file is coarser than the patch that was ordered."""

    code = "patch-too-coarse"
    title = "The delivered file is too coarse"


@dataclass(frozen=True, kw_only=True)
class PlacedPatch:
    """A delivered image on the pixel grid of the patch that it was bought for."""

    tile: int
    patch: int
    pixels: NDArray[np.uint8] = field(repr=False)  # (3, size, size)
    own: NDArray[np.bool_] = field(repr=False)  # (size, size); False where a near pixel is repeated
    covered: float  # share of the patch's area, with the repeated pixels at its sides
    repeated_px: float  # delivered pixels that are missing at most on one side


def place_patch(
    imagery: Imagery,
    grid: TileGrid,
    tile: int,
    patch: int,
    size: int,
    scene: NDArray[np.uint8] | None = None,
    *,
    keep_collar: bool = False,
) -> PlacedPatch:
    """Resample the part of a delivered image, of any CRS, resolution and extent, that shows a patch.

    A finer delivery is averaged and a coarser one interpolated (bilinear), both without invalid pixels and
    without the collar that `mark_collar` found; the nearest valid pixel is repeated where one is missing.
    `scene` holds the LR pixels (T, 3, tile_px, tile_px) of all tiles: they tell a collar from dark ground;
    `keep_collar` counts every collar as ground. Raises 409 `patch-misplaced` when the file covers less than
    98 % of the patch (`covered_patches`), and 422 `patch-too-coarse` when the delivered pixels are more
    than twice as large as those ordered.
    """
    check_coarseness(imagery, grid, tile, patch, size)
    places = np.array([tile]), np.array([patch])
    coverage = covered_patches(imagery, grid, *places, scene, keep_collar=keep_collar)
    if not coverage.covered[0]:
        raise _misplaced(imagery, grid, tile, patch, coverage)
    keeps = keep_collar or bool(coverage.keeps_collar[0])
    rgb, cover = warp_patch(imagery, grid, tile, patch, size, scene, keeps_collar=keeps)
    own = cover >= _OWN
    return PlacedPatch(
        tile=tile,
        patch=patch,
        pixels=repeat_nearest(rgb, own),
        own=own,
        covered=float(coverage.shares[0]),
        repeated_px=round(float(coverage.repeated_px[0]), 2),
    )


def warp_patch(
    imagery: Imagery,
    grid: TileGrid,
    tile: int,
    patch: int,
    size: int,
    scene: NDArray[np.uint8] | None = None,
    *,
    keeps_collar: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the colours (3, size, size) of a patch, and the share (size, size) of each pixel with data."""
    target = patch_transform(grid, tile, patch, size)
    coarseness = check_coarseness(imagery, grid, tile, patch, size)
    warp = _Warp(imagery, grid, tile, patch, target, size, coarseness)
    return warp.whole() if keeps_collar or imagery.collar is None else warp.without_collar(scene)


@dataclass(frozen=True)
class _Warp:
    """The resampling of an image to a patch: colours (3, size, size) and valid shares (size, size)."""

    imagery: Imagery
    grid: TileGrid
    tile: int
    patch: int
    target: Affine
    size: int
    coarseness: float

    def whole(self, *, drops_collar: bool = False) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        edges = _edges(self.grid.patch_corners(np.array([self.tile]), np.array([self.patch]))[0])
        cut = _cut_around(self.imagery, self.grid.crs, edges, self.coarseness, drops_collar)
        return _resample(*cut, self.imagery.crs, self.target, self.grid.crs, self.size, self.coarseness)

    def without_collar(
        self, scene: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Leave out the collar, except where the scene is dark: there it is ground."""
        rgb, cover = self.whole(drops_collar=True)
        if scene is None:
            return rgb, cover
        dark = dark_ground(scene, self.grid, np.array([self.tile]), np.array([self.patch]), self.size)[0]
        if not dark.any():
            return rgb, cover
        dark_rgb, dark_cover = self.whole()
        return np.where(dark, dark_rgb, rgb), np.where(dark, dark_cover, cover)


def patch_transform(grid: TileGrid, tile: int, patch: int, size: int) -> Affine:
    """Return the transform of a patch's pixels, `size` on each side, to the CRS of its grid."""
    side = grid.tile_px / GRID
    column = tile % grid.columns * grid.tile_px + patch // GRID * side
    row = tile // grid.columns * grid.tile_px + patch % GRID * side
    return grid.transform @ Affine.translation(column, row) @ Affine.scale(side / size)


def check_coarseness(imagery: Imagery, grid: TileGrid, tile: int, patch: int, size: int) -> float:
    """Return the size of a delivered pixel over that of an ordered pixel, by the coarser axis.

    Raises 422 `patch-too-coarse` when it is more than twice as large.
    """
    height, width = imagery.valid.shape
    delivered = pixel_steps_m(imagery.transform, imagery.crs, width, height)[:2]
    ordered = pixel_steps_m(patch_transform(grid, tile, patch, size), grid.crs, size, size)[:2]
    ratio = max(delivered) / max(ordered)
    if ratio > MAX_COARSENESS * SCALE_TOLERANCE:
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


def _cut_around(
    imagery: Imagery, crs: str, edges: FloatArray, coarseness: float, drops_collar: bool
) -> tuple[NDArray[Any], Affine]:
    """Cut the surroundings of some edges: float32 (4, h, w) of colours and validity, and their transform.

    A margin of invalid pixels represents the ground beyond the image, so that averages know what is missing.
    The cut is empty (h or w is 0) when the edges lie outside the image.
    """
    x, y = to_image_crs(imagery, crs, edges).T
    columns, rows = ~imagery.transform @ (x, y)
    height, width = imagery.valid.shape
    margin = min(_MOST_MARGIN, _MARGIN + int(2 / coarseness))
    (left, right), (top, bottom) = _span(columns, width, margin), _span(rows, height, margin)
    if left >= right or top >= bottom:
        return np.zeros((4, 0, 0), np.float32), imagery.transform
    window = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    valid = imagery.valid[window]
    if drops_collar and imagery.collar is not None:
        valid = valid & ~_grown(imagery.collar[window])
    layers = np.concatenate([imagery.rgb[(slice(None), *window)] * valid, valid[None]]).astype(np.float32)
    beyond = (max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0))
    return np.pad(layers, ((0, 0), *beyond)), imagery.transform @ Affine.translation(left, top)


def _span(positions: FloatArray, length: int, margin: int) -> tuple[int, int]:
    """Return the first and last pixel, at most `margin` outside the image; equal if none is inside."""
    if not np.isfinite(positions).all():
        return 0, 0
    first, last = np.floor(positions.min()) - margin, np.ceil(positions.max()) + margin
    if last <= 0 or first >= length:
        return 0, 0
    return int(max(first, -margin)), int(min(last, length + margin))


def _grown(collar: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen a collar by one pixel, which warping and JPEG darken beside it."""
    padded = np.pad(collar, 1)
    return padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


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
    resampling = Resampling.average if coarseness < _FINER else Resampling.bilinear
    placed = warp_layers(layers, transform, crs, target, target_crs, size, resampling)
    cover = placed[3]
    colours = placed[:3] / np.where(cover > 0, cover, 1)
    return np.rint(colours).clip(0, 255).astype(np.uint8), cover


def repeat_nearest(rgb: NDArray[np.uint8], own: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill the pixels (3, size, size) that are not `own` from their nearest neighbours that are."""
    filled, known = rgb.copy(), own.copy()
    while known.any() and not known.all():
        before, pixels = known.copy(), filled.copy()
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            source = np.roll(before, step, axis)
            edge: list[Any] = [slice(None), slice(None)]
            edge[axis] = 0 if step == 1 else -1
            source[tuple(edge)] = False
            takes = source & ~known
            filled[:, takes] = np.roll(pixels, step, axis + 1)[:, takes]
            known |= takes
    return filled


def _misplaced(
    imagery: Imagery, grid: TileGrid, tile: int, patch: int, coverage: Coverage
) -> PatchMisplacedError:
    share, inside, collar = (float(one[0]) for one in (coverage.shares, coverage.inside, coverage.collar))
    figures: dict[str, Any] = {"covered": round(share, 4), "inside": round(inside, 4)}
    if inside >= MIN_COVER:
        return PatchMisplacedError(
            f"The file's extent covers the patch, but its data covers only {share:.1%} of it, and "
            f"{MIN_COVER:.0%} are needed. {_why_empty(imagery, collar)}",
            **figures,
        )
    east, north = offset_to_nearest_m(imagery, grid, np.array([tile]), np.array([patch]))
    empty = inside - share
    return PatchMisplacedError(
        f"Valid pixels of the delivered file cover {share:.1%} of the patch, but {MIN_COVER:.0%} are needed. "
        f"The patch's centre lies {abs(east):.1f} m {'east' if east >= 0 else 'west'} and "
        f"{abs(north):.1f} m {'north' if north >= 0 else 'south'} of the file's."
        + (f" {_why_empty(imagery, collar)}" if empty > 1 - MIN_COVER else ""),
        offset_m={"dx": round(east, 2), "dy": round(north, 2)},
        **figures,
    )


def _why_empty(imagery: Imagery, collar: float) -> str:
    """Say why pixels within the file hold no data, and what to do."""
    causes = [f"{gap.share:.1%} of the file is {gap.cause}" for gap in imagery.gaps]
    remedies = []
    if collar > 0:
        causes.append(f"{collar:.1%} of the patch lies under a black border that the file does not declare")
        remedies.append(
            "If it is dark ground, such as water, send accept_unlike=true (loupe deliver --accept-unlike)."
        )
    alpha = [gap.alpha_band for gap in imagery.gaps if gap.alpha_band is not None]
    if alpha:
        remedies.append(
            f"If band {alpha[0]} is near infrared and not transparency, correct its colour interpretation "
            f"(gdal_edit.py -colorinterp_{alpha[0]} undefined) or deliver red, green and blue only "
            "(gdal_translate -b 1 -b 2 -b 3)."
        )
    remedies.append("Otherwise ask the provider for a file with data over the whole patch.")
    reason = " and ".join(causes) or "the file's pixels are not numbers there"
    return f"{reason[0].upper()}{reason[1:]}. {' '.join(remedies)}"
