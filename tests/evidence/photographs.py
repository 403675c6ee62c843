"""Photographs of the shared data, each laid out as one tile of a bundle."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from service.imagery.averaging import average_down
from service.imagery.tile_grid import TileGrid

_BLUR = 0.5  # LR pixels; this Gaussian and the average over a pixel have an MTF of 0.18 at Nyquist
_REACH = 2.5  # LR pixels around a tile that a shift of one and the blur reach
_HAZE = 157.0  # brightness of haze

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The size of a tile: its pixels in a photograph, its low-resolution (LR) pixels, and its metres."""

    tile_px: int
    lr_px: int
    tile_m: float

    @property
    def patch_px(self) -> int:
        """Pixels of a patch's side in a photograph."""
        return self.tile_px // 4

    @property
    def pixel_m(self) -> float:
        """Size of a pixel of a photograph in metres."""
        return self.tile_m / self.tile_px

    @property
    def grid(self) -> TileGrid:
        """The tile's place on Earth, the same for every photograph."""
        size = self.tile_m / self.lr_px
        transform = Affine(size, 0, 500_000, 0, -size, 5_700_000)
        return TileGrid(columns=1, rows=1, tile_px=self.lr_px, transform=transform, crs="EPSG:32632")


STARTER = Layout(tile_px=256, lr_px=8, tile_m=78.0288)
"""A tile of the starter bundle: patches of 2 x 2 LR pixels."""
TANKS = Layout(tile_px=480, lr_px=76, tile_m=768.0)
"""A tile of the tank scenes at their own scale: patches of 192 m and 19 x 19 LR pixels of 10.1 m."""


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """High-resolution pixels (3, tile_px, tile_px) of one tile, and where known those around it."""

    source: str
    pixels: Pixels = field(repr=False)
    layout: Layout = STARTER
    around: Pixels | None = field(default=None, repr=False)  # with `reach_px` more pixels on each side

    @property
    def scene(self) -> Pixels:
        """The LR pixels (1, 3, lr_px, lr_px): averages, as `examples/demo` makes them."""
        return self._averaged(self.pixels)[None]

    def seen_by_another_sensor(self, generator: np.random.Generator) -> Pixels:
        """Return the LR pixels with the differences of real pairs.

        A shift of up to one LR pixel on each axis, the sensor's blur (MTF 0.18 at Nyquist), a gain of 0.75 to
        1.1, up to 8 % per colour, haze of up to 25 %, and noise of 2 counts.
        """
        reach, size = reach_px(self.layout), self.layout.tile_px
        lr = size / self.layout.lr_px
        pixels = self.pixels if self.around is None else self.around
        if self.around is None:
            pixels = np.pad(pixels, ((0, 0), (reach, reach), (reach, reach)), "reflect")
        blurred = gaussian_filter(pixels.astype(np.float64), (0, _BLUR * lr, _BLUR * lr), mode="nearest")
        top, left = reach + np.rint(generator.uniform(-1, 1, 2) * lr).astype(int)
        seen = blurred[:, top : top + size, left : left + size]
        seen = seen * generator.uniform(0.75, 1.1) * generator.uniform(0.92, 1.08, (3, 1, 1))
        haze = generator.uniform(0, 0.25)
        lr_pixels = self._averaged(to_uint8((1 - haze) * seen + haze * _HAZE)).astype(np.float64)
        return to_uint8(lr_pixels + generator.normal(0, 2, lr_pixels.shape))[None]

    def _averaged(self, pixels: Pixels) -> Pixels:
        factor = self.layout.tile_px / self.layout.lr_px
        return average_down(pixels, np.ones(pixels.shape[1:], np.bool_), (factor, factor))[0]


def reach_px(layout: Layout) -> int:
    """Return the pixels around a tile that another sensor may see."""
    return int(np.ceil(_REACH * layout.tile_px / layout.lr_px))


def to_uint8(pixels: NDArray[np.float64]) -> Pixels:
    """Round and clip to 0..255."""
    rounded: Pixels = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    return rounded


def read_photographs(data: Path, half: int, seed: int) -> list[Photograph]:
    """Return one half (0 or 1) of the photographs: UC Merced images and cuts of the tank scenes.

    The halves share no image: they are drawn from the sorted names with a fixed seed. Every photograph is a
    tile of the starter bundle, whatever its own scale.
    """
    return [
        *_read(data, "uc-merced", half, seed, STARTER, cuts=0),
        *_read(data, "airbus-tanks", half, seed, STARTER, cuts=16),
    ]


def read_merced(data: Path, half: int, seed: int) -> list[Photograph]:
    """Return one half (0 or 1) of the UC Merced images, as tiles of the starter bundle."""
    return list(_read(data, "uc-merced", half, seed, STARTER, cuts=0))


def read_tanks(data: Path, half: int, seed: int) -> list[Photograph]:
    """Return eight tiles of each tank scene of one half (0 or 1), at their own scale."""
    return list(_read(data, "airbus-tanks", half, seed, TANKS, cuts=8))


def _read(data: Path, name: str, half: int, seed: int, layout: Layout, cuts: int) -> Iterator[Photograph]:
    with tarfile.open(data / f"{name}.tar") as tar:
        names = sorted(name for name in tar.getnames() if name.endswith((".jpg", ".webp")))
        generator = np.random.default_rng(seed)
        for number in generator.permutation(len(names))[half::2]:
            file = tar.extractfile(names[number])
            assert file is not None
            with Image.open(io.BytesIO(file.read())) as image:
                yield from _tiles(image.convert("RGB"), name, layout, cuts, generator)


def _tiles(
    image: Image.Image, source: str, layout: Layout, cuts: int, generator: np.random.Generator
) -> Iterator[Photograph]:
    """Yield the whole image as one tile, or `cuts` random tiles of a larger one."""
    size = layout.tile_px
    if not cuts:
        image = image.resize((size, size)) if image.size != (size, size) else image
        yield Photograph(source=source, pixels=np.moveaxis(np.asarray(image), 2, 0), layout=layout)
        return
    pixels = np.moveaxis(np.asarray(image), 2, 0)
    reach = reach_px(layout) if layout != STARTER else 0
    for _ in range(cuts):
        top, left = (int(generator.integers(reach, side - size - reach)) for side in pixels.shape[1:])
        wide = pixels[:, top - reach : top + size + reach, left - reach : left + size + reach]
        tile = pixels[:, top : top + size, left : left + size]
        yield Photograph(source=source, pixels=tile, layout=layout, around=wide if reach else None)
