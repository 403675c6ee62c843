"""The turning of mirrored and quarter-turned rasters to north up, exactly and without resampling."""

from functools import lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

_TRANSPOSE = Affine(0, 1, 0, 1, 0, 0)  # swaps column and row


def turn_north_up(
    pixels: NDArray[Any], valid: NDArray[np.bool_], transform: Affine, crs: str
) -> tuple[NDArray[Any], NDArray[np.bool_], Affine]:
    """Flip and transpose pixels (bands, H, W) and `valid` (H, W) until columns run east and rows south.

    A raster rotated by another angle than a quarter turn keeps its rotation, at most 45 degrees.
    """
    if abs(transform.d) > abs(transform.a):
        pixels, valid, transform = pixels.swapaxes(1, 2), valid.T, transform @ _TRANSPOSE
    east, north = _directions(crs)
    height, width = valid.shape
    if transform.a * east < 0:
        flip = Affine.translation(width, 0) @ Affine.scale(-1, 1)
        pixels, valid, transform = pixels[:, :, ::-1], valid[:, ::-1], transform @ flip
    if transform.e * north > 0:
        flip = Affine.translation(0, height) @ Affine.scale(1, -1)
        pixels, valid, transform = pixels[:, ::-1], valid[::-1], transform @ flip
    return pixels, valid, transform


@lru_cache(maxsize=64)
def _directions(crs: str) -> tuple[int, int]:
    """Return -1 for an axis whose numbers grow to the west or to the south, as on maps of South Africa.

    Around a pole both axes have the same direction, which says nothing about the map.
    """
    directions = {axis.direction for axis in CRS.from_user_input(crs).axis_info}
    if len(directions) == 1:
        return 1, 1
    return (-1 if "west" in directions else 1), (-1 if "south" in directions else 1)
