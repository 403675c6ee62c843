"""Guarantees measured again: certified on random sites, and checked on the others."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

import numpy as np

from models.grid import PATCHES
from training.objects.guarantee import Losses, certify


@dataclass(frozen=True, kw_only=True)
class Resplits:
    """The outcome of calibrating on random sites and measuring on the others, many times."""

    held: float
    """Share of the re-splits whose mean loss at test sites was at most epsilon."""
    certified: float
    """Share of the re-splits that certified a threshold; in the others everything is bought."""
    patches: float
    """Mean number of patches bought per tile at test sites."""
    risk: float
    """Mean loss of test sites over all re-splits."""
    above: float
    """Share of single test sites whose own loss was above epsilon, which a guarantee of a mean allows."""

    @classmethod
    def mean(cls, parts: Sequence["Resplits"]) -> "Resplits":
        """Return the means over several seeds."""
        return cls(**{one.name: fmean(getattr(part, one.name) for part in parts) for one in fields(cls)})


def resplit(
    losses: Losses,
    patches: Losses,
    *,
    epsilon: float,
    delta: float,
    calibration: int,
    repeats: int = 200,
) -> Resplits:
    """Calibrate on `calibration` random sites and measure on the others, `repeats` times.

    `losses` and `patches` (T, sites) hold each site's loss and its mean number of patches per tile, by
    threshold, safest first.
    """
    random = np.random.default_rng(0)
    rows = []
    for _ in range(repeats):
        order = random.permutation(losses.shape[1])
        learnt, test = order[:calibration], order[calibration:]
        index = certify(losses[:, learnt], epsilon, delta).index
        loss = np.zeros(len(test)) if index is None else losses[index, test]
        bought = PATCHES if index is None else float(patches[index, test].mean())
        rows.append((loss.mean() <= epsilon, index is not None, bought, loss.mean(), (loss > epsilon).mean()))
    held, certified, cost, risk, above = np.mean(np.array(rows, np.float64), axis=0).tolist()
    return Resplits(held=held, certified=certified, patches=cost, risk=risk, above=above)
