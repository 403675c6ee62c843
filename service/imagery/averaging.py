"""Averaging a fine raster down to coarser pixels, weighted by area, leaving invalid pixels out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # new rows made at a time: bounds the memory of intermediates
_ROUNDING = 1e-9  # pixels: a rounding error short of a whole pixel is a whole pixel

Floats = NDArray[np.float32]


def average_down(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], factors: tuple[float, float]
) -> tuple[NDArray[np.uint8], Floats]:
    """Average rgb (3, H, W) into pixels `factors` (x, y) >= 1 times as large, and say how valid they are.

    Returns rgb (3, H', W') and the valid share (H', W') of each new pixel, where W' = floor(W / x) and
    H' = floor(H / y): what does not fill a pixel at the right and bottom is left out. A new pixel is the
    mean of the valid parts of the old ones under it, 0 when there are none.
    """
    if factors == (1.0, 1.0):
        return rgb if valid.all() else np.where(valid, rgb, np.uint8(0)), valid.astype(np.float32)
    share = _shrink(valid, factors)
    divisor = np.where(share > 0, share, 1)
    averaged = np.empty((3, *share.shape), np.uint8)
    for band, out in zip(rgb, averaged, strict=True):
        mean = _shrink(np.where(valid, band, 0), factors) / divisor
        out[:] = np.rint(mean).clip(0, 255)
    return averaged, share.clip(0, 1)


def whole(length: int, factor: float) -> int:
    """How many pixels `factor` times as large fit into `length` pixels."""
    return int(length / factor + _ROUNDING)


def _shrink(values: NDArray[Any], factors: tuple[float, float]) -> Floats:
    """Area-weighted mean of values (H, W) in pixels `factors` (x, y) times as large."""
    rows = _shrink_rows(values, factors[1])
    return np.ascontiguousarray(_shrink_rows(np.ascontiguousarray(rows.T), factors[0]).T)


def _shrink_rows(values: NDArray[Any], factor: float) -> Floats:
    """Mean over rows [i * factor, (i + 1) * factor) of values (L, N), for each whole i."""
    out = np.zeros((whole(len(values), factor), values.shape[1]), np.float32)
    for top in range(0, len(out), _ROWS):
        part = out[top : top + _ROWS]
        start = np.arange(top, top + len(part)) * factor
        # Row `first + step` overlaps the new row by at most one; beyond the new row by nothing.
        first = np.floor(start + _ROUNDING).astype(np.int64)
        for step in range(int(np.ceil(factor)) + 1):
            row = np.minimum(first + step, len(values) - 1)
            overlap = np.minimum(start + factor, first + step + 1) - np.maximum(start, first + step)
            weight = np.where(first + step < len(values), overlap, 0).clip(0) / factor
            part += weight.astype(np.float32)[:, None] * values[row]
    return out
