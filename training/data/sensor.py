"""A simulated low-resolution sensor: how a scene at high resolution would look to a free satellite.

Averaging alone flatters: real pairs differ by blur, shift, gain, colour, haze and noise. The ranges imitate
the pairs of Alsat-2B, in which averaged HR and real LR correlate with 0.63 to 0.78.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

MTF_AT_NYQUIST = 0.18
"""Contrast that the sensor keeps at the Nyquist frequency of its pixels."""
_BOX_AT_NYQUIST = math.sin(math.pi / 2) / (math.pi / 2)  # of averaging over one pixel
BLUR = math.sqrt(-2 * math.log(MTF_AT_NYQUIST / _BOX_AT_NYQUIST)) / math.pi
"""Standard deviation, in LR pixels, of the Gaussian that with averaging gives MTF_AT_NYQUIST."""

Pixels = NDArray[np.uint8]
"""Colours (3, H, W), 0..255."""


@dataclass(frozen=True, kw_only=True)
class SensorGap:
    """The difference between two sensors and two dates over the same ground."""

    shift: tuple[float, float] = (0.0, 0.0)
    """Rows and columns, in LR pixels, by which the LR image is displaced."""
    blur: float = 0.0
    """Standard deviation of the Gaussian blur before averaging, in LR pixels."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    haze: float = 0.0
    """Share of every pixel that is replaced by white."""
    noise: float = 0.0
    """Standard deviation, in 0..255."""


NO_GAP = SensorGap()
"""Averaging alone."""


def draw_gap(random: np.random.Generator) -> SensorGap:
    """Draw a gap: shift up to 1 LR pixel, gain 0.75 to 1.1, colour 8 %, haze up to 25 %, noise 2 of 255."""
    row, column = random.uniform(-1, 1, 2).tolist()
    red, green, blue = (random.uniform(0.75, 1.1) * random.uniform(0.92, 1.08, 3)).tolist()
    return SensorGap(
        shift=(row, column),
        blur=BLUR,
        gain=(red, green, blue),
        haze=float(random.uniform(0, 0.25)),
        noise=2.0,
    )


def simulate_lr(hr: Pixels, rows: int, columns: int, gap: SensorGap, random: np.random.Generator) -> Pixels:
    """Show HR pixels (3, H, W) to the simulated sensor: LR pixels (3, rows, columns) of the same ground."""
    step = hr.shape[1] / rows, hr.shape[2] / columns
    values = hr.astype(np.float32)
    if gap.blur:
        for axis in (1, 2):
            values = gaussian_filter1d(values, gap.blur * step[axis - 1], axis=axis, mode="nearest")
    for axis, size in ((1, rows), (2, columns)):
        values = _averaged(values, size, gap.shift[axis - 1], axis)
    values = values * np.array(gap.gain, np.float32)[:, None, None]
    values = (1 - gap.haze) * values + gap.haze * 255
    if gap.noise:
        values = values + random.normal(0, gap.noise, values.shape).astype(np.float32)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _averaged(values: NDArray[np.float32], size: int, shift: float, axis: int) -> NDArray[np.float32]:
    """Average one axis to `size` pixels whose edges lie `shift` pixels off, through the integral."""
    length = values.shape[axis]
    integral = np.concatenate(
        [np.zeros_like(values.take([0], axis)), values.cumsum(axis=axis, dtype=np.float64)], axis=axis
    )
    # Pixels that a shift pushes outside are moved to the border, which repeats the ground of the last ones.
    edges = np.arange(size + 1) * (length / size) + shift * length / size
    begin, end = edges[:-1].clip(0, length - 1), edges[1:].clip(1, length)

    def at(position: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.minimum(np.floor(position).astype(np.int64), length - 1)
        part = (position - whole).reshape([-1 if one == axis else 1 for one in range(values.ndim)])
        lower, upper = integral.take(whole, axis), integral.take(whole + 1, axis)
        result: NDArray[np.float64] = lower + part * (upper - lower)
        return result

    width = (end - begin).reshape([-1 if one == axis else 1 for one in range(values.ndim)])
    averaged: NDArray[np.float32] = ((at(end) - at(begin)) / width).astype(np.float32)
    return averaged
