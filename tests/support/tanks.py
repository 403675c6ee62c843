"""A drawn scene with oil tanks at known places: white discs with shadows on textured soil."""

from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from examples.demo.mosaic import geotiff
from models.grid import GRID, PATCHES
from tests.support.bundles import UTM_32N

TILE_M, HR_PX, LR_PX = 768.0, 480, 76
HR_M = TILE_M / HR_PX
_FINER = 3
"""Drawn pixels along an HR pixel: edges of discs are then smooth."""
_FARMS = ((0, 0, 9), (2, 1, 14), (3, 0, 4), (1, 2, 1))
"""Column and row of each tile with tanks, and their number."""


@dataclass(frozen=True)
class TankScene:
    """An HR picture (H, W, 3) of whole tiles, north up, and the number of tanks in each patch (T, 16)."""

    pixels: NDArray[np.uint8] = field(repr=False)
    counts: NDArray[np.int64] = field(repr=False)
    left: float = 500_000.0
    top: float = 5_300_000.0

    def low_resolution(self) -> bytes:
        """Write the scene as a coarse sensor sees it: blurred, averaged to about 10 m, with noise."""
        blurred = Image.fromarray(self.pixels).filter(ImageFilter.GaussianBlur(0.5 * HR_PX / LR_PX))
        size = tuple(side // HR_PX * LR_PX for side in blurred.size)
        coarse = np.asarray(blurred.resize((size[0], size[1]), Image.Resampling.BOX))
        noise = np.random.default_rng(2).normal(0, 1.5, coarse.shape)
        return self._geotiff(np.clip(coarse + noise, 0, 255).astype(np.uint8), LR_PX)

    def high_resolution(self) -> bytes:
        """Write every HR pixel as one GeoTIFF, as a provider delivers a whole order."""
        return self._geotiff(self.pixels, HR_PX)

    def _geotiff(self, pixels: NDArray[np.uint8], tile_px: int) -> bytes:
        edge = TILE_M / tile_px
        return geotiff(pixels, UTM_32N, Affine(edge, 0, self.left, 0, -edge, self.top))


def draw_tanks(columns: int = 4, rows: int = 3, seed: int = 0) -> TankScene:
    """Draw a scene of some tiles, of which four hold tanks of 10 to 30 m; equal for equal seeds."""
    random = np.random.default_rng(seed)
    picture = Image.fromarray(_soil(random, columns * HR_PX, rows * HR_PX))
    picture = picture.resize((picture.width * _FINER, picture.height * _FINER), Image.Resampling.BICUBIC)
    draw, counts = ImageDraw.Draw(picture), np.zeros((columns * rows, PATCHES), np.int64)
    for column, row, tanks in _FARMS:
        for x, y, radius in _farm(random, tanks):
            _tank(draw, (column * TILE_M + x) / HR_M * _FINER, (row * TILE_M + y) / HR_M * _FINER, radius)
            patch = int(x // (TILE_M / GRID)) * GRID + int(y // (TILE_M / GRID))
            counts[row * columns + column, patch] += 1
    small = picture.resize((columns * HR_PX, rows * HR_PX), Image.Resampling.BOX)
    grain = random.normal(0, 3, (rows * HR_PX, columns * HR_PX, 1))
    return TankScene(np.clip(np.asarray(small) + grain, 0, 255).astype(np.uint8), counts)


def _soil(random: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Return brown ground with fields, paths and grain of several sizes: uint8 (height, width, 3)."""
    ground = np.zeros((height, width))
    for size, strength in ((240, 14), (60, 8), (12, 5)):
        cells = random.normal(0, 1, (height // size + 2, width // size + 2))
        coarse = Image.fromarray(cells.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        ground += strength * np.asarray(coarse)
    colour = np.array([112.0, 104.0, 86.0])
    return np.clip(colour + ground[..., None], 0, 255).astype(np.uint8)


def _farm(random: np.random.Generator, tanks: int) -> list[tuple[float, float, float]]:
    """Place tanks in two rows somewhere in a tile: x, y and radius in metres from its upper left corner."""
    across = -(-tanks // 2)
    west, north = random.uniform(60, TILE_M - 60 - 45 * across), random.uniform(60, TILE_M - 120)
    return [
        (west + 45 * (at % across) + 15, north + 45 * (at // across) + 15, random.uniform(5, 15))
        for at in range(tanks)
    ]


def _tank(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    """Draw a tank with its shadow; x, y in drawn pixels, the radius in metres."""
    side, shift = radius / HR_M * _FINER, 4 / HR_M * _FINER
    draw.ellipse((x - side + shift, y - side - shift, x + side + shift, y + side - shift), (48, 46, 42))
    draw.ellipse((x - side, y - side, x + side, y + side), (232, 230, 224))
    inner = 0.8 * side
    draw.ellipse((x - inner, y - inner, x + inner, y + inner), (214, 212, 208))
