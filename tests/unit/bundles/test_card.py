"""The card of a bundle."""

import pytest

from service.bundles.card import BundleOut, images_measured, images_named
from tests.support.bundles import hold, make_bundle, make_manifest


@pytest.mark.parametrize(
    ("evaluation", "images"),
    [({"test": {"images": 120}}, 120), ({"test": {"images": 0}}, None), ({"test": {}}, None), ({}, None)],
)
def test_images_measured_is_none_unless_the_evaluation_counts_them(
    evaluation: dict[str, object], images: int | None
) -> None:
    assert images_measured(make_manifest(curve_split="test", evaluation=evaluation)) == images


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("test", "its test images"),
        ("19 test sites", "19 test sites"),
        ("", "an evaluation set that it does not name"),
    ],
)
def test_images_are_named_as_a_sentence_needs_them(split: str, words: str) -> None:
    assert images_named(make_manifest(curve_split=split)) == words


def test_bundle_out_repeats_the_manifest_without_weights() -> None:
    predictor = hold(make_bundle())
    card = BundleOut.of(predictor, default=True).model_dump()
    assert (card["name"], card["tile_m"], card["sha256"]) == ("tiny", 80.0, predictor.sha256)
    assert (card["default"], card["licence"]) == (True, None)
    assert (card["kind"], card["mode"], card["objects"]) == ("classify", "product", None)
    assert card["tasks"] == [{"task": "label", "threshold": card["threshold"], "curve": card["curve"]}]
    assert not card.keys() & {"weights", "mean", "std", "format"}


def test_bundle_out_states_the_licence_that_binds_the_weights() -> None:
    predictor = hold(make_bundle(licence="CC BY-NC-SA 4.0"))
    assert BundleOut.of(predictor, default=False).licence == "CC BY-NC-SA 4.0"
