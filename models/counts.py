"""Counts of objects in patches: predicted from low resolution, and read from high resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_LOG_MEAN = 6.0
"""Largest logarithm of an expected count, 400 objects; it keeps an untrained network finite."""
LEAST_DISPERSION = 0.05
"""Smallest dispersion: a count is never predicted more surely than this."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The predicted number of objects in each patch, as a negative binomial distribution."""

    mean: Tensor
    """Expected counts (B, R, C), positive; row and column of the patch in the scene."""
    dispersion: Tensor
    """a (B, R, C), positive: the variance is mean + a mean^2."""

    @classmethod
    def of_moments(cls, mean: Tensor, variance: Tensor) -> "Counts":
        """Return the distribution with a mean and a variance, which must not be below the mean's."""
        excess = (variance - mean).clamp_min(1e-6 * mean)  # at least a little wider than Poisson
        return cls(mean=mean, dispersion=excess / mean.square())

    @property
    def variance(self) -> Tensor:
        """Variance of the counts (B, R, C)."""
        return self.mean + self.dispersion * self.mean.square()

    @property
    def presence(self) -> Tensor:
        """Probability (B, R, C) that a patch holds at least one object."""
        return 1 - torch.exp(-torch.log1p(self.dispersion * self.mean) / self.dispersion)

    def negative_log_likelihood(self, counts: Tensor) -> Tensor:
        """Return -log p(counts) (B, R, C) of the negative binomial with r = 1 / a."""
        r = 1 / self.dispersion
        log_p = torch.log(self.mean) - torch.log(r + self.mean)
        combinations = torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1)
        return -(combinations + counts * log_p - r * torch.log1p(self.dispersion * self.mean))


def mixture(parts: Sequence[Counts]) -> Counts:
    """Return the mixture of the distributions that the members of an ensemble predict, in equal shares.

    Its mean is the mean of their means. Its variance is the mean of their variances plus the variance of
    their means: where the members disagree, the count is less certain.
    """
    means = torch.stack([part.mean for part in parts])
    variance = torch.stack([part.variance for part in parts]).mean(0) + means.var(0, correction=0)
    return Counts.of_moments(means.mean(0), variance)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The number of objects in bought patches, as far as it is known."""

    mean: Tensor
    """Expected counts, of any shape."""
    variance: Tensor
    """Their variances, of the same shape; 0 where a count is known exactly."""
