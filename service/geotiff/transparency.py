"""The recognition of near infrared that a file marks as transparency."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIN_LEVELS = 16  # values between transparent and opaque that a feathered edge rarely has in number
_MIN_PARTLY = 0.2  # share of pixels that are neither transparent nor opaque
_SAMPLES = 1_000_000


def is_transparency(alpha: NDArray[Any], colours: NDArray[Any]) -> bool:
    """Tell transparency (H, W) from a measured band, such as the near infrared of NAIP.

    GDAL marks the fourth band of an 8-bit file as alpha by default. Transparency is mostly 0 or full and
    hides what lies under 0. A measured band has many values, and colours (bands, H, W) show where it is 0.
    """
    step = int(np.ceil(np.sqrt(alpha.size / _SAMPLES)))
    sample, seen = alpha[::step, ::step], colours[:, ::step, ::step]
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else alpha.max()
    partly = (sample > 0) & (sample < full)
    if partly.mean() < _MIN_PARTLY or len(np.unique(sample[partly])) < _MIN_LEVELS:
        return True
    hidden = sample == 0
    return bool(hidden.any()) and not bool((seen[:, hidden] != seen[:, hidden][:, :1]).any())
