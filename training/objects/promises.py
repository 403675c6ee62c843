"""The guarantees of a bundle: thresholds that are certified on sites which no policy has learnt."""

from collections.abc import Sequence

from torch import Tensor

from models.counts import Counts
from models.manifest import Guarantee, Loss
from models.tasks import Task
from models.values import patch_values
from training.objects.guarantee import certify
from training.objects.site_losses import THRESHOLDS, site_losses
from training.objects.tiles import ObjectTiles

EPSILONS = (0.05, 0.1, 0.2)
"""Shares of a site's labels or objects that may be lost."""
DELTA = 0.1
PROMISED: dict[Loss, Task] = {"labels": "label", "objects": "find"}
"""The value that limits each loss at the least cost."""


def certified(tiles: ObjectTiles, bins: Sequence[int]) -> tuple[Guarantee, ...]:
    """Certify a threshold for each loss and share, with a probability of 1 - DELTA.

    `tiles` are seen by policies that have not learnt from them, and read without error. A share that would
    need everything to be bought gives no guarantee.
    """
    found = []
    for loss, task in PROMISED.items():
        losses = site_losses(tiles, task_values(tiles, task, bins), bins)
        for epsilon in EPSILONS:
            certificate = certify(getattr(losses, loss), epsilon, DELTA)
            if certificate.index:
                found.append(
                    Guarantee(
                        loss=loss,
                        at_most=epsilon,
                        sure=1 - DELTA,
                        sites=certificate.sites,
                        task=task,
                        threshold=THRESHOLDS[certificate.index],
                        mean_patches=round(float(losses.patches[certificate.index].mean()), 4),
                    )
                )
    return tuple(found)


def task_values(tiles: ObjectTiles, task: Task, bins: Sequence[int]) -> Tensor:
    """Return the value of each patch for a task, float64 (N, 16)."""
    return patch_values(Counts.of_moments(tiles.mean, tiles.variance), task, bins)
