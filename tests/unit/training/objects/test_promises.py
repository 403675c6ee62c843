"""Guarantees of bundles, on made sites whose policy knows what their patches hold."""

from dataclasses import replace

import pytest
import torch

from tests.support.bundles import make_count_manifest
from tests.support.object_tiles import object_tiles
from training.objects.card_sections import guarantees_section, second_look_section
from training.objects.measure import figures
from training.objects.promises import EPSILONS, PROMISED, certified
from training.objects.tiles import ObjectTiles

BINS = (1, 10)


def known(sites: int) -> ObjectTiles:
    """Return two tiles of each site, one of them with objects in one patch, which the policy expects."""
    tiles = object_tiles([{3: 4}, {}] * sites, mean=1e-3, sites=tuple(f"s{n // 2}" for n in range(2 * sites)))
    tiles.mean[::2, 3], tiles.variance[::2, 3] = 4.0, 6.0
    return tiles


def test_many_sites_certify_every_share_and_buy_no_more_than_they_need() -> None:
    found = certified(known(80), BINS)
    assert [(one.loss, one.at_most) for one in found] == [(loss, e) for loss in PROMISED for e in EPSILONS]
    for one in found:
        assert (one.sure, one.sites, one.task) == (0.9, 80, PROMISED[one.loss])
        assert one.mean_patches < 1
        assert one.threshold > 0


def test_few_sites_certify_only_large_shares() -> None:
    assert certified(known(5), BINS) == ()
    assert {one.at_most for one in certified(known(15), BINS)} == {0.2}


def test_a_value_that_says_nothing_certifies_nothing_by_less_than_everything() -> None:
    assert certified(object_tiles([{3: 4}, {}] * 80, mean=0.5, sites=tuple("ab" * 80)), BINS) == ()


def test_figures_measure_each_guarantee_by_perfect_readings() -> None:
    tiles = known(40)
    tiles = replace(tiles, read=torch.zeros_like(tiles.read))  # a counter that sees nothing
    manifest = make_count_manifest(guarantees=certified(tiles, BINS))
    measured = figures(tiles, manifest)["guarantees"]
    assert [(one["loss"], one["at_most"]) for one in measured] == [
        (one.loss, one.at_most) for one in manifest.guarantees
    ]
    for one, promised in zip(measured, manifest.guarantees, strict=True):
        assert one["mean_patches"] == pytest.approx(promised.mean_patches)
        assert one["mean_loss"] <= promised.at_most


def test_the_card_states_guarantees_and_what_is_not_certified() -> None:
    tiles = known(15)
    plain = make_count_manifest(guarantees=certified(tiles, BINS))
    test = {"guarantees": figures(tiles, plain)["guarantees"]}
    manifest = replace(plain, evaluation={"sites": {"train": 10, "validation": 5}, "test": test})
    section = guarantees_section(manifest)
    assert "| objects missed | 20 % | `find` |" in section
    assert "labels lost of at most 5 %, labels lost of at most 10 %, objects missed of at most 5 %" in section
    assert second_look_section(manifest) == []
