"""Photographs laid out as a scene: its low-resolution GeoTIFF and its high-resolution patches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from models.grid import GRID

TILE_PX = 256
"""Edge of a tile in high-resolution pixels."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Mosaic:
    """A scene whose high-resolution pixels are known.

    `pixels` is RGB (256 x rows, 256 x columns, 3), north up. `left` and `top` are metres in `crs`, and
    `tile_m` is the edge of a tile in metres. `truth` is the class of each tile, row by row, or None if
    unknown. `words` describes the imagery to the reader.
    """

    pixels: Pixels
    tile_m: float
    crs: str
    left: float
    top: float
    truth: tuple[str, ...] | None
    words: str

    @property
    def columns(self) -> int:
        """Number of tiles from west to east."""
        return int(self.pixels.shape[1]) // TILE_PX

    @property
    def rows(self) -> int:
        """Number of tiles from north to south."""
        return int(self.pixels.shape[0]) // TILE_PX

    def scene(self, lr_px: int) -> bytes:
        """Average every tile to `lr_px` x `lr_px` pixels, as a coarse sensor does, and write a GeoTIFF."""
        size = (self.columns * lr_px, self.rows * lr_px)
        averaged = Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX)
        edge = self.tile_m / lr_px
        return geotiff(np.asarray(averaged), self.crs, Affine(edge, 0, self.left, 0, -edge, self.top))

    def patch(self, tile: int, patch: int) -> bytes:
        """Cut one patch at full resolution and write a GeoTIFF. Patch ids are column-major."""
        step = TILE_PX // GRID
        tile_row, tile_column = divmod(tile, self.columns)
        column, row = divmod(patch, GRID)
        top, left = tile_row * TILE_PX + row * step, tile_column * TILE_PX + column * step
        edge = self.tile_m / TILE_PX
        transform = Affine(edge, 0, self.left + left * edge, 0, -edge, self.top - top * edge)
        return geotiff(self.pixels[top : top + step, left : left + step], self.crs, transform)


def geotiff(pixels: Pixels, crs: str, transform: Affine) -> bytes:
    """Write RGB pixels (height, width, 3) as a lossless GeoTIFF."""
    height, width, bands = pixels.shape
    shape = {"width": width, "height": height, "count": bands, "dtype": "uint8"}
    place = {"crs": crs, "transform": transform}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", photometric="RGB", compress="deflate", **shape, **place) as file:
            file.write(np.moveaxis(pixels, 2, 0))
        return bytes(memory.read())


def lay_out(tiles: list[Pixels], columns: int) -> Pixels:
    """Join tiles (256, 256, 3) side by side, row by row."""
    rows = [np.concatenate(tiles[start : start + columns], 1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)
