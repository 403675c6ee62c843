"""Thresholds on the value of patches, placed so that they buy a mean number of patches."""

from torch import Tensor

from models.manifest import CurvePoint, ValueCurve
from training.product.choose import buying_threshold
from training.product.measure import CURVE_PATCHES

OPERATING_PATCHES = 4
"""Mean number of patches, of 16, that a task buys by default."""


def place_thresholds(values: Tensor) -> ValueCurve:
    """Place the thresholds of a curve on values (N, 16) of scenes that were not learnt.

    The curve begins at 0, which buys everything, and ends at a power of ten that no value comes near; between
    them it buys CURVE_PATCHES. The figures of its points are 0 until they are measured.
    """
    # Rounded for the manifest; the curve is measured at the rounded values.
    chosen = {patches: float(f"{buying_threshold(values, patches):.6g}") for patches in CURVE_PATCHES}
    end = 1.0
    while end < 10 * float(values.max()):
        end *= 10
    points = tuple(
        CurvePoint(threshold=threshold, mean_patches=0, accuracy=0, found=0, count_error=0)
        for threshold in sorted({0.0, end} | set(chosen.values()))
    )
    return ValueCurve(threshold=chosen[OPERATING_PATCHES], curve=points)
