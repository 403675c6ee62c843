import hashlib
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
import torch

from models.bundle import (
    MANIFEST,
    BundleError,
    ClassifyBundle,
    ClassifyManifest,
    CurvePoint,
    build_bundle,
    dump_bundle,
    load_bundle,
    manifest_from_json,
    manifest_to_json,
)

DIGESTS = {f"{name}.safetensors": "0" * 64 for name in ("policy", "hr", "lr")}


def manifest(**changes: object) -> ClassifyManifest:
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "mode": "product",
        "classes": ("forest", "harbour"),
        "hr_size": 16,
        "lr_size": 4,
        "tile_m": 16.0,
        "lr_gsd_m": 4.0,
        "hr_gsd_m": 1.0,
        "mean": (127.0, 127.0, 127.0),
        "std": (128.0, 128.0, 128.0),
        "fill": "lr",
        "backbones": {"policy": "resnet8", "hr": "resnet8", "lr": "resnet8"},
        "input_sizes": {"policy": 8, "hr": 16, "lr": 8},
        "fusion_exponent": 0.5,
        "temperature": 0.9,
        "curve": (CurvePoint(threshold=0.5, mean_patches=4.25, accuracy=0.9),),
        "curve_split": "test",
        "evaluation": {"test": {"images": 3}},
        "data_digest": "abc",
        "git_revision": "def",
        "weights": DIGESTS,
    }
    return ClassifyManifest(**(fields | changes))


def test_manifest_without_uncertainty_exponent_keeps_its_text() -> None:
    before = manifest_to_json(manifest())
    assert "doubt_exponent" not in before
    read = manifest_from_json(before)
    assert isinstance(read, ClassifyManifest)
    assert read.uncertainty_exponent == 0
    assert manifest_to_json(manifest_from_json(before)) == before


def test_manifest_without_licence_keeps_its_text_and_a_licence_is_kept() -> None:
    assert "licence" not in manifest_to_json(manifest())
    assert manifest_from_json(manifest_to_json(manifest(licence="CC BY 4.0"))).licence == "CC BY 4.0"


def test_classifying_manifest_has_the_one_task_label() -> None:
    one = manifest(threshold=0.4)
    assert (one.tasks, one.default_task) == (("label",), "label")
    assert (one.threshold_for("label"), one.curve_for("label")) == (0.4, one.curve)
    with pytest.raises(ValueError, match="no task 'find', only label"):
        one.threshold_for("find")


def test_manifest_writes_the_uncertainty_exponent_under_its_released_name() -> None:
    document = json.loads(manifest_to_json(manifest(uncertainty_exponent=1.5)))
    assert document["doubt_exponent"] == 1.5
    assert "uncertainty_exponent" not in document


def test_bundle_keeps_its_uncertainty_exponent(bundle: ClassifyBundle) -> None:
    weighs = ClassifyBundle(manifest(uncertainty_exponent=1.5), bundle.policy, bundle.classifier)
    assert load_bundle(dump_bundle(weighs), "classify").policy.config.uncertainty_exponent == 1.5


@pytest.fixture(scope="module")
def bundle() -> ClassifyBundle:
    torch.manual_seed(0)
    return build_bundle(manifest())


def altered(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    document = json.loads(files[MANIFEST]) | changes
    return files | {MANIFEST: json.dumps(document).encode()}


def test_manifest_round_trips_through_json() -> None:
    assert manifest_from_json(manifest_to_json(manifest())) == manifest()


def test_bundle_loads_as_it_was_dumped(bundle: ClassifyBundle) -> None:
    files = dump_bundle(bundle, version="2.0.0")
    loaded = load_bundle(files | {"README.md": b"a card"}, "classify")
    assert loaded.manifest.version == "2.0.0"
    assert dump_bundle(loaded) == files
    assert all(p.dtype == torch.float32 for p in loaded.policy.parameters())
    assert not loaded.policy.training
    assert not loaded.classifier.training


def test_bundle_in_half_precision_keeps_its_predictions(bundle: ClassifyBundle) -> None:
    loaded = load_bundle(dump_bundle(bundle), "classify")
    lr, hr, selected = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 16, 16), torch.eye(16)[:2]
    with torch.inference_mode():
        assert torch.allclose(loaded.policy(lr), bundle.policy(lr), atol=0.02)
        assert torch.allclose(
            loaded.classifier(hr, lr, selected), bundle.classifier(hr, lr, selected), atol=0.01
        )


def test_bundle_digest_covers_the_weights(bundle: ClassifyBundle) -> None:
    first = load_bundle(dump_bundle(bundle))
    other = load_bundle(dump_bundle(build_bundle(bundle.manifest)))
    assert first.sha256 == load_bundle(dump_bundle(bundle)).sha256
    assert first.sha256 != other.sha256


def test_load_bundle_refuses_weights_that_differ_from_the_manifest(bundle: ClassifyBundle) -> None:
    files = dump_bundle(bundle)
    changed = bytearray(files["hr.safetensors"])
    changed[-1] ^= 1
    with pytest.raises(BundleError, match=r"sha256 of hr\.safetensors"):
        load_bundle(files | {"hr.safetensors": bytes(changed)})


@pytest.mark.parametrize("name", [MANIFEST, "policy.safetensors", "lr.safetensors"])
def test_load_bundle_names_a_missing_file(bundle: ClassifyBundle, name: str) -> None:
    files = dump_bundle(bundle)
    del files[name]
    with pytest.raises(BundleError, match=f"lacks {name}"):
        load_bundle(files)


class Tattle:
    """An object that leaves a trace if anything unpickles it."""

    unpickled = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Tattle, "unpickled", True)


def with_content(bundle: ClassifyBundle, content: bytes) -> dict[str, bytes]:
    files = dump_bundle(bundle)
    weights = json.loads(files[MANIFEST])["weights"]
    weights["lr.safetensors"] = hashlib.sha256(content).hexdigest()
    return altered(files | {"lr.safetensors": content}, weights=weights)


def test_load_bundle_never_unpickles(bundle: ClassifyBundle) -> None:
    with pytest.raises(BundleError, match=r"lr\.safetensors"):
        load_bundle(with_content(bundle, pickle.dumps(Tattle())))
    assert not Tattle.unpickled


def test_load_bundle_refuses_weights_of_another_network(bundle: ClassifyBundle) -> None:
    with pytest.raises(BundleError, match=r"lr\.safetensors"):
        load_bundle(with_content(bundle, dump_bundle(bundle)["policy.safetensors"]))


def test_load_bundle_refuses_weights_that_are_not_finite() -> None:
    broken = build_bundle(manifest())
    with torch.no_grad():
        next(broken.classifier.lr.parameters()).fill_(float("nan"))
    with pytest.raises(BundleError, match="not finite"):
        load_bundle(dump_bundle(broken))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mode": "magic"}, "mode"),
        ({"classes": ["one"]}, "classes"),
        ({"classes": ["one", "one"]}, "classes"),
        ({"hr_size": 18, "input_sizes": {"policy": 8, "hr": 18, "lr": 8}}, "multiple of 4"),
        ({"hr_size": 32}, "input_sizes hr"),
        ({"hr_size": True}, "hr_size"),
        ({"lr_size": 0}, "lr_size"),
        ({"tile_m": 0}, "tile_m"),
        ({"tile_m": float("nan")}, "tile_m"),
        ({"std": [1, 1, 0]}, "std"),
        ({"mean": [1, 1]}, "mean"),
        ({"bands": ["blue", "green", "red"]}, "bands"),
        ({"fill": "magenta"}, "fill"),
        ({"threshold": 1.5}, "threshold"),
        ({"fusion_exponent": 0}, "fusion_exponent"),
        ({"curve": [{"threshold": 0.5}]}, "curve"),
        ({"backbones": {"policy": "resnet8"}}, "backbones"),
        ({"backbones": {"policy": "hf_hub:x/y", "hr": "resnet8", "lr": "resnet8"}}, "backbone .* is unknown"),
        ({"weights": {"policy.safetensors": "0"}}, "weights"),
        ({"format": 2}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"kind": "weigh"}, "kind"),
        ({"kind": []}, "kind"),
        ({"kind": "count"}, "lacks the fields"),
        ({"default_task": "find"}, "default_task"),
        ({"licence": None}, "licence"),
        ({"tile_m": 10**400}, "tile_m"),
    ],
)
def test_load_bundle_names_the_wrong_field_of_a_manifest(
    bundle: ClassifyBundle, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BundleError, match=complaint):
        load_bundle(altered(dump_bundle(bundle), **changes))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"{}"])
def test_load_bundle_refuses_a_file_that_is_no_manifest(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest"):
        load_bundle({MANIFEST: content})


def test_build_bundle_follows_the_manifest() -> None:
    built = build_bundle(replace(manifest(), fill="zero", temperature=2.0))
    assert (built.classifier.fill, built.classifier.temperature, built.policy.config.input_size) == (
        "zero",
        2.0,
        8,
    )
