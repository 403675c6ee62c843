"""Sights that the second look is trained on, and two steps of that training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.counts import Counts
from models.second_look import SecondLook
from training.objects.recipe import SearchRecipe, load_search_recipe
from training.rounds.sights import SceneSights, draw_sight, train_second_look
from training.run.folder import Run

CPU = torch.device("cpu")


def maps(number: int = 4) -> tuple[list[Counts], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    rates = [torch.rand((1, 8, 12), generator=generator) * 3 + 0.01 for _ in range(number)]
    counts = [torch.poisson(rate[0], generator=generator) for rate in rates]
    return [Counts(mean=rate, dispersion=torch.ones_like(rate)) for rate in rates], counts


def sights(*, seeing: bool = True) -> SceneSights:
    expected, counts = maps()
    return SceneSights(maps=expected, counts=counts, drawn=4, seeing=seeing)


def test_drawn_sets_buy_what_is_valued_and_read_it_with_a_small_error() -> None:
    torch.manual_seed(0)
    mean = torch.rand(400, 8, 8) * 3
    counts = torch.poisson(mean)
    sight = draw_sight(
        Counts(mean=mean, dispersion=torch.ones_like(mean)),
        counts,
        mean.flatten().sort(descending=True).values,
    )
    share = sight.bought.double().mean((1, 2))
    # Half a patch to eight of sixteen, and a few by lot.
    assert 0.2 < share.mean() < 0.35
    assert share.max() < 0.6
    assert mean[sight.bought].mean() > mean[~sight.bought].mean() + 0.5
    assert (sight.observed >= 0).all()
    assert (sight.observed - counts).abs().mean() < 0.5


def test_earlier_imagery_is_masked_in_half_of_the_sights_and_resembles_the_counts() -> None:
    torch.manual_seed(0)
    counts = torch.full((400, 8, 8), 20.0)
    first = Counts(mean=counts, dispersion=torch.ones_like(counts))
    sight = draw_sight(first, counts, counts.flatten())
    owned = sight.known_before.any(dim=(1, 2)).double().mean()
    assert 0.4 < owned < 0.6
    before = sight.before[sight.known_before]
    assert 10 < before.mean() < 22
    assert before.std() > 1


def test_batches_cut_squares_and_repeat_with_the_seed() -> None:
    order = [torch.tensor([0, 1, 2]), torch.tensor([3])]
    torch.manual_seed(3)
    one = list(sights().batches(order, CPU, 0.0, 1.0))
    torch.manual_seed(3)
    two = list(sights().batches(order, CPU, 0.0, 1.0))
    assert [batch.counts.shape for batch in one] == [(3, 8, 8), (1, 8, 8)]
    for first, second in zip(one, two, strict=True):
        assert torch.equal(first.sight.observed, second.sight.observed)
        assert torch.equal(first.first.mean, second.first.mean)


def test_the_blind_control_reads_what_was_expected() -> None:
    torch.manual_seed(0)
    batch = next(sights(seeing=False).batches([torch.arange(4)], CPU, 0.0, 1.0))
    assert torch.equal(batch.sight.observed, batch.first.mean)
    assert not batch.sight.known_before.any()


@pytest.fixture
def recipe() -> SearchRecipe:
    tanks = load_search_recipe("tanks")
    return replace(tanks, second=replace(tanks.second, epochs=2, batch=4))


def train(out: Path, recipe: SearchRecipe, *, seed: int = 0) -> SecondLook:
    out.mkdir(exist_ok=True)
    run = Run(out=out, seed=seed, device=CPU, resume=True)
    return train_second_look(run, "second0", sights(), recipe)


def test_a_second_look_trains_for_two_steps_and_resumes(tmp_path: Path, recipe: SearchRecipe) -> None:
    look = train(tmp_path, recipe)
    assert not look.training
    assert look.factors.weight.abs().sum() > 0
    again = train(tmp_path, recipe)
    assert torch.equal(look.factors.weight, again.factors.weight)
    other = train(tmp_path / "other", recipe, seed=1)
    assert not torch.equal(look.factors.weight, other.factors.weight)
