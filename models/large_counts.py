"""Quantiles of large counts from their moments, where a table of every count would be slow.

A negative binomial count is taken as a Pearson type III variable: a gamma variable that is shifted and scaled
to have the same mean, variance and skewness. Above some thousand objects both have the same quantiles.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.counts import Counts

_LEAST_SKEWNESS = 1e-3
"""A less skewed count is taken as this skewed, which moves its quantiles by 0.0005 deviations."""
_HALVINGS = 60


@dataclass(frozen=True, kw_only=True)
class LargeCounts:
    """N negative binomial counts as shifted gamma variables, all float64 (N,)."""

    shape: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, counts: Counts) -> "LargeCounts":
        """Return the variables with the same three moments."""
        deviation = counts.variance.sqrt()
        third = counts.variance * (1 + 2 * counts.dispersion * counts.mean)
        skewness = (third / deviation**3).clamp_min(_LEAST_SKEWNESS)
        return cls(
            shape=4 / skewness.square(),
            scale=deviation * skewness / 2,
            shift=counts.mean - 2 * deviation / skewness,
        )

    def quantile(self, share: float) -> Tensor:
        """Return the least count that holds with a probability of at least `share`, float64 (N,)."""
        # Cantelli's inequality bounds every quantile.
        low, high = torch.zeros_like(self.shape), self.shape + _cantelli(share) * self.shape.sqrt()
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = torch.special.gammainc(self.shape, middle) < share
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return _whole(self.shift + self.scale * high)


def _cantelli(share: float) -> float:
    """Return how many deviations above the mean a quantile lies at most."""
    return math.sqrt(share / (1 - share))


def _whole(reached: Tensor) -> Tensor:
    """Return the whole number that holds a quantile: each takes the probability of 0.5 on both sides."""
    return (reached - 0.5).ceil().clamp_min(0)
