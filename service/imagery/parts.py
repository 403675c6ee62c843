"""Parts of a patch from several delivered images, and the patch that they show together.

Providers cut large orders into tiles whose seams may lie anywhere. Each image is first brought to the colours
and the pixel grid of the patch; the parts are then joined there, whatever grids they came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.imagery.coverage import MIN_COVER, covered_patches
from service.imagery.placement import PlacedPatch, repeat_nearest, warp_patch
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid

_FULL = 255  # weight of a pixel that has data throughout
_OWN = 0.25  # least weight of a pixel whose own colours are used
_LEAST_LIT = 12.0  # smallest brightness of scene pixels that tell how bright a part is
_LEAST_SHARE = 0.25  # share of the patch that a part must show for its brightness to count


@dataclass(frozen=True, kw_only=True)
class PatchPart:
    """The part of a patch that one image shows, on the patch's own pixel grid."""

    tile: int
    patch: int
    pixels: NDArray[np.uint8] = field(repr=False)  # (3, size, size)
    weights: NDArray[np.uint8] = field(repr=False)  # (size, size) share of each pixel with data, 0 to 255
    lacking: NDArray[np.bool_] = field(repr=False)  # (LATTICE, LATTICE) points of the patch without data
    repeated_px: float  # delivered pixels that are missing at most on one side

    @property
    def covered(self) -> float:
        """Share of the patch's area that the image shows."""
        return 1 - float(self.lacking.mean())


def place_part(
    imagery: Imagery,
    grid: TileGrid,
    tile: int,
    patch: int,
    size: int,
    scene: NDArray[np.uint8] | None = None,
    *,
    keep_collar: bool = False,
) -> PatchPart:
    """Resample what an image shows of a patch, as `place_patch` does with a whole one.

    Raises 422 `patch-too-coarse`.
    """
    places = np.array([tile]), np.array([patch])
    coverage = covered_patches(imagery, grid, *places, scene, keep_collar=keep_collar)
    keeps = keep_collar or bool(coverage.keeps_collar[0])
    rgb, cover = warp_patch(imagery, grid, tile, patch, size, scene, keeps_collar=keeps)
    weights = np.rint(cover.clip(0, 1) * _FULL).astype(np.uint8)
    return PatchPart(
        tile=tile,
        patch=patch,
        pixels=np.where(weights > 0, rgb, np.uint8(0)),
        weights=weights,
        lacking=coverage.lacking[0],
        repeated_px=round(float(coverage.repeated_px[0]), 2),
    )


def choose_parts(parts: Sequence[PatchPart]) -> list[int]:
    """Return the positions of the parts that cover a patch together, those to be preferred first.

    A part that adds no ground to those before it is left out, and so are all after the patch is covered.
    """
    lacking, chosen = np.ones_like(parts[0].lacking), list[int]()
    for at, part in enumerate(parts):
        after = lacking & part.lacking
        if after.sum() < lacking.sum():
            chosen.append(at)
            lacking = after
        if covers(lacking):
            break
    return chosen


def lacking_in_all(parts: Sequence[PatchPart]) -> NDArray[np.bool_]:
    """Return the points (LATTICE, LATTICE) of a patch that no part shows."""
    return np.asarray(np.logical_and.reduce([part.lacking for part in parts]))


def covers(lacking: NDArray[np.bool_]) -> bool:
    """Say whether a patch that lacks these points is covered well enough to be delivered."""
    return 1 - float(lacking.mean()) >= MIN_COVER


def join_parts(parts: Sequence[PatchPart]) -> PlacedPatch:
    """Return the patch that parts show together; where several show a pixel, the earlier ones are preferred.

    A pixel at a seam is the mean of what each part has of it. The nearest pixel is repeated where none has
    data. `covered` says whether the parts suffice.
    """
    total = np.zeros(parts[0].weights.shape)
    colours = np.zeros(parts[0].pixels.shape)
    for part in parts:
        weight = np.minimum(part.weights / _FULL, 1 - total)
        colours += weight * part.pixels
        total += weight
    pixels = np.rint(colours / np.where(total > 0, total, 1)).clip(0, 255).astype(np.uint8)
    own = total >= _OWN
    return PlacedPatch(
        tile=parts[0].tile,
        patch=parts[0].patch,
        pixels=repeat_nearest(pixels, own),
        own=own,
        covered=1 - float(lacking_in_all(parts).mean()),
        repeated_px=max(part.repeated_px for part in parts),
    )


def over_scene(part: PatchPart, tile: NDArray[np.uint8]) -> PlacedPatch:
    """Return the patch with the LR pixels (3, n, n) of its tile wherever the part shows nothing."""
    weight = part.weights / _FULL
    pixels = weight * part.pixels + (1 - weight) * _scene_pixels(part, tile)
    return PlacedPatch(
        tile=part.tile,
        patch=part.patch,
        pixels=np.rint(pixels).astype(np.uint8),
        own=np.ones(weight.shape, np.bool_),
        covered=part.covered,
        repeated_px=part.repeated_px,
    )


def brightness(part: PatchPart, tile: NDArray[np.uint8]) -> float | None:
    """Return how bright a part is over the LR pixels (3, n, n) there; None where too little can be said."""
    weight = part.weights / _FULL
    scene = float((weight * _scene_pixels(part, tile)).mean() / max(float(weight.mean()), 1e-9))
    if weight.mean() < _LEAST_SHARE or scene < _LEAST_LIT:
        return None
    return float((weight * part.pixels).mean() / weight.mean()) / scene


def _scene_pixels(part: PatchPart, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the LR pixels (3, n, n) under each pixel of a patch, (3, size, size)."""
    length, size = tile.shape[-1] / GRID, part.weights.shape[0]
    along = (np.arange(size) + 0.5) / size
    row = ((part.patch % GRID + along) * length).astype(np.int64)
    column = ((part.patch // GRID + along) * length).astype(np.int64)
    return np.asarray(tile[:, row[:, None], column[None, :]])
