"""Delivered patches laid into the tiles they belong to. Pure."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES, patch_slices

DeliveredPixels = tuple[int, int, bytes]
"""Tile, patch, uint8 (3, s, s)."""


def lay_out(
    tiles: Sequence[int], deliveries: Iterable[DeliveredPixels], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return HR pixels uint8 (T, 3, size, size), zero where nothing came, and which came (T, 16).

    Raises ValueError when a patch has another size than a quarter of the tile.
    """
    place = {tile: index for index, tile in enumerate(tiles)}
    pixels = np.zeros((len(tiles), 3, size, size), np.uint8)
    came = np.zeros((len(tiles), PATCHES), np.bool_)
    for tile, patch, raw in deliveries:
        rows, columns = patch_slices(patch, size)
        index = place[tile]
        pixels[index, :, rows, columns] = np.frombuffer(raw, np.uint8).reshape(3, size // GRID, size // GRID)
        came[index, patch] = True
    return pixels, came
