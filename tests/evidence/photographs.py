"""Photographs of the shared data, each laid out as one tile of the starter bundle."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from service.imagery.tile_grid import TileGrid

TILE_PX = 256
"""Edge of a tile in pixels of a photograph."""
PIXEL_M = 78.0288 / TILE_PX
LR_PX = 8
GRID = TileGrid(
    columns=1,
    rows=1,
    tile_px=LR_PX,
    transform=Affine(78.0288 / LR_PX, 0, 500_000, 0, -78.0288 / LR_PX, 5_700_000),
    crs="EPSG:32632",
)
"""The tile's place on Earth, the same for every photograph."""


_SHIFT_PX = TILE_PX // LR_PX // 2  # half an LR pixel
_BLUR_PX = 16.0  # Gaussian that with the average of 32 pixels gives an MTF of 0.18 at Nyquist


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """High-resolution pixels (3, 256, 256) of one tile."""

    source: str
    pixels: NDArray[np.uint8]

    @property
    def scene(self) -> NDArray[np.uint8]:
        """The LR pixels (1, 3, 8, 8): averages of 32 x 32 pixels, as `examples/demo` makes them."""
        return _averaged(self.pixels.astype(np.float64))

    def seen_by_another_sensor(self, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the LR pixels with the differences of real pairs.

        A shift of up to half an LR pixel, the sensor's blur (MTF 0.18 at Nyquist), a gain of 0.75 to 1.1, up
        to 8 % per colour, haze of up to 25 %, and noise of 2 counts.
        """
        pixels = gaussian_filter(self.pixels.astype(np.float64), (0, _BLUR_PX, _BLUR_PX), mode="nearest")
        shift = generator.integers(-_SHIFT_PX, _SHIFT_PX + 1, 2)
        pixels = np.roll(pixels, shift, axis=(1, 2))
        pixels *= generator.uniform(0.75, 1.1) * generator.uniform(0.92, 1.08, (3, 1, 1))
        haze = generator.uniform(0, 0.25)
        pixels = (1 - haze) * pixels + haze * 157
        return _averaged(pixels, generator.normal(0, 2, (3, LR_PX, LR_PX)))


def _averaged(pixels: NDArray[np.float64], noise: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
    cells = pixels.reshape(3, LR_PX, TILE_PX // LR_PX, LR_PX, TILE_PX // LR_PX).mean(axis=(2, 4))
    rounded = np.rint(cells if noise is None else cells + noise).clip(0, 255)
    return np.asarray(rounded[None], np.uint8)


def read_photographs(data: Path, half: int, seed: int) -> list[Photograph]:
    """Return one half (0 or 1) of the photographs: UC Merced images and cuts of the tank scenes.

    The halves share no image: they are drawn from the sorted names with a fixed seed.
    """
    found: list[Photograph] = []
    for archive, cuts in (("uc-merced.tar", 0), ("airbus-tanks.tar", 16)):
        with tarfile.open(data / archive) as tar:
            names = sorted(name for name in tar.getnames() if name.endswith((".jpg", ".webp")))
            generator = np.random.default_rng(seed)
            for number in generator.permutation(len(names))[half::2]:
                file = tar.extractfile(names[number])
                assert file is not None
                with Image.open(io.BytesIO(file.read())) as image:
                    found += [
                        Photograph(source=archive.removesuffix(".tar"), pixels=pixels)
                        for pixels in _tiles(image.convert("RGB"), cuts, generator)
                    ]
    return found


def _tiles(image: Image.Image, cuts: int, generator: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield the whole image as one tile, or `cuts` random tiles of a larger one."""
    if not cuts:
        image = image.resize((TILE_PX, TILE_PX)) if image.size != (TILE_PX, TILE_PX) else image
        yield np.moveaxis(np.asarray(image), 2, 0)
        return
    pixels = np.moveaxis(np.asarray(image), 2, 0)
    for _ in range(cuts):
        top, left = (int(generator.integers(0, side - TILE_PX)) for side in pixels.shape[1:])
        yield pixels[:, top : top + TILE_PX, left : left + TILE_PX]
