"""The comparison of a delivered patch with the low-resolution (LR) pixels that it was bought for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.errors import ConflictError, LoupeWarning
from service.imagery.placement import PlacedPatch

OVERRIDE = "accept_unlike=true (loupe deliver --accept-unlike)"


class PatchUnlikeSceneError(ConflictError):
    """A delivered patch that cannot show the ground that it was bought for."""

    code = "patch-unlike-scene"
    title = "The delivered patch does not look like the scene"


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The figures of a comparison; colours are red, green, blue of 0..255."""

    mean: tuple[float, float, float]  # of the delivered patch
    scene_mean: tuple[float, float, float]
    spread: float  # standard deviation of the delivered pixels' brightness
    black: float  # share of the pixels that are black
    white: float  # share of the pixels that are white

    def figures(self) -> dict[str, Any]:
        """Return plain values for documents."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def compare_with_scene(placed: PlacedPatch, tile: NDArray[np.uint8]) -> Likeness:
    """Compare a placed patch with its tile's LR pixels (3, tile_px, tile_px)."""
    side = tile.shape[-1] // GRID
    top, left = placed.patch % GRID * side, placed.patch // GRID * side
    lr = tile[:, top : top + side, left : left + side]
    pixels = placed.pixels
    return Likeness(
        mean=_colour(pixels),
        scene_mean=_colour(lr),
        spread=round(float(pixels.mean(axis=0).std()), 2),
        black=round(float((pixels.max(axis=0) <= 4).mean()), 4),
        white=round(float((pixels.min(axis=0) >= 251).mean()), 4),
    )


def judge(likeness: Likeness) -> tuple[LoupeWarning, ...]:
    """Return the doubts about a delivered patch; raise 409 `patch-unlike-scene` when it cannot be the patch.

    An accepted override (`accept_unlike`) skips this function.
    """
    if likeness.black > 0.9 and max(likeness.scene_mean) > 40:
        raise PatchUnlikeSceneError(
            f"The delivered patch is black, but the scene shows {likeness.scene_mean} there. Ask the "
            f"provider for another file, or send {OVERRIDE} to keep it.",
            **likeness.figures(),
        )
    return ()


def _colour(pixels: NDArray[np.uint8]) -> tuple[float, float, float]:
    red, green, blue = (round(float(one), 1) for one in pixels.reshape(3, -1).mean(axis=1))
    return red, green, blue
