"""The count of a bought patch, from what the counter reads in it and what LR made expect of it.

A counter misses objects and invents others, and LR often knows better which ground holds none. So the count
is a negative binomial whose mean and dispersion are log-linear in both numbers (a generalised linear model;
McCullagh and Nelder, Generalized Linear Models, 1989). Where LR expects some objects, its number no longer
matters: the counter reads it better.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.counts import LARGEST_LOG_MEAN, Counts, Reading

_READ_LEAST = 0.05
"""Objects that are added to a reading before its logarithm is taken: a reading of 0 is not a certainty."""
_EXPECTED_LEAST = 1e-4
_LOG_DISPERSIONS = -8.0, 6.0

Coefficients = tuple[float, float, float]
"""Of 1, the logarithm of the reading, and the logarithm of e / (e + 1), where e is the expected count."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Coefficients of the logarithms of mean and dispersion of the count in a bought patch."""

    mean: Coefficients
    dispersion: Coefficients

    def fuse(self, reading: Tensor, expected: Tensor) -> Reading:
        """Return what is known of bought patches, given their readings and expected counts, of one shape."""
        counts = fused_counts(
            fusion_features(reading, expected),
            torch.tensor([self.mean, self.dispersion], dtype=torch.float64, device=reading.device).T,
        )
        return Reading(mean=counts.mean, variance=counts.variance)


def fusion_features(reading: Tensor, expected: Tensor) -> Tensor:
    """Return what the coefficients apply to, float64 (..., 3), from readings and expected counts (...)."""
    read = (reading.double().clamp_min(0) + _READ_LEAST).log()
    few = expected.double().clamp_min(_EXPECTED_LEAST)
    return torch.stack([torch.ones_like(read), read, (few / (few + 1)).log()], -1)


def fused_counts(features: Tensor, coefficients: Tensor) -> Counts:
    """Return the counts (...) for features (..., 3) and coefficients (3, 2) of mean and dispersion."""
    log_mean, log_dispersion = (features @ coefficients).unbind(-1)
    return Counts(
        mean=log_mean.clamp(max=LARGEST_LOG_MEAN).exp(),
        dispersion=log_dispersion.clamp(*_LOG_DISPERSIONS).exp(),
    )
