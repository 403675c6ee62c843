"""Coverage of predicted counts: of what is expected from LR, and of what the counter reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom
from torch import Tensor

from training.objects.tiles import ObjectTiles

BINS = 10
COVERAGES = (0.8, 0.95)

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Predicted counts against true ones."""

    expected: tuple[float, ...]
    """Mean of the predicted counts, in bins of rising prediction."""
    true: tuple[float, ...]
    """Mean of the true counts of the same bins."""
    pit: tuple[float, ...]
    """Share of the true counts in each tenth of their predicted distribution; calibrated is 0.1 each."""
    coverage: tuple[float, ...]
    """Share of the true counts inside the central intervals of COVERAGES."""


def expected_by_patch(by_seed: Sequence[ObjectTiles]) -> Calibration:
    """Compare the counts that LR makes expect in each patch with the true ones."""
    return _of_counts(*_joined(by_seed, lambda tiles: (tiles.mean, tiles.variance, tiles.counts)))


def expected_by_tile(by_seed: Sequence[ObjectTiles]) -> Calibration:
    """Compare the counts of tiles of which nothing is bought with the true ones."""
    return _of_counts(
        *_joined(by_seed, lambda tiles: (tiles.mean.sum(1), tiles.variance.sum(1), tiles.counts.sum(1)))
    )


def read_by_tile(by_seed: Sequence[ObjectTiles]) -> Calibration:
    """Compare the readings of tiles that are bought whole with the true counts."""
    return _of_counts(
        *_joined(by_seed, lambda tiles: (tiles.read.sum(1), tiles.read_variance.sum(1), tiles.counts.sum(1)))
    )


def _of_counts(mean: Numbers, variance: Numbers, true: Numbers) -> Calibration:
    mean = np.maximum(mean, 1e-9)
    variance = np.maximum(variance, mean * (1 + 1e-6))  # a negative binomial is wider than Poisson
    counts = nbinom(mean**2 / (variance - mean), mean / variance)
    return _calibration(mean, true, counts.cdf(true - 1), counts.cdf(true))


def _joined(
    by_seed: Sequence[ObjectTiles], fields: Callable[[ObjectTiles], tuple[Tensor, ...]]
) -> tuple[Numbers, Numbers, Numbers]:
    parts = [[values.flatten().numpy() for values in fields(tiles)] for tiles in by_seed]
    mean, variance, true = (np.concatenate(column) for column in zip(*parts, strict=True))
    return mean, variance, true


def _calibration(mean: Numbers, true: Numbers, below: Numbers, until: Numbers) -> Calibration:
    """`below` and `until` are the predicted probabilities of fewer, and of at most, the true counts."""
    order = np.argsort(mean, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    edges = np.linspace(0, 1, BINS + 1)
    # Counts are discrete: each spreads evenly over the probabilities it takes (Czado et al. 2009).
    width = np.maximum(until - below, 1e-12)
    reached = np.clip((edges[:, None] - below) / width, 0, 1).mean(1)
    covered = [
        np.clip((np.array([[(1 + share) / 2], [(1 - share) / 2]]) - below) / width, 0, 1).mean(1)
        for share in COVERAGES
    ]
    return Calibration(
        expected=tuple(float(mean[part].mean()) for part in parts),
        true=tuple(float(true[part].mean()) for part in parts),
        pit=tuple(np.diff(reached).tolist()),
        coverage=tuple(float(high - low) for high, low in covered),
    )
