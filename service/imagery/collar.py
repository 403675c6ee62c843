"""Undeclared black collars: near-black pixels around a picture, as warping and mosaicking leave them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.imagery.radiometry import Imagery

BLACK = 4  # largest value of a colour that starts a collar at the file's border
NEARLY_BLACK = 20  # largest value that continues one; JPEG leaves some counts next to the picture
_LEAST_SHARE = 0.1  # share of a side that is black from a corner on, where a collar begins
_LEAST_RUN = 8  # pixels of that side, because small files have short shadows


def mark_collar(imagery: Imagery) -> Imagery:
    """Return the image with its `collar`: near-black pixels that join the border in their row or column.

    A collar exists where a side is black over its whole length or for a tenth of it from a corner on. GDAL's
    nearblack searches rows and columns in the same way. The collar stays valid: whether it is dark ground is
    for the caller to decide, with the low-resolution scene.
    """
    brightest = imagery.rgb.max(axis=0)
    if not _has_black_side(brightest, imagery.valid):
        return imagery
    dark = (brightest <= NEARLY_BLACK) | ~imagery.valid
    collar = np.zeros_like(dark)
    for axis in (0, 1):
        collar |= np.logical_and.accumulate(dark, axis=axis)
        collar |= np.flip(np.logical_and.accumulate(np.flip(dark, axis), axis=axis), axis)
    collar &= imagery.valid
    return replace(imagery, collar=collar) if collar.any() else imagery


def _has_black_side(brightest: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bool:
    for side, data in (
        (brightest[0], valid[0]),
        (brightest[-1], valid[-1]),
        (brightest[:, 0], valid[:, 0]),
        (brightest[:, -1], valid[:, -1]),
    ):
        black = (side <= BLACK) | ~data
        run = max(int(np.logical_and.accumulate(way).sum()) for way in (black, black[::-1]))
        if run >= min(len(side), max(_LEAST_RUN, _LEAST_SHARE * len(side))) and data.any():
            return True
    return False
