"""Photographs laid out side by side as the tiles of one scene, and the GeoTIFFs of that scene."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import Affine

TILE_PX = 256
"""Edge of a tile in high-resolution (HR) pixels."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Mosaic:
    """A scene whose HR pixels are known.

    `pixels` is RGB (256 x rows, 256 x columns, 3), north up. `left` and `top` are metres in `crs`, and
    `tile_m` is the edge of a tile in metres.
    """

    pixels: Pixels
    tile_m: float
    crs: str
    left: float
    top: float

    @property
    def columns(self) -> int:
        """Number of tiles from west to east."""
        return int(self.pixels.shape[1]) // TILE_PX

    @property
    def rows(self) -> int:
        """Number of tiles from north to south."""
        return int(self.pixels.shape[0]) // TILE_PX

    def scene(self, lr_px: int, tags: Mapping[str, str] | None = None) -> bytes:
        """Average every tile to `lr_px` x `lr_px` pixels, as a coarse sensor does, and write a GeoTIFF."""
        size = (self.columns * lr_px, self.rows * lr_px)
        averaged = Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX)
        return geotiff(np.asarray(averaged), self.crs, self._transform(lr_px), tags)

    def picture(self, tags: Mapping[str, str] | None = None) -> bytes:
        """Write every HR pixel as one GeoTIFF."""
        return geotiff(self.pixels, self.crs, self._transform(TILE_PX), tags)

    def _transform(self, pixels_per_tile: int) -> Affine:
        edge = self.tile_m / pixels_per_tile
        return Affine(edge, 0, self.left, 0, -edge, self.top)


def geotiff(pixels: Pixels, crs: str, transform: Affine, tags: Mapping[str, str] | None = None) -> bytes:
    """Write RGB pixels (height, width, 3) as a lossless GeoTIFF with TIFF tags."""
    height, width, bands = pixels.shape
    shape = {"width": width, "height": height, "count": bands, "dtype": "uint8"}
    storage = {"compress": "deflate", "predictor": 2, "zlevel": 9, "photometric": "RGB"}
    # The pixels of a tile compress better apart from those of its neighbours.
    if height >= TILE_PX and width >= TILE_PX:
        storage |= {"tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", crs=crs, transform=transform, **shape, **storage) as file:
            file.write(np.moveaxis(pixels, 2, 0))
            file.update_tags(**(tags or {}))
        return bytes(memory.read())


def lay_out(tiles: list[Pixels], columns: int) -> Pixels:
    """Join tiles (256, 256, 3) side by side, row by row."""
    rows = [np.concatenate(tiles[start : start + columns], 1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)
