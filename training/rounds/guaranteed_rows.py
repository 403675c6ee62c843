"""Rows of the table `rounds` about guarantees: certified thresholds, their cost, and whether they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from models.manifest import Loss
from models.tasks import Task
from training.objects.guarantee import certify
from training.objects.promises import DELTA, EPSILONS, task_values
from training.objects.site_losses import THRESHOLDS, SiteLosses, site_losses
from training.rounds.resplits import Resplits, resplit
from training.rounds.run import RoundsSeed

LOSSES: dict[Task, tuple[Loss, ...]] = {
    "find": ("objects", "labels"),
    "count": ("labels",),
    "label": ("labels",),
}
"""Losses that are certified by the value of each task."""


@dataclass(frozen=True, kw_only=True)
class GuaranteeRow:
    """A threshold that is certified on out-of-fold maps, and what it does at test sites: means over seeds."""

    loss: Loss
    task: Task
    """Task whose value the threshold is on."""
    epsilon: float
    threshold: float | None
    """Threshold of the first seed; None where nothing is certified and everything is bought."""
    patches: float
    """Mean number of patches bought per tile of the test sites, of 16."""
    risk: float
    """Mean loss of the test sites."""
    resplits: Resplits
    """Repeated over all sites, each with a policy that was not trained on it: means over seeds."""


def guarantee_rows(seeds: Sequence[RoundsSeed], bins: Sequence[int]) -> list[GuaranteeRow]:
    """Certify a threshold for each loss, value and epsilon."""
    rows = []
    for task, losses in LOSSES.items():
        by_seed = [
            tuple(
                site_losses(tiles, task_values(tiles, task, bins), bins)
                for tiles in (seed.learnt_by_fold, seed.test, seed.test_by_fold)
            )
            for seed in seeds
        ]
        rows += [_row(loss, task, epsilon, by_seed) for loss in losses for epsilon in EPSILONS]
    return rows


def _row(loss: Loss, task: Task, epsilon: float, by_seed: Sequence[tuple[SiteLosses, ...]]) -> GuaranteeRow:
    chosen, costs, risks, again = [], [], [], []
    for learnt, test, dealt in by_seed:
        index = certify(getattr(learnt, loss), epsilon, DELTA).index
        # The first threshold buys everything, and loses nothing.
        chosen.append(index or 0)
        costs.append(float(test.patches[chosen[-1]].mean()))
        risks.append(float(getattr(test, loss)[chosen[-1]].mean()))
        again.append(
            resplit(
                np.concatenate([getattr(learnt, loss), getattr(dealt, loss)], 1),
                np.concatenate([learnt.patches, dealt.patches], 1),
                epsilon=epsilon,
                delta=DELTA,
                calibration=learnt.patches.shape[1],
            )
        )
    return GuaranteeRow(
        loss=loss,
        task=task,
        epsilon=epsilon,
        threshold=THRESHOLDS[chosen[0]] if chosen[0] else None,
        patches=fmean(costs),
        risk=fmean(risks),
        resplits=Resplits.mean(again),
    )
