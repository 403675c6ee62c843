"""A window of a planned scene as a picture: its low-resolution pixels as the policy saw them."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service import blobs as storage
from service.imagery.tile_grid import TileGrid
from service.plans.pixels import check_scene_pixels
from service.plans.reading import SceneReadDifferentlyError, grid_of
from service.plans.tables import Scene

LONGEST_SIDE = 1600
"""Longest side of a picture in pixels, unless each tile is one pixel already."""

Pixels = NDArray[np.uint8]


def render_window(scene: Scene, left: int, top: int, columns: int, rows: int, blobs: Path) -> bytes:
    """Return a PNG of `columns` x `rows` tiles from column `left` and row `top` on; needs no session.

    Only the window's tiles are read into memory. Errors: pixels-deleted, blob-missing, blob-damaged, and
    SceneReadDifferentlyError for a scene that was read before its tiles were kept.
    """
    grid = grid_of(scene)
    tiles = _kept_tiles(scene, grid, blobs)
    step = coarseness(grid.tile_px, max(columns, rows))
    strips = [_strip(tiles[row, left : left + columns], step) for row in range(top, top + rows)]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(strips)).save(file, "PNG")
    return file.getvalue()


def coarseness(tile_px: int, tiles: int) -> int:
    """Return how many pixels of a tile become one along each side: the least divisor that is enough."""
    divisors = [step for step in range(1, tile_px + 1) if tile_px % step == 0]
    return next((step for step in divisors if tile_px // step * tiles <= LONGEST_SIDE), tile_px)


def _kept_tiles(scene: Scene, grid: TileGrid, blobs: Path) -> Pixels:
    """Return the pixels (rows, columns, 3, px, px) of a scene's tiles, as a map of their file."""
    check_scene_pixels(scene)
    digest = scene.reading.get("tiles_sha256")
    if digest is None:
        raise SceneReadDifferentlyError(
            "An earlier version planned this scene and kept no pixels of its tiles. Plan its file again."
        )
    shape = (grid.rows, grid.columns, 3, grid.tile_px, grid.tile_px)
    with storage.open_checked(storage.folder_of(blobs, scene.workspace_id), digest) as file:
        return np.memmap(file, np.uint8, "r", shape=shape)


def _strip(tiles: Pixels, step: int) -> Pixels:
    """Join a row of tiles (N, 3, px, px) to pixels (px / step, N * px / step, 3), averaged over `step`."""
    count, bands, side, _ = tiles.shape
    kept = side // step
    blocks = tiles.reshape(count, bands, kept, step, kept, step)
    means = tiles if step == 1 else blocks.mean(axis=(3, 5)).round().astype(np.uint8)
    return np.ascontiguousarray(means.transpose(2, 0, 3, 1).reshape(kept, count * kept, bands))
