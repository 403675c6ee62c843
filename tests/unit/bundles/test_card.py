"""The served bundle's card, and the checks that a request or a plan means that bundle."""

import pytest
import torch

from service.bundles.card import (
    BundleChangedError,
    BundleOut,
    BundleUnknownError,
    check_same_bundle,
    check_served,
    identify,
    images_measured,
)
from service.bundles.predictor import Predictor
from tests.support.bundles import make_bundle, make_manifest


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(make_bundle(), torch.device("cpu"))


def test_check_served_accepts_none_name_version_and_digest(predictor: Predictor) -> None:
    for wanted in (None, "tiny", "tiny@1", predictor.sha256):
        check_served(wanted, predictor)


@pytest.mark.parametrize("wanted", ["", "tiny@2", "tin", "0" * 64])
def test_check_served_refuses_other_bundles_and_names_the_served_one(
    predictor: Predictor, wanted: str
) -> None:
    with pytest.raises(BundleUnknownError, match="this server serves tiny@1") as caught:
        check_served(wanted, predictor)
    assert caught.value.extra["served"] == identify(predictor)


def test_check_same_bundle_compares_digests_only(predictor: Predictor) -> None:
    check_same_bundle({"bundle": {"name": "x", "version": "9", "sha256": predictor.sha256}}, predictor)
    with pytest.raises(BundleChangedError, match="tiny 1"):
        check_same_bundle({"bundle": identify(predictor) | {"sha256": "0" * 64}}, predictor)


@pytest.mark.parametrize(
    ("evaluation", "images"),
    [({"test": {"images": 120}}, 120), ({"test": {"images": 0}}, None), ({"test": {}}, None), ({}, None)],
)
def test_images_measured_is_none_unless_the_evaluation_counts_them(
    evaluation: dict[str, object], images: int | None
) -> None:
    assert images_measured(make_manifest(curve_split="test", evaluation=evaluation)) == images


def test_bundle_out_repeats_the_manifest_without_weights(predictor: Predictor) -> None:
    card = BundleOut.of(predictor).model_dump()
    assert (card["name"], card["tile_m"], card["sha256"]) == ("tiny", 80.0, predictor.sha256)
    assert not card.keys() & {"weights", "mean", "std", "format"}
