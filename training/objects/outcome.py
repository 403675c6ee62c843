"""What a choice of patches is worth: objects found, labels right, and the error of the count.

Bought patches are read without error; the count of the others is a negative binomial with the mean and the
variance that the policy expects, whatever order bought them. The same estimate serves every row of a table.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import nbinom
from torch import Tensor

from training.objects.tiles import ObjectTiles

RESAMPLES = 2_000


def found(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the number of objects in bought patches of each tile: float64 (N,)."""
    return (tiles.counts * bought).sum(1)


def count_error(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the absolute error of each tile's count: float64 (N,). The median minimises its mean."""
    median = torch.from_numpy(_unseen(tiles, bought).ppf(0.5))
    return (found(tiles, bought) + median - tiles.counts.sum(1)).abs()


def labels_right(tiles: ObjectTiles, bought: Tensor, bins: Sequence[int]) -> Tensor:
    """Return 1.0 for each tile whose likeliest class by count is the true one: float64 (N,)."""
    seen = found(tiles, bought).numpy()
    unseen = _unseen(tiles, bought)
    # P(total >= edge) for every edge, then differences: the probability of each class (classes, N).
    above = np.stack(
        [np.ones(len(seen)), *(unseen.sf(edge - 1 - seen) for edge in bins), np.zeros(len(seen))]
    )
    predicted = (above[:-1] - above[1:]).argmax(0)
    true = np.searchsorted(np.array(bins), tiles.counts.sum(1).numpy(), side="right")
    return torch.from_numpy((predicted == true).astype(np.float64))


def _unseen(tiles: ObjectTiles, bought: Tensor) -> "nbinom":
    """Return the distribution of the count outside bought patches, by its two moments."""
    left = (~bought).double()
    mean = (tiles.mean * left).sum(1).clamp_min(1e-9).numpy()
    variance = (tiles.variance * left).sum(1).numpy()
    # A negative binomial is always wider than Poisson.
    variance = np.maximum(variance, mean * (1 + 1e-6))
    return nbinom(mean**2 / (variance - mean), mean / variance)


def share_found(tiles: ObjectTiles, bought: Tensor) -> float:
    """Return the share of all objects that lie in bought patches."""
    return float(found(tiles, bought).sum() / tiles.counts.sum())


def bootstrap(sites: Sequence[str], numerator: Tensor, denominator: Tensor) -> tuple[float, float]:
    """Return the 95 % interval of sum(numerator) / sum(denominator), float64 (N,), resampling whole sites."""
    names, index = np.unique(np.array(sites), return_inverse=True)
    tops = np.bincount(index, numerator.numpy(), len(names))
    bottoms = np.bincount(index, denominator.numpy(), len(names))
    # A fixed seed: measuring again must give the same interval.
    drawn = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    ratios = tops[drawn].sum(1) / np.maximum(bottoms[drawn].sum(1), 1e-12)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)
