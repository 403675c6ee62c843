"""Undeclared black collars: near-black pixels around a picture, as warping and mosaicking leave them."""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from service.imagery.radiometry import Imagery

BLACK = 4  # largest value of a colour that starts a collar at the file's border
NEARLY_BLACK = 20  # largest value that continues one; JPEG leaves some counts next to the picture
_WHOLE_SIDE = 0.95  # share of a side that is nearly black, where a collar of few pixels is JPEG compressed
_LEAST_SHARE = 0.1  # share of a side that is black from a corner on, where a collar begins
_AROUND, _DEEPER = 15, 4  # rows on either side that show how deep a collar is, and pixels beyond their median
_LEAST_RUN = 8  # pixels of that side, because small files have short shadows


def mark_collar(imagery: Imagery) -> Imagery:
    """Return the image with its `collar`: near-black pixels that join the border in their row or column.

    A collar exists where a side is nearly black over its whole length, or black for a tenth of it from a
    corner on. GDAL's nearblack searches rows and columns in the same way. The collar stays valid: the caller
    decides with the low-resolution scene whether it is dark ground.
    """
    brightest = imagery.rgb.max(axis=0)
    if not _has_black_side(brightest, imagery.valid):
        return imagery
    dark = (brightest <= NEARLY_BLACK) | ~imagery.valid
    collar = _reach(dark) | _reach(dark[:, ::-1])[:, ::-1]
    collar |= (_reach(dark.T) | _reach(dark.T[:, ::-1])[:, ::-1]).T
    collar &= imagery.valid
    # A file that is black throughout is a faulty picture, not a border.
    found = collar.any() and not np.array_equal(collar, imagery.valid)
    return replace(imagery, collar=collar) if found else imagery


def _reach(dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the dark pixels (H, W) that join the left side in their row.

    A row reaches little deeper than the rows around it: a shadow that meets the border ends there.
    """
    depth = np.where(dark.all(axis=1), dark.shape[1], (~dark).argmax(axis=1))
    around = sliding_window_view(np.pad(depth, _AROUND, "edge"), 2 * _AROUND + 1)
    reach = np.minimum(depth, np.median(around, axis=1) + _DEEPER)
    return np.asarray(np.arange(dark.shape[1]) < reach[:, None])


def _has_black_side(brightest: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bool:
    sides = (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])
    return any(_is_black(brightest[side], valid[side]) for side in sides)


def _is_black(side: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bool:
    """Say whether a side (N,) is nearly black as a whole, or black from one of its ends on."""
    if not valid.any():
        return False
    if ((side <= NEARLY_BLACK) | ~valid).mean() >= _WHOLE_SIDE:
        return True
    black = (side <= BLACK) | ~valid
    run = max(int(np.logical_and.accumulate(way).sum()) for way in (black, black[::-1]))
    return run >= max(_LEAST_RUN, _LEAST_SHARE * len(side))
