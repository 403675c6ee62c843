"""Random sights of out-of-fold maps, to which the second look is fitted.

Bought sets are drawn as a portfolio would buy them, at any budget and with noise. Each reading has an error.
The earlier imagery of some patches is simulated, because such data sets have nearly no second dates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.counts import Counts
from models.grid import PATCHES
from models.second_look import Sight

SIGHTS = 8
"""Sights that are drawn of each scene."""
BUDGETS = (0.5, 8.0)
"""Least and largest mean number of patches per tile that a drawn set buys."""
LARGEST_NOISE = 1.0
"""Largest standard deviation of the noise on the logarithm of the value that patches are bought by."""
LARGEST_ERROR = 0.2
"""Largest variance of a reading per object; an empty patch counts as a tenth of one."""


@dataclass(frozen=True, kw_only=True)
class SeenScene:
    """A scene with some sights of it."""

    first: Counts
    """Expected counts, float64 (B, R, C): those of one map for each sight."""
    sight: Sight
    counts: Tensor
    """True numbers of objects, float64 (B, R, C)."""


def draw_sights(maps: Sequence[Counts], counts: Sequence[Tensor], seed: int) -> list[SeenScene]:
    """Draw sights of scenes, from their expected counts (1, R, C) and true numbers of objects (R, C)."""
    # One budget is spent over all patches of all scenes.
    ranked = torch.cat([one.mean.flatten() for one in maps]).double().sort(descending=True).values
    random = Generator().manual_seed(seed)
    scenes = []
    for one, true in zip(maps, counts, strict=True):
        mean, dispersion, known = (
            values.double().expand(SIGHTS, *true.shape) for values in (one.mean, one.dispersion, true)
        )
        first = Counts(mean=mean, dispersion=dispersion)
        scenes.append(SeenScene(first=first, sight=draw_sight(first, known, ranked, random), counts=known))
    return scenes


def draw_sight(first: Counts, counts: Tensor, ranked: Tensor, random: Generator) -> Sight:
    """Draw which patches (B, R, C) are bought or owned of an earlier date, and what is read in them.

    `ranked` are the expected counts of all patches that one budget is spent on, largest first.
    """

    def uniform(shape: torch.Size | tuple[int, ...]) -> Tensor:
        return torch.rand(shape, generator=random, dtype=counts.dtype)

    def normal() -> Tensor:
        return torch.randn(counts.shape, generator=random, dtype=counts.dtype)

    size = (len(counts), 1, 1)
    budget = BUDGETS[0] + (BUDGETS[1] - BUDGETS[0]) * uniform(size)
    last = (budget / PATCHES * len(ranked)).long().clamp(max=len(ranked) - 1)
    noise = normal() * uniform(size) * LARGEST_NOISE
    bought = first.mean * noise.exp() > ranked[last]
    # Up to a tenth of the patches is drawn by lot: orders differ from the portfolio's for many reasons.
    by_lot = uniform(counts.shape) < 0.1 * uniform(size)
    bought = torch.where(by_lot, uniform(counts.shape) < 0.3, bought)
    error = (uniform(size) * LARGEST_ERROR * (counts + 0.1)).sqrt() * normal()
    owned = (uniform(counts.shape) < uniform(size)) & (uniform(size) < 0.5)
    # Of an earlier date: some objects were not there yet, and others are gone since.
    already = torch.binomial(counts, (0.5 + 0.5 * uniform(size)).expand_as(counts), generator=random)
    before = already + torch.poisson(counts * 0.3 * uniform(size), generator=random)
    return Sight(bought=bought, observed=(counts + error).clamp_min(0), known_before=owned, before=before)
