"""Figures of a counting bundle on tiles made by hand, whose policy knows every count."""

import json
from dataclasses import replace
from itertools import product

import pytest
import torch

from models.manifest import CountManifest, CurvePoint, ValueCurve
from tests.support.bundles import make_count_manifest
from tests.support.object_tiles import object_tiles
from training.objects.card import write_card
from training.objects.measure import curve_of, figures
from training.objects.operating import OPERATING_PATCHES, place_thresholds
from training.objects.presence import presence_auc
from training.objects.tiles import ObjectTiles

FIXED_FIRST = 5
"""The patch that Fixed-H buys first."""
THRESHOLDS = (0.0, 1.5, 4.0, 100.0)


def known(counts: list[dict[int, int]], sites: tuple[str, ...] = ()) -> ObjectTiles:
    """Make tiles of which the policy expects what is there."""
    tiles = object_tiles(counts, sites=sites)
    mean = tiles.counts.clamp_min(1e-6)
    return replace(tiles, mean=mean, variance=1.01 * mean, presence=1 - torch.exp(-mean))


def manifest() -> CountManifest:
    points = tuple(CurvePoint(threshold=threshold, mean_patches=0, accuracy=0) for threshold in THRESHOLDS)
    return make_count_manifest(values={"find": ValueCurve(threshold=4.0, curve=points)}, default_task="find")


@pytest.mark.parametrize("counts", list(product((0, 2, 12), repeat=2)))
def test_figures_of_two_patches_are_those_of_every_choice(counts: tuple[int, int]) -> None:
    tiles = known([{3: counts[0], FIXED_FIRST: counts[1]}, {0: 1}])
    measured = figures(tiles, manifest())
    assert measured["objects"] == sum(counts) + 1
    for point, threshold in zip(measured["tasks"]["find"]["curve"], THRESHOLDS, strict=True):
        bought = [count for count in (*counts, 1) if count >= threshold]
        assert point["found"]["value"] == pytest.approx(sum(bought) / measured["objects"], abs=1e-4)
        assert point["mean_patches"] == (len(bought) if threshold else 32) / 2
    assert measured["nothing"]["found"]["value"] == 0
    assert measured["everything"] == {
        "mean_patches": 16.0,
        "accuracy": {"value": 1.0, "low": 1.0, "high": 1.0},
        "found": {"value": 1.0, "low": 1.0, "high": 1.0},
        "count_error": {"value": 0.0, "low": 0.0, "high": 0.0},
    }


def test_fixed_h_is_measured_at_the_same_number_of_patches() -> None:
    # The task buys patch 3 of one of two tiles, S = 0.5: Fixed-H then finds half of its first patch.
    tiles = known([{3: 12, FIXED_FIRST: 2}, {FIXED_FIRST: 2}])
    served = figures(tiles, manifest())["tasks"]["find"]["served"]
    assert (served["mean_patches"], served["fixed_h"]["mean_patches"]) == (0.5, 0.5)
    assert served["found"]["value"] == pytest.approx(12 / 16)
    assert served["fixed_h"]["found"]["value"] == pytest.approx(0.5 * 4 / 16)
    assert served["gain"]["found"]["value"] == pytest.approx(10 / 16)


def test_intervals_resample_sites() -> None:
    tiles = known([{3: 4}, {3: 4}, {7: 1}, {7: 1}], sites=("a", "a", "b", "b"))
    found = figures(tiles, manifest())["tasks"]["find"]["served"]["found"]
    # A resample holds site a, site b, or both.
    assert (found["low"], found["value"], found["high"]) == (0.0, 0.8, 1.0)


def test_curve_of_a_measurement_is_read_back_by_the_manifest() -> None:
    measured = figures(known([{3: 12}, {}]), manifest())["tasks"]["find"]
    curve = curve_of(json.loads(json.dumps(measured)))
    assert [point.threshold for point in curve] == list(THRESHOLDS)
    assert (curve[0].mean_patches, curve[0].found, curve[0].count_error) == (16, 1, 0)
    assert (curve[-1].mean_patches, curve[-1].found) == (0, 0)


def test_coverage_is_the_share_of_counts_inside_their_intervals() -> None:
    sure = known([{3: 12}, {}])
    assert figures(sure, manifest())["coverage"]["read"] == {"0.8": 1.0, "0.95": 1.0}
    wrong = replace(sure, read=sure.read + 1)
    assert figures(wrong, manifest())["coverage"]["read"] == {"0.8": 0.0, "0.95": 0.0}


def test_presence_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    tiles = object_tiles([{0: 1, 1: 3}])
    presence = torch.zeros_like(tiles.presence)
    presence[0, 0], presence[0, 2] = 0.5, 0.9
    # Patch 0 is above 13 empty patches and below one; patch 1 ties with 13 and is below one.
    exact = (13 + 13 / 2) / 28
    assert presence_auc(replace(tiles, presence=presence)) == pytest.approx((exact, exact, exact))  # one site


def test_figures_of_tiles_without_objects_have_no_presence_auc_and_no_nan() -> None:
    measured = figures(known([{}, {}]), manifest())
    assert measured["presence_auc"] is None
    json.dumps(measured, allow_nan=False)


def test_thresholds_buy_the_patches_that_they_are_placed_for() -> None:
    values = torch.rand(50, 16, generator=torch.Generator().manual_seed(0))
    placed = place_thresholds(values)
    bought = [float((values >= point.threshold).sum()) / 50 for point in placed.curve]
    assert bought == [16, 12, 8, 6, 5, 4, 3, 2, 1, 0]
    assert float((values >= placed.threshold).sum()) / 50 == OPERATING_PATCHES


@pytest.mark.parametrize("largest", [1e-4, 0.3, 5.0, 4000.0])
def test_the_last_threshold_is_above_every_value(largest: float) -> None:
    values = torch.rand(20, 16, generator=torch.Generator().manual_seed(0)) * largest
    assert place_thresholds(values).curve[-1].threshold >= 5 * largest


def test_card_states_the_licence_and_every_task() -> None:
    tiles = known([{3: 12}, {7: 2}])
    notes = {
        "recipe": "tanks", "seed": 0, "hardware": "2 CPU cores", "minutes": 3.0, "lr": "simulated",
        "sensor_gap": True, "sites": {"train": 5, "validation": 1, "test": 2},
    }  # fmt: skip
    measured = figures(tiles, manifest())
    bundle = replace(
        manifest(), licence="CC BY-NC-SA 4.0", curve_split="test", evaluation={**notes, "test": measured}
    )
    card = write_card(bundle, 8_000_000)
    assert "**CC BY-NC-SA 4.0**" in card
    assert "| **task `find`: objects in bought patches** | 0.50 | 100.0 [100.0, 100.0] | 85.7 " in card
    assert "**simulated**" in card
    assert "not stated by its maker" in write_card(replace(bundle, licence=""), 8_000_000)
