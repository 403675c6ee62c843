"""The bill of bought patches under a minimum area per polygon. Pure numpy and scipy.

The rules are those of the service (`service.pricing`, a price list whose minimum applies to each shape):
patches that share an edge are one polygon, each polygon is billed at least the minimum, and no order costs
more than the scene bought whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label

USD_PER_KM2 = 10.0
"""Price in the report: that of 50 cm archive imagery."""
MINIMUMS_KM2 = (0.0, 0.25, 1.0, 5.0)
"""Minimum areas per polygon in the report."""

EDGES = generate_binary_structure(2, 1)
"""Patches are joined over edges, not over corners."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A minimum area per polygon, for patches of some area."""

    patch_km2: float
    minimum_km2: float

    def billed(self, patches: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the area in km2 that is billed for polygons of so many patches."""
        areas: NDArray[np.float64] = np.maximum(self.patch_km2 * patches, self.minimum_km2)
        return areas

    def whole(self, patches: int) -> float:
        """Return the area that is billed for a scene bought whole, in km2."""
        return max(patches * self.patch_km2, self.minimum_km2)


def polygons(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the polygon of each patch of a mask (R, C), from 1, 0 outside, and their patches (K,)."""
    numbers, count = label(mask, EDGES)
    return numbers, np.bincount(numbers.ravel(), minlength=count + 1)[1:]


def edge_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the patches (R, C) outside a mask that share an edge with it."""
    near = np.zeros_like(mask)
    near[1:] |= mask[:-1]
    near[:-1] |= mask[1:]
    near[:, 1:] |= mask[:, :-1]
    near[:, :-1] |= mask[:, 1:]
    return near & ~mask


def billed_km2(mask: NDArray[np.bool_], terms: Terms) -> float:
    """Return the area that is billed for the patches of one scene, in km2."""
    _, sizes = polygons(mask)
    return min(float(terms.billed(sizes).sum()), terms.whole(mask.size))


def bills_usd(masks: Sequence[NDArray[np.bool_]], terms: Terms) -> NDArray[np.float64]:
    """Return the bill of each scene (N,) in dollars."""
    return USD_PER_KM2 * np.array([billed_km2(mask, terms) for mask in masks])


def whole_usd(masks: Sequence[NDArray[np.bool_]], terms: Terms) -> NDArray[np.float64]:
    """Return the bill (N,) of each scene bought whole, in dollars."""
    return USD_PER_KM2 * np.array([terms.whole(mask.size) for mask in masks])
