"""Random sights of out-of-fold maps, from which the second look is trained.

Bought sets are drawn as a portfolio would buy them, at any budget and with noise. Each reading has an error.
The earlier imagery of some patches is simulated, because such data sets have nearly no second dates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.counts import Counts
from models.grid import PATCHES
from models.second_look import SecondLook, SecondLookConfig, Sight
from models.symmetry import SYMMETRIES, dihedral
from training.objects.recipe import SearchRecipe
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.seeds import seed_start

BUDGETS = (0.5, 8.0)
"""Least and largest mean number of patches per tile that a drawn set buys."""
LARGEST_NOISE = 1.0
"""Largest standard deviation of the noise on the logarithm of the value that patches are bought by."""
LARGEST_ERROR = 0.2
"""Largest variance of a reading per object; an empty patch counts as a tenth of one."""


@dataclass(frozen=True, kw_only=True)
class SightBatch:
    """Maps of scenes with a sight of them, on the device of the run."""

    first: Counts
    sight: Sight
    counts: Tensor
    """True numbers of objects, float32 (B, R, C)."""
    chosen: Tensor
    progress: float


@dataclass(frozen=True, kw_only=True)
class SceneSights:
    """Out-of-fold maps to draw sights from."""

    maps: Sequence[Counts]
    """Expected counts (1, R, C) of each scene, from a policy that was not trained on its site."""
    counts: Sequence[Tensor]
    """True numbers of objects (R, C)."""
    drawn: int
    """Number of sights in an epoch."""
    seeing: bool = True
    """False trains the blind control: each reading says what was expected."""

    @property
    def indices(self) -> Tensor:
        """Numbers of the sights, int64 (M,); every epoch draws other sights."""
        return torch.arange(self.drawn)

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> Iterator[SightBatch]:
        """Yield a batch of sights for each part of `order`."""
        ranked = torch.cat([one.mean.flatten() for one in self.maps]).sort(descending=True).values
        side = min(min(one.shape) for one in self.counts)
        for number, chosen in enumerate(order):
            windows = torch.cat([self._window(int(index) % len(self.maps), side) for index in chosen])
            mean, dispersion, counts = windows.unbind(1)  # (B, 3, side, side)
            first = Counts(mean=mean, dispersion=dispersion)
            sight = draw_sight(first, counts, ranked)
            if not self.seeing:
                sight = Sight.of(sight.bought, first.mean)
            yield SightBatch(
                first=Counts(mean=mean.to(device), dispersion=dispersion.to(device)),
                sight=Sight(**{name: value.to(device) for name, value in vars(sight).items()}),
                counts=counts.to(device),
                chosen=chosen,
                progress=starts_at + (ends_at - starts_at) * number / len(order),
            )

    def _window(self, scene: int, side: int) -> Tensor:
        """Cut a random square, turned at random: mean, dispersion and counts (1, 3, side, side)."""
        counts = self.counts[scene].float()
        stacked = torch.stack([self.maps[scene].mean[0], self.maps[scene].dispersion[0], counts])
        row, column = (int(torch.randint(size - side + 1, ())) for size in counts.shape)
        window = stacked[None, :, row : row + side, column : column + side]
        return dihedral(window, int(torch.randint(SYMMETRIES, ())))


def draw_sight(first: Counts, counts: Tensor, ranked: Tensor) -> Sight:
    """Draw which patches of scenes (B, R, C) are bought, and what is read in them.

    `ranked` are the expected counts of all patches that one budget is spent on, largest first.
    """
    size = (len(counts), 1, 1)
    budget = torch.empty(len(counts)).uniform_(*BUDGETS)
    last = (budget / PATCHES * len(ranked)).long().clamp(max=len(ranked) - 1)
    noise = torch.randn_like(first.mean) * torch.rand(size) * LARGEST_NOISE
    bought = first.mean * noise.exp() > ranked[last].reshape(size)
    # Every tenth patch is drawn by lot, bought or not: orders differ from the portfolio's for many reasons.
    bought = torch.where(
        torch.rand_like(first.mean) < 0.1 * torch.rand(size), torch.rand_like(first.mean) < 0.3, bought
    )
    error = (torch.rand(size) * LARGEST_ERROR * (counts + 0.1)).sqrt() * torch.randn_like(counts)
    before = _simulated_before(counts)
    owned = (torch.rand_like(counts) < torch.rand(size)) & (torch.rand(size) < 0.5)
    return Sight(bought=bought, observed=(counts + error).clamp_min(0), known_before=owned, before=before)


def _simulated_before(counts: Tensor) -> Tensor:
    """Simulate counts of an earlier date: some objects were not there yet, and others are gone since."""
    size = (len(counts), 1, 1)
    already = torch.binomial(counts, (0.5 + 0.5 * torch.rand(size)).expand_as(counts))
    return already + torch.poisson(counts * 0.3 * torch.rand(size))


def train_second_look(run: Run, stage: str, sights: SceneSights, recipe: SearchRecipe) -> SecondLook:
    """Train a second look on sights of out-of-fold maps; returns it in evaluation mode."""
    seed_start(run.seed, stage)
    second = SecondLook(SecondLookConfig())

    def step(batch: SightBatch) -> tuple[Tensor, dict[str, Tensor]]:
        each = second(batch.first, batch.sight).negative_log_likelihood(batch.counts)
        # What was read needs no second look.
        unseen = (~batch.sight.bought).float()
        loss = (each * unseen).sum() / unseen.sum()
        return loss, {"loss": loss}

    train_stage(run, stage, {"second": second}, sights, recipe.second, step)
    return second
