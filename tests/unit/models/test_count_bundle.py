"""Bundles that count: their manifest, their files, and what their networks say."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from models.bundle import (
    MANIFEST,
    BundleError,
    CountBundle,
    CountManifest,
    CurvePoint,
    build_bundle,
    dump_bundle,
    load_bundle,
    manifest_from_json,
    manifest_to_json,
)
from models.manifest import Guarantee, ValueCurve, count_classes
from models.second_look import SecondLook
from tests.support.bundles import make_count_bundle, make_count_manifest, make_manifest

POINT = CurvePoint(threshold=0.5, mean_patches=4.25, accuracy=0.9, found=0.8, count_error=1.5)


def manifest(**changes: Any) -> CountManifest:
    return make_count_manifest(**changes)


@pytest.fixture(scope="module")
def bundle() -> CountBundle:
    return make_count_bundle(members=2)


def altered(bundle: CountBundle, **changes: object) -> dict[str, bytes]:
    files = dump_bundle(bundle)
    return files | {MANIFEST: json.dumps(json.loads(files[MANIFEST]) | changes).encode()}


def test_manifest_round_trips_through_json() -> None:
    one = manifest(members=2, licence="CC BY-NC-SA 4.0", weights=digests(2))
    text = manifest_to_json(one)
    assert json.loads(text)["kind"] == "count"
    assert manifest_from_json(text) == one


LOOK = SecondLook(near=1.5, prior=0.8, far_share=0.3, discount=0.4, before=0.5)
GUARANTEE = Guarantee(
    loss="labels", at_most=0.05, sure=0.9, sites=60, task="label", threshold=0.003, mean_patches=6.5
)


def test_second_look_and_guarantees_round_trip_through_json() -> None:
    more = replace(GUARANTEE, at_most=0.1, threshold=0.01)
    one = manifest(second_look=LOOK, guarantees=(GUARANTEE, more), weights=digests(1))
    assert manifest_from_json(manifest_to_json(one)) == one


def test_a_manifest_without_second_look_and_guarantees_does_not_name_them() -> None:
    written = json.loads(manifest_to_json(manifest()))
    assert written.keys().isdisjoint({"second_look", "guarantees"})


@pytest.mark.parametrize(
    ("field", "wrong", "said"),
    [
        ("second_look", asdict(LOOK) | {"near": 0}, "second_look is wrong: 0 is not in"),
        ("second_look", asdict(LOOK) | {"prior": 0}, "second_look is wrong: 0 is not in"),
        ("second_look", asdict(LOOK) | {"far_share": 1.5}, r"1\.5 is not in 0\.\.1"),
        ("second_look", asdict(LOOK) | {"discount": -1}, "-1 is not in"),
        ("second_look", asdict(LOOK) | {"before": 2}, r"2 is not in 0\.\.1"),
        ("second_look", {"near": 1}, "a second look has near, prior, far_share, discount and before"),
        ("second_look", None, "a second look has"),
        ("guarantees", [asdict(GUARANTEE) | {"loss": "money"}], "'money' is not one of labels, objects"),
        ("guarantees", [asdict(GUARANTEE) | {"at_most": 0}], r"0 is not in 0\.\.1"),
        ("guarantees", [asdict(GUARANTEE) | {"sure": 1.1}], r"1\.1 is not in 0\.\.1"),
        ("guarantees", [asdict(GUARANTEE) | {"sites": 0}], "0 is not an integer in"),
        ("guarantees", [asdict(GUARANTEE) | {"task": "search"}], "'search' is not one of"),
        ("guarantees", [asdict(GUARANTEE) | {"mean_patches": 17}], r"17 is not in 0\.\.16"),
        ("guarantees", [asdict(GUARANTEE)] * 2, "guarantee labels of at most 0.05 twice"),
    ],
)
def test_manifest_refuses_wrong_second_looks_and_guarantees(field: str, wrong: object, said: str) -> None:
    document = json.loads(manifest_to_json(manifest(weights=digests(1)))) | {field: wrong}
    with pytest.raises(BundleError, match=said):
        manifest_from_json(json.dumps(document))


def test_manifest_refuses_a_guarantee_on_a_task_that_it_does_not_offer() -> None:
    one = manifest(
        values={"find": ValueCurve(threshold=0.4)},
        default_task="find",
        guarantees=(GUARANTEE,),
        weights=digests(1),
    )
    with pytest.raises(BundleError, match="on the task label; its tasks are find"):
        manifest_from_json(manifest_to_json(one))


def test_a_classifying_manifest_has_no_second_look() -> None:
    document = json.loads(manifest_to_json(make_manifest())) | {"second_look": asdict(LOOK)}
    with pytest.raises(BundleError, match="unknown fields second_look"):
        manifest_from_json(json.dumps(document))


def digests(members: int) -> dict[str, str]:
    return {f"{name}.safetensors": "0" * 64 for name in manifest(members=members).networks}


def test_manifest_answers_by_task() -> None:
    values = {"find": ValueCurve(threshold=0.4, curve=(POINT,)), "label": ValueCurve(threshold=0.02)}
    one = manifest(values=values, default_task="find")
    assert one.tasks == ("find", "label")
    assert (one.threshold_for("find"), one.curve_for("find")) == (0.4, (POINT,))
    with pytest.raises(ValueError, match="no task 'count', only find, label"):
        one.curve_for("count")


@pytest.mark.parametrize(
    ("bins", "classes"),
    [
        ((1,), ("0", "1 or more")),
        ((1, 10), ("0", "1 to 9", "10 or more")),
        ((3, 4, 10), ("0 to 2", "3", "4 to 9", "10 or more")),
    ],
)
def test_classes_follow_from_bins(bins: tuple[int, ...], classes: tuple[str, ...]) -> None:
    assert count_classes(bins) == classes


def test_bundle_loads_as_it_was_dumped(bundle: CountBundle) -> None:
    files = dump_bundle(bundle, version="2.0.0")
    names = {MANIFEST, "policy0.safetensors", "policy1.safetensors", "counter.safetensors"}
    assert files.keys() == names
    loaded = load_bundle(files, "count")
    assert loaded.manifest.version == "2.0.0"
    assert dump_bundle(loaded) == files
    for network in loaded.networks.values():
        assert not network.training
        assert all(weight.dtype == torch.float32 for weight in network.parameters())


@torch.inference_mode()
def test_bundle_expects_the_mixture_of_its_members_over_any_scene(bundle: CountBundle) -> None:
    patch = bundle.manifest.lr_size // 4
    lr = torch.randn(1, 3, 3 * patch, 5 * patch)
    expected = bundle.expect(lr)
    first, second = (policy(lr) for policy in bundle.policies)
    assert expected.mean.shape == (1, 3, 5)
    assert torch.allclose(expected.mean, (first.mean + second.mean) / 2)
    apart = ((first.mean - second.mean) / 2).square()
    assert torch.allclose(expected.variance, (first.variance + second.variance) / 2 + apart, rtol=1e-4)


@torch.inference_mode()
def test_bundle_in_half_precision_keeps_its_predictions(bundle: CountBundle) -> None:
    loaded = load_bundle(dump_bundle(bundle), "count")
    lr = torch.randn(1, 3, bundle.manifest.lr_size, bundle.manifest.lr_size)
    assert torch.allclose(loaded.expect(lr).mean, bundle.expect(lr).mean, rtol=0.05, atol=0.01)


def test_load_bundle_refuses_another_kind(bundle: CountBundle) -> None:
    with pytest.raises(BundleError, match="of kind count; one of kind classify is needed"):
        load_bundle(dump_bundle(bundle), "classify")


def test_load_bundle_refuses_the_policy_in_the_place_of_the_counter(bundle: CountBundle) -> None:
    files = dump_bundle(bundle)
    weights = json.loads(files[MANIFEST])["weights"]
    weights["counter.safetensors"] = weights["policy0.safetensors"]
    swapped = altered(bundle, weights=weights) | {"counter.safetensors": files["policy0.safetensors"]}
    with pytest.raises(BundleError, match=r"counter\.safetensors does not hold the network"):
        load_bundle(swapped)


def test_load_bundle_refuses_weights_that_are_not_finite() -> None:
    broken = make_count_bundle()
    with torch.no_grad():
        next(broken.policies[0].parameters()).fill_(float("inf"))
    with pytest.raises(BundleError, match="not finite"):
        load_bundle(dump_bundle(broken))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"bins": []}, "bins"),
        ({"bins": [0, 10]}, "bins"),
        ({"bins": [1, 1001]}, "bins"),
        ({"bins": [10, 1]}, "bins 10, 1 do not rise"),
        ({"bins": [1, 5]}, "bins make 0, 1 to 4, 5 or more"),
        ({"objects": ""}, "objects"),
        ({"members": 9}, "members"),
        ({"members": 1}, "weights"),
        ({"views": 0}, "views"),
        ({"lr_size": 18}, "lr_size of 18 px is not a multiple of 4"),
        ({"hr_size": 36}, "patch of 9 px"),
        ({"policy_backbone": "hf_hub:x/y"}, "backbone .* is unknown"),
        ({"counter_backbone": "vgg11"}, "vgg11"),
        ({"values": {}}, "values"),
        ({"values": {"label": {"threshold": 1, "curve": []}, "sell": {}}}, "values"),
        ({"values": {"label": {"threshold": -1, "curve": []}}}, "values"),
        ({"values": {"label": {"threshold": 1, "curve": [{"threshold": 1}]}}}, "count_error"),
        ({"values": {"label": {"threshold": 1}}}, "threshold and curve"),
        ({"values": {"find": {"threshold": 1, "curve": []}}}, "default_task label"),
        ({"mode": "product"}, "mode"),
    ],
)
def test_load_bundle_names_the_wrong_field_of_a_manifest(
    bundle: CountBundle, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BundleError, match=complaint):
        load_bundle(altered(bundle, **changes))


def test_networks_of_the_recipe_for_tanks_stay_small_enough_to_ship() -> None:
    files = dump_bundle(
        build_bundle(manifest(policy_backbone="efficientnet_lite0", counter_backbone="efficientnet_lite0"))
    )
    assert sum(map(len, files.values())) < 14e6
