"""The value of a choice of patches: objects found, correct labels, and the error of the count.

Bought patches are read by the counter, and the others are estimated by the policy, whatever order bought
them: the same estimate serves every row of a table.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.answers import TileAnswers
from models.counts import Counts, Reading
from training.objects.tiles import ObjectTiles

RESAMPLES = 2_000


def found(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the number of objects in bought patches of each tile: float64 (N,)."""
    return (tiles.counts * bought).sum(1)


def answers(tiles: ObjectTiles, bought: Tensor) -> TileAnswers:
    """Return the distribution of each tile's count, if `bought` bool (N, 16) is bought."""
    reading = Reading(mean=tiles.read, variance=tiles.read_variance)
    return TileAnswers.of(bought, reading, Counts.of_moments(tiles.mean, tiles.variance))


def count_error(tiles: ObjectTiles, bought: Tensor) -> Tensor:
    """Return the absolute error of each tile's count: float64 (N,). The median minimises its mean."""
    return (answers(tiles, bought).quantile(0.5) - tiles.counts.sum(1)).abs()


def labels_right(tiles: ObjectTiles, bought: Tensor, bins: Sequence[int]) -> Tensor:
    """Return 1.0 for each tile whose likeliest class by count is the true one: float64 (N,)."""
    predicted = answers(tiles, bought).class_probabilities(bins).argmax(1)
    edges = torch.tensor(bins, dtype=torch.float64)
    true = torch.bucketize(tiles.counts.sum(1), edges, right=True)
    return (predicted == true).double()


def share_found(tiles: ObjectTiles, bought: Tensor) -> float:
    """Return the share of all objects that lie in bought patches."""
    return float(found(tiles, bought).sum() / tiles.counts.sum())


def bootstrap(sites: Sequence[str], numerator: Tensor, denominator: Tensor) -> tuple[float, float]:
    """Return the 95 % interval of sum(numerator) / sum(denominator), float64 (N,), resampling whole sites."""
    names, index = np.unique(np.array(sites), return_inverse=True)
    tops = np.bincount(index, numerator.numpy(), len(names))
    bottoms = np.bincount(index, denominator.numpy(), len(names))
    drawn = resampled_sites(len(names))
    top, bottom = tops[drawn].sum(1), bottoms[drawn].sum(1)
    # Sites without any object say nothing about the share that was found.
    ratios = top[bottom > 0] / bottom[bottom > 0] if bottom.any() else np.zeros(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def resampled_sites(count: int) -> NDArray[np.int64]:
    """Draw the sites of every resample: their numbers (RESAMPLES, count)."""
    # A fixed seed: measuring again must give the same interval.
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
