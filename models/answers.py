"""The answer for a tile: its number of objects, from bought patches and from what is expected of the others.

The number is a negative binomial with the sum of the means and of the variances of all patches. Patches whose
number is known exactly only shift it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.counts import Counts, Reading
from models.large_counts import LargeCounts

_LARGE = 4096
"""Largest count that is looked up in a table of probabilities; beyond it, quantiles follow from moments."""
_CELLS = 2**22
"""Most probabilities held at a time: 34 MB in float64."""
_LEAST_MEAN = 1e-9


@dataclass(frozen=True, kw_only=True)
class TileAnswers:
    """The distribution of the number of objects in each of N tiles."""

    certain: Tensor
    """Number in patches that are known exactly, float64 (N,), whole."""
    uncertain: Counts
    """Number in all other patches, bought or not, float64 (N,)."""

    @classmethod
    def of(cls, bought: Tensor, reading: Reading, expected: Counts) -> "TileAnswers":
        """Return the answers for a choice of patches, bool (N, 16).

        `reading` (N, 16) may hold any value in patches that are not bought, and `expected` (N, 16) in those
        that are. A reading without variance is exact.
        """
        zero = torch.zeros((), dtype=torch.float64, device=bought.device)
        exact = bought & (reading.variance == 0)

        def total(read: Tensor, unread: Tensor) -> Tensor:
            values = torch.where(bought, read.double(), unread.double())
            return torch.where(exact, zero, values).sum(1)

        return cls(
            certain=torch.where(exact, reading.mean.double(), zero).sum(1),
            uncertain=Counts.of_moments(
                total(reading.mean, expected.mean).clamp_min(_LEAST_MEAN),
                total(reading.variance, expected.variance),
            ),
        )

    @property
    def mean(self) -> Tensor:
        """Expected number of objects, float64 (N,)."""
        return self.certain + self.uncertain.mean

    @property
    def variance(self) -> Tensor:
        """Variance of the number of objects, float64 (N,)."""
        return self.uncertain.variance

    def at_most(self, counts: Tensor) -> Tensor:
        """Return the probability that each tile holds at most `counts` (N,) objects, float64 (N,)."""
        return _cumulative(self.uncertain, counts.double() - self.certain)

    def quantile(self, share: float) -> Tensor:
        """Return the least count that holds with a probability of at least `share`, float64 (N,)."""
        return self.certain + _quantiles(self.uncertain, (share,))[0]

    def interval(self, share: float) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest count (N,) of the central interval with a probability `share`."""
        low, high = count_interval(self.uncertain, share)
        return self.certain + low, self.certain + high

    def class_probabilities(self, bins: Sequence[int]) -> Tensor:
        """Return the probability of each class by count, float64 (N, len(bins) + 1).

        `bins` holds the smallest counts of the classes after the first.
        """
        below = [self.at_most(torch.full_like(self.certain, edge - 1)) for edge in bins]
        limits = torch.stack([torch.zeros_like(self.certain), *below, torch.ones_like(self.certain)], 1)
        return limits.diff(dim=1).clamp_min(0)


def count_interval(counts: Counts, share: float) -> tuple[Tensor, Tensor]:
    """Return the central interval (N,), (N,) of negative binomial counts (N,)."""
    low, high = _quantiles(counts, ((1 - share) / 2, (1 + share) / 2))
    return low, high


def _quantiles(counts: Counts, shares: Sequence[float]) -> Tensor:
    """Return the least counts (shares, N) that hold with each probability, float64."""
    # Cantelli's inequality bounds every quantile.
    reach = math.sqrt(max(shares) / (1 - max(shares)))
    most = (counts.mean + reach * counts.variance.sqrt() + 1).ceil()
    large = most > _LARGE
    found = torch.empty(len(shares), len(most), dtype=torch.float64, device=most.device)
    beyond = LargeCounts.of(Counts(mean=counts.mean[large], dispersion=counts.dispersion[large]))
    for end, one in zip(found, shares, strict=True):
        end[large] = beyond.quantile(one)
    small = Counts(mean=counts.mean[~large], dispersion=counts.dispersion[~large])
    parts = [torch.stack([(table < one).sum(1) for one in shares]) for table in _tables(small, most[~large])]
    found[:, ~large] = torch.cat([torch.zeros(len(shares), 0, device=most.device), *parts], 1).double()
    return found


def _cumulative(counts: Counts, limits: Tensor) -> Tensor:
    """Return the probability (N,) of at most `limits` (N,) objects, whole numbers; 0 below none."""
    found = [torch.zeros(0, dtype=torch.float64, device=limits.device)]
    start = 0
    for table in _tables(counts, limits.clamp_min(0)):
        rows = limits[start : start + len(table)]
        at = rows.clamp(0, table.shape[1] - 1).long()
        found.append(torch.where(rows >= 0, table.gather(1, at[:, None])[:, 0], 0.0))
        start += len(table)
    return torch.cat(found)


def _tables(counts: Counts, most: Tensor) -> Iterator[Tensor]:
    """Yield P(count <= k) for k = 0 .. the largest of `most` (N,), for some of the N counts at a time."""
    rows = max(1, int(_CELLS / (float(most.max()) + 1))) if len(most) else 1
    for start in range(0, len(most), rows):
        part = slice(start, start + rows)
        column = Counts(mean=counts.mean[part, None], dispersion=counts.dispersion[part, None])
        numbers = torch.arange(int(most[part].max()) + 1, dtype=torch.float64, device=most.device)
        yield column.negative_log_likelihood(numbers).neg().exp().cumsum(1)
