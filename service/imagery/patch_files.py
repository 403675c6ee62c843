"""A patch written as a GeoTIFF, for patches that were joined from several delivered files."""

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from service.imagery.placement import patch_transform
from service.imagery.tile_grid import TileGrid


def write_patch(pixels: NDArray[np.uint8], grid: TileGrid, tile: int, patch: int) -> bytes:
    """Return a GeoTIFF of the pixels (3, s, s) of a patch; the same pixels give the same bytes."""
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=3,
            height=pixels.shape[1],
            width=pixels.shape[2],
            dtype="uint8",
            crs=grid.crs,
            transform=patch_transform(grid, tile, patch, pixels.shape[-1]),
            photometric="RGB",
            compress="DEFLATE",
        ) as file:
            file.write(pixels)
        return bytes(memory.read())
