"""The bundle that ships in the repository."""

from pathlib import Path

import pytest
import torch

from models.bundle import ClassifyBundle, load_bundle, manifest_to_json
from training.product.card import write_card

STARTER = Path(__file__).parents[3] / "models" / "bundles" / "starter"
FILES = {path.name: path.read_bytes() for path in STARTER.iterdir()}


@pytest.fixture(scope="module")
def bundle() -> ClassifyBundle:
    return load_bundle(FILES, "classify")


def test_starter_bundle_fits_in_forty_megabytes() -> None:
    assert sum(map(len, FILES.values())) <= 40e6


def test_starter_manifest_is_written_as_it_was_released(bundle: ClassifyBundle) -> None:
    assert manifest_to_json(bundle.manifest).encode() == FILES["manifest.json"]
    assert bundle.sha256 == "191338d4cc7d204c42a746aa102299ccbc2290d4add2fd5cac78b9230d136544"


def test_starter_card_is_the_one_of_its_manifest(bundle: ClassifyBundle) -> None:
    size = sum(len(content) for name, content in FILES.items() if name != "README.md")
    assert FILES["README.md"].decode() == write_card(bundle.manifest, size)


def test_starter_operating_point_is_on_its_curve(bundle: ClassifyBundle) -> None:
    policy = bundle.manifest.evaluation["test"]["policy"]
    (point,) = [p for p in bundle.manifest.curve if p.threshold == bundle.manifest.threshold]
    assert (point.mean_patches, point.accuracy) == (policy["mean_patches"], policy["accuracy"])


def test_starter_curve_buys_less_as_the_threshold_rises(bundle: ClassifyBundle) -> None:
    points = bundle.manifest.curve
    assert [p.threshold for p in points] == sorted(p.threshold for p in points)
    assert [p.mean_patches for p in points] == sorted((p.mean_patches for p in points), reverse=True)
    assert (points[0].mean_patches, points[-1].mean_patches) == (16.0, 0.0)


@torch.inference_mode()
def test_starter_bundle_classifies_a_tile(bundle: ClassifyBundle) -> None:
    hr, lr = (torch.zeros(1, 3, size, size) for size in (bundle.manifest.hr_size, bundle.manifest.lr_size))
    utility = bundle.utilities(lr)
    assert utility.shape == (1, 16)
    assert 0 <= utility.min() <= utility.max() <= 1
    assert bundle.classifier(hr, lr, utility >= 0.5).sum().item() == pytest.approx(1.0, abs=1e-5)
