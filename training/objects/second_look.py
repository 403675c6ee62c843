"""Fit of the second look: the likelihood of unseen patches on out-of-fold maps with drawn sights.

A policy knows its training scenes too well: on them, nothing that is seen would come as a surprise.

The likelihood alone hardly tells a small prior with a narrow kernel from more moderate numbers, and some tens
of scenes would drive it to extremes. So the numbers have a prior of their own.
"""

from collections.abc import Sequence
from dataclasses import asdict, astuple

import torch
from torch import Tensor

from models.counts import Counts
from models.second_look import SecondLook, factors
from training.objects.sights import SeenScene, draw_sights

MEDIANS = SecondLook(near=2.0, prior=1.0, far_share=0.3, discount=1.0, before=0.5)
"""Medians of the prior: log-normal with a standard deviation of 1, or logit-normal for a share."""
_SHARES = torch.tensor([name in ("far_share", "before") for name in asdict(MEDIANS)])
"""Which numbers lie in 0..1; the others are positive."""
_STEPS = 30
_DIGITS = 4


def fit_second_look(maps: Sequence[Counts], counts: Sequence[Tensor], seed: int) -> SecondLook:
    """Fit a second look to scenes: their out-of-fold maps (1, R, C), and their numbers of objects (R, C)."""
    scenes = draw_sights(maps, counts, seed)
    start = torch.tensor(astuple(MEDIANS), dtype=torch.float64)
    median = torch.where(_SHARES, start.logit(), start.log())
    free = median.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        # The sights of one scene count as one scene.
        value = unseen_loss(scenes, _bounded(free)) * len(scenes) + (free - median).square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    # Rounded for the manifest.
    found = (float(f"{number:.{_DIGITS}g}") for number in _bounded(free.detach()).tolist())
    return SecondLook(**dict(zip(asdict(MEDIANS), found, strict=True)))


def _bounded(free: Tensor) -> Tensor:
    """Map numbers without bounds to those of a second look."""
    return torch.where(_SHARES, free.sigmoid(), free.exp())


def unseen_loss(scenes: Sequence[SeenScene], numbers: Tensor | None = None) -> Tensor:
    """Return the mean over sights of -log p of the counts in patches of which nothing is known.

    `numbers` are those of `factors`; None keeps the first maps.
    """
    losses = []
    for scene in scenes:
        mean = scene.first.mean
        if numbers is not None:
            mean = mean * factors(scene.first, scene.sight, numbers)
        each = Counts(mean=mean, dispersion=scene.first.dispersion).negative_log_likelihood(scene.counts)
        unseen = ~(scene.sight.bought | scene.sight.known_before)
        losses.append((each * unseen).sum((1, 2)))
    return torch.cat(losses).mean()
