"""The answer for a tile: its number of objects, from bought patches and from what is expected of the others.

A bought patch is read by the counter, with a normal error. The count outside bought patches is a negative
binomial with the mean and the variance that the policy expects there.
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
_LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class TileAnswers:
    """The distribution of the number of objects in each of N tiles."""

    seen: Tensor
    """Number read in bought patches, float64 (N,)."""
    seen_variance: Tensor
    """Its variance, float64 (N,)."""
    unseen: Counts
    """Number in the other patches, float64 (N,)."""

    @classmethod
    def of(cls, bought: Tensor, reading: Reading, expected: Counts) -> "TileAnswers":
        """Return the answers for a choice of patches, bool (N, 16).

        `reading` (N, 16) may hold any value in patches that are not bought, and `expected` (N, 16) in those
        that are.
        """
        zero = torch.zeros((), dtype=torch.float64, device=bought.device)

        def total(values: Tensor, where: Tensor) -> Tensor:
            return torch.where(where, values.double(), zero).sum(1)

        return cls(
            seen=total(reading.mean, bought),
            seen_variance=total(reading.variance, bought).clamp_min(_LEAST_VARIANCE),
            unseen=Counts.of_moments(
                total(expected.mean, ~bought).clamp_min(_LEAST_MEAN), total(expected.variance, ~bought)
            ),
        )

    @property
    def mean(self) -> Tensor:
        """Expected number of objects, float64 (N,)."""
        return self.seen + self.unseen.mean

    @property
    def variance(self) -> Tensor:
        """Variance of the number of objects, float64 (N,)."""
        return self.seen_variance + self.unseen.variance

    def at_most(self, counts: Tensor) -> Tensor:
        """Return the probability that each tile holds at most `counts` (N,) objects, float64 (N,)."""
        parts = [part._cumulative(part._unseen(limit), limit) for part, limit in self._parts(counts.double())]
        return torch.cat(parts)

    def quantile(self, share: float) -> Tensor:
        """Return the least count that holds with a probability of at least `share`, float64 (N,)."""
        # Cantelli's inequality bounds every quantile; 1 more for the rounding of the reading.
        reach = math.sqrt(share / (1 - share))
        bound = (self.mean + reach * self.variance.sqrt() + 1).ceil()
        large = bound > _LARGE
        least = torch.empty_like(bound)
        least[large] = self._rows(large)._large_quantile(share)
        parts = self._rows(~large)._parts(bound[~large])
        least[~large] = torch.cat([part._least(limit, share) for part, limit in parts])
        return least

    def interval(self, share: float) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest count (N,) of the central interval with a probability `share`."""
        return self.quantile((1 - share) / 2), self.quantile((1 + share) / 2)

    def class_probabilities(self, bins: Sequence[int]) -> Tensor:
        """Return the probability of each class by count, float64 (N, len(bins) + 1).

        `bins` holds the smallest counts of the classes after the first.
        """
        below = [self.at_most(torch.full_like(self.seen, edge - 1)) for edge in bins]
        limits = torch.stack([torch.zeros_like(self.seen), *below, torch.ones_like(self.seen)], 1)
        return limits.diff(dim=1).clamp_min(0)

    def _parts(self, limits: Tensor) -> Iterator[tuple["TileAnswers", Tensor]]:
        """Yield some tiles at a time, so that the probabilities of their counts fit into memory."""
        rows = max(1, int(_CELLS / (float(limits.max()) + 1))) if len(limits) else 1
        for start in range(0, max(1, len(limits)), rows):
            part = slice(start, start + rows)
            yield self._rows(part), limits[part]

    def _rows(self, rows: slice | Tensor) -> "TileAnswers":
        """Return the answers of some tiles: a slice, or a mask (N,)."""
        unseen = Counts(mean=self.unseen.mean[rows], dispersion=self.unseen.dispersion[rows])
        return TileAnswers(seen=self.seen[rows], seen_variance=self.seen_variance[rows], unseen=unseen)

    def _large_quantile(self, share: float) -> Tensor:
        return LargeCounts.of(self.unseen).quantile_beside(self.seen, self.seen_variance, share)

    def _unseen(self, limits: Tensor) -> Tensor:
        """Return the probability of each count outside bought patches, up to the largest limit: (N, K)."""
        largest = int(limits.max()) if len(limits) else 0
        counts = torch.arange(largest + 1, dtype=torch.float64, device=limits.device)
        column = Counts(mean=self.unseen.mean[:, None], dispersion=self.unseen.dispersion[:, None])
        return column.negative_log_likelihood(counts).neg().exp()

    def _cumulative(self, unseen: Tensor, limits: Tensor) -> Tensor:
        """Sum over each number k outside bought patches: the reading must then be limit - k or less."""
        left = limits[:, None] - torch.arange(unseen.shape[1], dtype=torch.float64, device=limits.device)
        read = torch.special.ndtr((left + 0.5 - self.seen[:, None]) / self.seen_variance.sqrt()[:, None])
        # A patch never holds fewer than 0 objects, whatever was read in it.
        return torch.where(left >= 0, unseen * read, 0.0).sum(1)

    def _least(self, bound: Tensor, share: float) -> Tensor:
        """Search the least count whose cumulative probability reaches `share`, by halving 0..bound."""
        unseen = self._unseen(bound)
        low, high = torch.zeros_like(bound), bound
        while bool((low < high).any()):
            middle = ((low + high) / 2).floor()
            enough = self._cumulative(unseen, middle) >= share
            low = torch.where(enough, low, torch.minimum(middle + 1, high))
            high = torch.where(enough, middle, high)
        return low


def count_interval(counts: Counts, share: float) -> tuple[Tensor, Tensor]:
    """Return the central interval (N,), (N,) of negative binomial counts (N,), nothing being read.

    It is that of TileAnswers without a bought patch, from one table of probabilities.
    """
    shares = (1 - share) / 2, (1 + share) / 2
    # Cantelli's inequality bounds the upper quantile.
    most = (counts.mean + math.sqrt(shares[1] / shares[0]) * counts.variance.sqrt() + 1).ceil()
    large = most > _LARGE
    ends = torch.empty(2, len(most), dtype=torch.float64, device=most.device)
    beyond = LargeCounts.of(Counts(mean=counts.mean[large], dispersion=counts.dispersion[large]))
    for end, one in zip(ends, shares, strict=True):
        end[large] = beyond.quantile(one)
    ends[:, ~large] = _looked_up(counts.mean[~large], counts.dispersion[~large], most[~large], shares)
    return ends[0], ends[1]


def _looked_up(mean: Tensor, dispersion: Tensor, most: Tensor, shares: Sequence[float]) -> Tensor:
    """Return the least counts (shares, N) that hold with each probability; none is above `most` (N,)."""
    rows = max(1, int(_CELLS / (float(most.max()) + 1))) if len(most) else 1
    found = [torch.zeros(len(shares), 0, dtype=most.dtype, device=most.device)]
    for start in range(0, len(most), rows):
        part = slice(start, start + rows)
        column = Counts(mean=mean[part, None], dispersion=dispersion[part, None])
        numbers = torch.arange(int(most[part].max()) + 1, dtype=torch.float64, device=most.device)
        reached = column.negative_log_likelihood(numbers).neg().exp().cumsum(1)
        found.append(torch.stack([(reached < one).sum(1, dtype=most.dtype) for one in shares]))
    return torch.cat(found, 1)
