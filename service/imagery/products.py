"""The resolution that a provider's product needs for its deliveries to be accepted."""

from models.grid import PATCHES
from service.geotiff.ground import pixel_steps_m
from service.imagery.placement import MAX_COARSENESS, SCALE_TOLERANCE, patch_transform
from service.imagery.tile_grid import TileGrid


def ordered_pixel_m(grid: TileGrid, size: int) -> float:
    """Return the largest side in metres of a pixel of a grid's patches, each of size x size pixels.

    Map scale varies across a scene, so its corners and its centre are measured.
    """
    last, right = grid.tile_count - 1, grid.columns - 1
    places = ((0, 0), (right, 12), (last - right, 3), (last, PATCHES - 1), (last // 2, 10))
    steps = (
        pixel_steps_m(patch_transform(grid, tile, patch, size), grid.crs, size, size)
        for tile, patch in places
    )
    return max(max(across, down) for across, down, _ in steps)


def coarsest_pixel_m(ordered_m: float) -> float:
    """Return the largest pixel that a delivery may have where pixels of `ordered_m` metres are ordered."""
    return ordered_m * MAX_COARSENESS * SCALE_TOLERANCE
