"""Fit of the second look: the likelihood of unseen patches on out-of-fold maps with drawn sights.

A policy knows its training scenes too well: on them, nothing that is seen would come as a surprise.
"""

from collections.abc import Sequence
from dataclasses import asdict, astuple

import torch
from torch import Tensor

from models.counts import Counts
from models.second_look import SecondLook, factors
from training.objects.sights import SeenScene, draw_sights

_START = SecondLook(near=2.0, prior=1.0, far_share=0.3, discount=1.0, before=0.5)
_RANGES = {"near": (0.25, 64.0), "prior": (1e-2, 1e3), "discount": (1e-3, 1e3)}
"""Ranges of numbers that vary by factors: data without clusters would lead them anywhere."""
_SHARES = torch.tensor([name not in _RANGES for name in asdict(_START)])
"""Which numbers lie in 0..1."""
_LOWEST, _HIGHEST = torch.tensor([_RANGES.get(name, (1.0, 1.0)) for name in asdict(_START)]).double().log().T
_STEPS = 60
_DIGITS = 4


def fit_second_look(maps: Sequence[Counts], counts: Sequence[Tensor], seed: int) -> SecondLook:
    """Fit a second look to scenes: their out-of-fold maps (1, R, C), and their numbers of objects (R, C)."""
    scenes = draw_sights(maps, counts, seed)
    start = torch.tensor(astuple(_START), dtype=torch.float64)
    span = (_HIGHEST - _LOWEST).clamp_min(1)
    free = torch.where(_SHARES, start, (start.log() - _LOWEST) / span).logit().requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = unseen_loss(scenes, _bounded(free))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    # Rounded for the manifest.
    found = (float(f"{number:.{_DIGITS}g}") for number in _bounded(free.detach()).tolist())
    return SecondLook(**dict(zip(asdict(_START), found, strict=True)))


def _bounded(free: Tensor) -> Tensor:
    """Map numbers without bounds to those of a second look, each within its range."""
    shares = free.sigmoid()
    return torch.where(_SHARES, shares, (_LOWEST + (_HIGHEST - _LOWEST) * shares).exp())


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
