"""A bounded sample of a raster's valid pixels, from which ranges are measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 300_000  # pixels of a sample: under a million values in three bands
_FEW = 1_000  # valid pixels below which the sample is taken from all pixels instead of a grid
LOW, HIGH = 2.0, 98.0  # percentiles that stand for the range: single pixels do not change them


@dataclass(frozen=True)
class Sample:
    """Values (3, N) of red, green and blue in valid pixels, as stored."""

    values: NDArray[np.float64] = field(repr=False)

    @property
    def low(self) -> float:
        """The 2nd percentile of the darkest band."""
        return float(self.lows.min())

    @property
    def high(self) -> float:
        """The 98th percentile of the brightest band."""
        return float(self.highs.max())

    @property
    def top(self) -> float:
        """The largest value."""
        return float(self.values.max())

    @cached_property
    def lows(self) -> NDArray[np.float64]:
        """The 2nd percentile of each band."""
        return np.asarray(np.percentile(self.values, LOW, axis=1))

    @cached_property
    def highs(self) -> NDArray[np.float64]:
        """The 98th percentile of each band."""
        return np.asarray(np.percentile(self.values, HIGH, axis=1))

    @cached_property
    def whole(self) -> bool:
        """Whether every value is a whole number."""
        return bool((self.values == np.rint(self.values)).all())

    def figures(self) -> dict[str, float]:
        """Return the measured range for errors and warnings."""
        return {"low": float(f"{self.low:.6g}"), "high": float(f"{self.high:.6g}")}

    def words(self) -> str:
        """Return the measured range as part of a sentence."""
        return f"between {_number(self.low)} and {_number(self.high)} (2nd and 98th percentile)"


def take_sample(picked: Sequence[NDArray[Any]], valid: NDArray[np.bool_]) -> Sample:
    """Sample the valid pixels of three bands (H, W) on a regular grid; `valid` has at least one pixel."""
    step = int(np.ceil(np.sqrt(valid.size / MOST_PIXELS)))
    keep = valid[::step, ::step]
    if step > 1 and int(keep.sum()) < _FEW:
        places = np.flatnonzero(valid)
        places = places[:: int(np.ceil(len(places) / MOST_PIXELS))]
        return Sample(np.array([band.reshape(-1)[places] for band in picked], np.float64))
    return Sample(np.array([band[::step, ::step][keep] for band in picked], np.float64))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.4g}"
