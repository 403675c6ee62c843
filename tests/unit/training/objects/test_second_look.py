"""The fit of the second look, on maps whose errors cluster by construction."""

from dataclasses import asdict, astuple

import pytest
import torch
from torch import Tensor

from models.counts import Counts
from training.objects import second_look
from training.objects.second_look import fit_second_look, unseen_loss
from training.objects.sights import draw_sights

SCENES, SIDE = 12, 12


def scenes(factors: Tensor) -> tuple[list[Counts], list[Tensor]]:
    """Draw scenes in which every patch holds `factors` (SCENES,) times what is expected."""
    torch.manual_seed(0)
    mean = 0.5 + torch.rand(SCENES, 1, SIDE, SIDE).double()
    counts = torch.poisson(mean[:, 0] * factors[:, None, None])
    return [Counts(mean=one, dispersion=torch.full_like(one, 0.5)) for one in mean], list(counts)


def test_fit_learns_that_errors_of_a_scene_cluster() -> None:
    maps, counts = scenes(torch.tensor([0.2, 4.0] * (SCENES // 2)))
    look = fit_second_look(maps, counts, seed=0)
    drawn = draw_sights(maps, counts, 1)
    numbers = torch.tensor(astuple(look), dtype=torch.float64)
    assert unseen_loss(drawn, numbers) < unseen_loss(drawn) - 0.1


@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_fit_stays_near_its_prior_where_nothing_can_be_learnt(factor: float) -> None:
    look = fit_second_look(*scenes(torch.full((SCENES,), factor)), seed=0)
    for name, median in asdict(second_look.MEDIANS).items():
        assert median / 100 < getattr(look, name) < 100 * median
    assert 0 <= look.far_share <= 1
    assert 0 <= look.before <= 1


def test_fit_repeats_with_its_seed() -> None:
    drawn = scenes(torch.tensor([0.2, 4.0] * (SCENES // 2)))
    assert fit_second_look(*drawn, seed=3) == fit_second_look(*drawn, seed=3)
