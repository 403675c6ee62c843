"""Two rounds over scenes with objects in one corner, and a second look that continues where it hit."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from models.counts import Counts
from models.second_look import SecondLook
from training.rounds import rounds
from training.rounds.rounds import Searched, gain_interval, share_found, threshold_for

GO_ON = SecondLook(near=1.0, prior=0.1, far_share=0.0, discount=0.0, before=0.0)
"""What was seen in a patch counts in its neighbours."""


def scene(number: int, corner: bool) -> tuple[Counts, Tensor]:
    """Return a map that expects most in the two corners, and counts that fill one of them."""
    mean = 0.1 + torch.arange(1, 65).reshape(1, 8, 8) * (1 + number / 100) * 1e-6
    mean[0, 0, 0], mean[0, 7, 7] = 2.0 + number / 1000, 2.1 + number / 1000
    counts = torch.zeros(1, 8, 8)
    counts[0, :3, :3] = 5 * corner
    return Counts(mean=mean, dispersion=torch.ones_like(mean)), counts


def searched(*corners: bool) -> tuple[Searched, list[Tensor]]:
    maps, counts = zip(*(scene(*one) for one in enumerate(corners)), strict=True)
    return Searched(maps, counts, GO_ON), list(counts)


def bought(choice: Sequence[Tensor]) -> list[int]:
    return [int(one.sum()) for one in choice]


def test_the_second_round_goes_on_where_the_first_hit() -> None:
    search, counts = searched(True, False)
    one, two = search.one_round(8, [1, 1]), search.two_rounds(8, [1, 1])
    assert sum(bought(one)) == sum(bought(two)) == 8
    assert share_found(search.one_round, counts, [1, 1], 1) == pytest.approx(1 / 9)
    # Both corners of both scenes, then the hit's neighbours.
    assert share_found(search.two_rounds, counts, [1, 1], 1) == pytest.approx(5 / 9)
    assert bought(two) == [6, 2]


def test_both_ways_spend_the_same_however_often_a_scene_stands_there() -> None:
    search, _ = searched(True, False, True)
    for copies in ([1, 1, 1], [2, 0, 1], [0, 3, 0]):
        for patches in (6, 12, 40):
            for choose in (search.one_round, search.two_rounds):
                spent = sum(
                    times * one for times, one in zip(copies, bought(choose(patches, copies)), strict=True)
                )
                # Copies of one scene are bought alike, so the last patch may cost one or two more or less.
                assert abs(spent - patches) <= 2


def test_threshold_for_leaves_the_wanted_number_above_it() -> None:
    values = [torch.tensor([1.0, 5.0, 3.0]), torch.tensor([4.0, 2.0])]
    assert threshold_for(values, [1, 1], 2) == 3.0
    assert threshold_for(values, [0, 1], 1) == 2.0
    assert threshold_for(values, [1, 1], 5) == -float("inf")


def test_revised_counts_are_computed_once_for_a_choice() -> None:
    search, _ = searched(True)
    choice = search.one_round(2, [1])[0]
    assert search.revised(0, choice) is search.revised(0, choice.clone())
    assert search.revised(0, choice) is not search.revised(0, ~choice)


def test_gain_interval_spends_its_own_budget_in_each_resample_of_sites(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "RESAMPLES", 50)
    search, counts = searched(True, True, True, True)
    low, _ = gain_interval([(search.two_rounds, search.one_round)], counts, ["a", "b", "c", "d"], 1)
    # Equal sites: resamples differ only by patches that copies share.
    assert low > 0
    same = gain_interval([(search.one_round, search.one_round)], counts, ["a", "a", "b", "b"], 1)
    assert same == (0.0, 0.0)
