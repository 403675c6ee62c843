"""Sights that the second look is fitted to."""

import torch
from torch import Generator, Tensor

from models.counts import Counts
from models.second_look import Sight
from training.objects.sights import SIGHTS, draw_sight, draw_sights


def drawn(mean: Tensor, counts: Tensor) -> Sight:
    first = Counts(mean=mean, dispersion=torch.ones_like(mean))
    return draw_sight(first, counts, mean.flatten().sort(descending=True).values, Generator().manual_seed(0))


def test_drawn_sets_buy_what_is_valued_and_read_it_with_a_small_error() -> None:
    torch.manual_seed(0)
    mean = torch.rand(400, 8, 8) * 3
    counts = torch.poisson(mean)
    sight = drawn(mean, counts)
    share = sight.bought.double().mean((1, 2))
    # Half a patch to eight of sixteen, and a few by lot.
    assert 0.2 < share.mean() < 0.35
    assert share.max() < 0.7
    assert mean[sight.bought].mean() > mean[~sight.bought].mean() + 0.5
    assert (sight.observed >= 0).all()
    assert (sight.observed - counts).abs().mean() < 0.5


def test_earlier_imagery_is_masked_in_half_of_the_sights_and_resembles_the_counts() -> None:
    counts = torch.full((400, 8, 8), 20.0)
    sight = drawn(counts, counts)
    owned = sight.known_before.any(dim=(1, 2)).double().mean()
    assert 0.4 < owned < 0.6
    before = sight.before[sight.known_before]
    assert 10 < before.mean() < 22
    assert before.std() > 1


def test_every_scene_is_seen_several_times_and_sights_repeat_with_the_seed() -> None:
    maps = [Counts(mean=torch.full((1, 8, side), 0.5), dispersion=torch.ones(1, 8, side)) for side in (8, 12)]
    counts = [torch.ones(8, side) for side in (8, 12)]
    one, two, other = (draw_sights(maps, counts, seed) for seed in (1, 1, 2))
    assert [tuple(scene.counts.shape) for scene in one] == [(SIGHTS, 8, 8), (SIGHTS, 8, 12)]
    assert all(torch.equal(a.sight.observed, b.sight.observed) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0].sight.observed, other[0].sight.observed)
