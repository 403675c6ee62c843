"""Averaging a fine raster down to coarser pixels, weighted by area, leaving invalid pixels out."""

import numpy as np
from numpy.typing import NDArray

_ROWS = 512  # rows averaged at a time: bounds the memory of running sums

Floats = NDArray[np.float64]


def average_down(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], factors: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Average rgb (3, H, W) into pixels `factors` (x, y) >= 1 times as large, and say how valid they are.

    Returns rgb (3, H', W') and the valid share (H', W') of each new pixel, where W' = floor(W / x) and
    H' = floor(H / y): what does not fill a pixel at the right and bottom is left out. A new pixel is the
    mean of the valid parts of the old ones under it, 0 when there are none.
    """
    if factors == (1.0, 1.0):
        return rgb, valid.astype(np.float32)
    share = _shrink(valid, factors)
    averaged = np.empty((3, *share.shape), np.uint8)
    with np.errstate(invalid="ignore"):
        for band, out in zip(rgb, averaged, strict=True):
            mean = _shrink(np.where(valid, band, 0), factors) / share
            out[:] = np.rint(np.nan_to_num(mean)).clip(0, 255)
    return averaged, share.astype(np.float32)


def _shrink(values: NDArray[np.bool_] | NDArray[np.uint8], factors: tuple[float, float]) -> Floats:
    """Area-weighted mean of values (H, W) in pixels `factors` (x, y) times as large."""
    height, width = values.shape
    across = np.empty((height, whole(width, factors[0])))
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        across[rows] = _shrink_rows(values[rows].astype(np.float64), factors[0])
    return _shrink_rows(across.T, factors[1]).T


def whole(length: int, factor: float) -> int:
    """How many pixels `factor` times as large fit into `length`; a rounding error short of one is one."""
    return int(length / factor + 1e-9)


def _shrink_rows(values: Floats, factor: float) -> Floats:
    """Mean of values (N, L) over [i * factor, (i + 1) * factor) for each whole i.

    The running sum, read with linear interpolation, is the exact integral of a piecewise constant row.
    """
    if factor == 1.0:
        return values
    length = values.shape[1]
    running = np.concatenate([np.zeros((len(values), 1)), values.cumsum(axis=1)], axis=1)
    edges = np.minimum(np.arange(whole(length, factor) + 1) * factor, length)
    left = np.minimum(edges.astype(np.int64), length - 1)
    integral = running[:, left] + (edges - left) * values[:, left]
    return np.asarray(np.diff(integral, axis=1) / factor)
