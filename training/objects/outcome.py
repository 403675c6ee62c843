"""The value of a choice of patches: objects found, correct labels, and the error of the count.

Bought patches are read by the counter. The count of the others is a negative binomial with the mean and the
variance that the policy expects, whatever order bought them: the same estimate serves every row of a table.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import nbinom, norm
from torch import Tensor

from training.objects.tiles import ObjectTiles

RESAMPLES = 2_000


def found(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the number of objects in bought patches of each tile: float64 (N,)."""
    return (tiles.counts * bought).sum(1)


def count_error(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the absolute error of each tile's count: float64 (N,). The median minimises its mean."""
    median = torch.from_numpy(_unseen(tiles, bought).ppf(0.5))
    return ((tiles.read * bought).sum(1) + median - tiles.counts.sum(1)).abs()


def labels_right(tiles: ObjectTiles, bought: Tensor, bins: Sequence[int]) -> Tensor:
    """Return 1.0 for each tile whose likeliest class by count is the true one: float64 (N,)."""
    below = [_below(tiles, bought, edge) for edge in bins]
    limits = np.stack([np.zeros(len(tiles)), *below, np.ones(len(tiles))])  # (classes + 1, N)
    predicted = (limits[1:] - limits[:-1]).argmax(0)
    true = np.searchsorted(np.array(bins), tiles.counts.sum(1).numpy(), side="right")
    return torch.from_numpy((predicted == true).astype(np.float64))


def _below(tiles: ObjectTiles, bought: Tensor, edge: int) -> NDArray[np.float64]:
    """Return the probability that a tile holds fewer than `edge` objects: (N,)."""
    seen = (tiles.read * bought).sum(1).numpy()
    spread = np.sqrt((tiles.read_variance * bought).sum(1).numpy() + 1e-9)
    unseen = _unseen(tiles, bought)
    # The sum of both: for each number k outside bought patches, the reading must stay below edge - k.
    terms = [unseen.pmf(k) * norm.cdf((edge - 0.5 - k - seen) / spread) for k in range(edge)]
    total: NDArray[np.float64] = np.sum(terms, axis=0)
    return total


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
