"""Area-weighted averages of a fine raster in coarser pixels, without invalid pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # new rows computed at a time, to bound the memory of intermediates
_ROUNDING = 1e-9  # pixels; a length that is short of a whole pixel by a rounding error counts as whole
_LEAST_SHARE = 1e-5  # of a new pixel; a valid part this small may be no more than a rounding error


def average_down(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], factors: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Average rgb (3, H, W) into pixels `factors` (x, y) >= 1 times as large.

    Returns rgb (3, H', W') and the valid share (H', W') of each new pixel, with W' = floor(W / x) and
    H' = floor(H / y): a remainder at the right and bottom is left out. A new pixel is the mean of the
    valid parts of the old pixels under it, or 0 if they are less than 1/100,000 of it.
    """
    if factors == (1.0, 1.0):
        return rgb if valid.all() else np.where(valid, rgb, np.uint8(0)), valid.astype(np.float32)
    share = _shrink(valid, factors)
    share[share < _LEAST_SHARE] = 0
    divisor = np.where(share > 0, share, 1)
    averaged = np.empty((3, *share.shape), np.uint8)
    for band, out in zip(rgb, averaged, strict=True):
        mean = np.where(share > 0, _shrink(np.where(valid, band, 0), factors), 0) / divisor
        out[:] = np.rint(mean).clip(0, 255)
    return averaged, share.clip(0, 1)


def whole(length: int, factor: float) -> int:
    """Return how many pixels `factor` times as large fit into `length` pixels."""
    return int(length / factor + _ROUNDING)


def _shrink(values: NDArray[Any], factors: tuple[float, float]) -> NDArray[np.float32]:
    """Return the area-weighted mean of values (H, W) in pixels `factors` (x, y) times as large."""
    rows = _shrink_rows(values, factors[1])
    return np.ascontiguousarray(_shrink_rows(np.ascontiguousarray(rows.T), factors[0]).T)


def _shrink_rows(values: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """Return the mean over rows [i * factor, (i + 1) * factor) of values (L, N), for each whole i."""
    out = np.zeros((whole(len(values), factor), values.shape[1]), np.float32)
    for top in range(0, len(out), _ROWS):
        part = out[top : top + _ROWS]
        start = np.arange(top, top + len(part)) * factor
        # Row `first + step` overlaps the new row by 0 to 1 rows; the weight of rows beyond it is 0.
        first = np.floor(start + _ROUNDING).astype(np.int64)
        for step in range(int(np.ceil(factor)) + 1):
            row = np.minimum(first + step, len(values) - 1)
            overlap = np.minimum(start + factor, first + step + 1) - np.maximum(start, first + step)
            weight = np.where(first + step < len(values), overlap, 0).clip(0) / factor
            part += weight.astype(np.float32)[:, None] * values[row]
    return out
