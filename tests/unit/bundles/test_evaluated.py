"""Measured rows of an evaluation, by the way in which patches were chosen."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.manifest import CurvePoint
from models.manifest_json import manifest_from_json
from service.bundles.evaluated import Way, measured_row
from tests.support.bundles import make_count_manifest, make_manifest

HERE = Path(__file__).parents[3] / "models" / "bundles"


@pytest.mark.parametrize(
    ("way", "patches", "at", "accuracy"),
    [
        ("nothing", 0, 0, 0.702),
        ("everything", 16, 16, 0.979),
        ("plan", 4.3, 4.2, 0.964),
        ("central", 4.3, 4, 0.967),
        ("random", 4.3, 4, 0.948),
        ("central", 0.2, 0, 0.702),
        ("random", 16, 16, 0.979),
    ],
)
def test_the_starter_bundle_has_rows_of_every_way(
    way: Way, patches: float, at: float, accuracy: float
) -> None:
    manifest = manifest_from_json((HERE / "starter" / "manifest.json").read_text())
    row = measured_row(manifest, "label", way, patches)
    assert row is not None
    assert (round(row.patches_per_tile, 1), round(row.accuracy, 3)) == (at, accuracy)
    assert (row.found, row.interval) == (None, None)


def test_a_bundle_that_counts_has_intervals_and_objects() -> None:
    manifest = manifest_from_json((HERE / "tanks" / "manifest.json").read_text())
    nothing = measured_row(manifest, "find", "nothing", 0)
    central = measured_row(manifest, "find", "central", 4)
    assert nothing is not None
    assert central is not None
    assert (nothing.accuracy, nothing.interval, nothing.found) == (0.7697, (0.7138, 0.8192), 0.0)
    assert (central.patches_per_tile, central.found, central.count_error) == (4, 0.2359, 5.5658)
    assert measured_row(manifest, "find", "random", 4) is None
    chosen = measured_row(manifest, "find", "plan", 4.2)
    assert chosen is not None
    assert chosen.interval is not None


def test_no_row_is_shown_for_a_number_that_was_not_measured() -> None:
    manifest = manifest_from_json((HERE / "starter" / "manifest.json").read_text())
    assert measured_row(manifest, "label", "central", 9.0) is not None
    assert measured_row(manifest, "label", "central", 9.1) is None


@pytest.mark.parametrize(
    "evaluation",
    [
        {},
        {"test": None},
        {"test": {"lr_only": 0.5, "baselines": []}},
        {"test": {"lr_only": {"accuracy": "?"}}},
    ],
    ids=json.dumps,
)
def test_an_evaluation_of_another_form_has_no_rows(evaluation: dict[str, Any]) -> None:
    ways: tuple[Way, ...] = ("nothing", "central", "random", "everything")
    for manifest in (
        make_manifest(evaluation=evaluation, curve_split="test"),
        make_count_manifest(evaluation=evaluation),
    ):
        assert [measured_row(manifest, "label", way, 0) for way in ways] == [None] * 4


def test_both_ends_of_a_curve_count_for_every_way() -> None:
    curve = tuple(
        CurvePoint(threshold=x, mean_patches=16 - 16 * x, accuracy=0.9 - x / 5) for x in (0.0, 0.5, 1.0)
    )
    manifest = make_manifest(curve=curve)
    ends: tuple[tuple[Way, int], ...] = (("nothing", 0), ("central", 16), ("random", 8))
    found = [measured_row(manifest, "label", way, at) for way, at in ends]
    assert [row and row.accuracy for row in found] == [pytest.approx(0.7), 0.9, None]
