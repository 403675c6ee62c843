"""The place of a patch of many low-resolution (LR) pixels within its tile, by normalised cross-correlation.

The patch is averaged to LR pixels and compared with every place of the tile, also with those that reach
beyond it by half a patch. Gain and offset cancel out in a correlation; blur, noise and another date lower it
everywhere. So the place that correlates best is compared with the patch's own, whatever the sensors are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.imagery.resemblance import Pixels, average_cells

LEAST_PX = 6
"""LR pixels per side from which a patch is registered; smaller ones have too few numbers."""

_MOST_CELLS = 32  # cells per side; larger patches are averaged
_OWN = 1.5  # LR pixels: places so near to its own are a patch's own place with an error of georeferencing
_LEAST_OVERLAP = 0.5
_QUIET = 0.05  # variance in counts, added to flat ground, where rounding is all that is left
_ROUNDING = 0.002  # unexplained share of the variance that rounding and resampling leave


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Correlations of a patch with the scene, of its brightness and colours together."""

    own: float  # the largest within 1.5 LR pixels of the patch's place
    best: float  # the largest in the tile
    right: float  # offset of that place in LR pixels, to the right and down
    down: float
    contrast: float  # standard deviation of the scene's colours at the patch's place, in counts

    @property
    def distance(self) -> float:
        """LR pixels between the patch's place and the one that correlates best."""
        return float(np.hypot(self.right, self.down))

    @property
    def gain(self) -> float:
        """Ratio of the unexplained variance at the patch's place to that at the best one, at least 1."""
        return (1 - self.own + _ROUNDING) / (1 - self.best + _ROUNDING)


def lr_side(tile: NDArray[np.uint8]) -> int:
    """Return the LR pixels per side of a patch of a tile (3, n, n)."""
    return int(tile.shape[-1]) // GRID


def register(pixels: NDArray[np.uint8], tile: NDArray[np.uint8], patch: int) -> Registration:
    """Find the pixels (3, s, s) of a patch in the LR pixels (3, n, n) of its tile."""
    side = tile.shape[-1] / GRID
    cells = min(round(side), _MOST_CELLS)
    scale = side / cells
    found = _smooth(np.moveaxis(average_cells(pixels, cells), 2, 0))
    scene = _smooth(np.moveaxis(average_cells(tile, cells * GRID), 2, 0))
    correlation, contrast = _correlate(scene, found)
    reach = found.shape[-1] // 2
    steps = np.arange(correlation.shape[0]) - reach
    down, right = (steps - patch % GRID * cells) * scale, (steps - patch // GRID * cells) * scale
    return place_best(correlation, contrast, down, right, own_px=max(_OWN, scale))


def place_best(
    correlation: Pixels, contrast: Pixels, down: Pixels, right: Pixels, *, own_px: float
) -> Registration:
    """Compare the best place of a correlation (rows, columns) with those within `own_px` of shift 0.

    `down` and `right` are the shifts of its rows and columns in LR pixels.
    """
    y, x = (int(one) for one in np.unravel_index(int(correlation.argmax()), correlation.shape))
    near = np.hypot(down[:, None], right[None]) <= own_px
    scale = float(right[1] - right[0])
    return Registration(
        own=round(float(correlation[near].max()), 4),
        best=round(float(correlation[y, x]), 4),
        right=round(float(right[x] + scale * _summit(correlation[y], x)), 2),
        down=round(float(down[y] + scale * _summit(correlation[:, x], y)), 2),
        contrast=round(float(contrast[np.abs(down).argmin(), np.abs(right).argmin()]), 2),
    )


def _smooth(image: Pixels) -> Pixels:
    """Blur an image (3, n, n) to (3, n - 2, n - 2), so that sharper and noisier sensors compare."""
    rows = (image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]) / 4
    smooth: Pixels = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return smooth


def _correlate(scene: Pixels, found: Pixels) -> tuple[Pixels, Pixels]:
    """Return the correlation of a patch (3, k, k) with every place, and the contrast of the scene there.

    Places reach beyond the scene by k // 2 pixels; only pixels within it count. The correlation is -1 where
    less than half of the patch lies within the scene.
    """
    side = found.shape[-1]
    pad = ((0, 0), (side // 2,) * 2, (side // 2,) * 2)
    found = found - found.mean(axis=(1, 2), keepdims=True)
    inside = np.pad(np.ones((1, *scene.shape[1:])), pad)
    scene = np.pad(scene - scene.mean(axis=(1, 2), keepdims=True), pad)
    one = np.ones((1, side, side))
    count = _slide(inside, one)[0].round().clip(1)
    sums, patch_sums = _slide(scene, one), _slide(inside, found)
    spread = (_slide(scene**2, one) - sums**2 / count).sum(axis=0).clip(0)
    patch_spread = (_slide(inside, found**2) - patch_sums**2 / count).sum(axis=0).clip(0)
    shared = (_slide(scene, found) - sums * patch_sums / count).sum(axis=0)
    quiet = _QUIET * count
    correlation = shared / np.sqrt((spread + quiet) * (patch_spread + quiet))
    enough = count >= _LEAST_OVERLAP * side**2
    return np.where(enough, correlation, -1.0), np.sqrt(spread / (3 * count))


def _slide(image: Pixels, kernel: Pixels) -> Pixels:
    """Return the sums of an image (B, n, n) times a kernel (B, k, k) at each place: (B, n - k + 1, ...)."""
    size, side = image.shape[-1], kernel.shape[-1]
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, (size, size)))
    sums: Pixels = np.fft.irfft2(spectrum, (size, size))[:, : size - side + 1, : size - side + 1]
    return sums


def _summit(values: Pixels, at: int) -> float:
    """Return the offset from the largest of some values (N,) to the summit of the parabola through it."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(one) for one in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
