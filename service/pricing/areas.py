"""Areas as whole square centimetres: their sums are exact in any order. Pure.

The area of the whole Earth (5.1e18 cm2) fits in 64 bits.
"""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

CM2_PER_M2 = 10**4
CM2_PER_KM2 = 10**10
LARGEST_CM2 = 2**62
"""The limit of a sum of billed areas, of which two fit 64 bits."""


def whole_cm2(areas_m2: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round areas (any shape) from square metres to whole square centimetres."""
    return np.rint(np.asarray(areas_m2, dtype=np.float64) * CM2_PER_M2).astype(np.int64)


def to_km2(area_cm2: int) -> Decimal:
    """Convert square centimetres to exact square kilometres."""
    return Decimal(area_cm2).scaleb(-10)


def to_cm2(area_km2: Decimal) -> int:
    """Convert square kilometres to whole square centimetres, the inverse of `to_km2`."""
    return int(area_km2 * CM2_PER_KM2)
