"""`loupe-train fit` and `evaluate` of a bundle that counts: two steps of every network on tiny scenes."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.bundle import CountBundle, dump_bundle, load_bundle
from tests.support.object_scenes import cut_tiny_scenes
from training.cli import app, bundles
from training.data.object_scenes import read_object_scenes
from training.objects.card import write_card

RUNNER = CliRunner()


def fit(data: Path, out: Path, *options: str) -> Result:
    words = ["fit", str(data / "tiny.toml"), "--data", str(data / "cut"), "--out", str(out)]
    return RUNNER.invoke(app, [*words, "--device", "cpu", "--version", "2.1.0", *options])


def evaluate(folder: Path, data: Path, *options: str) -> Result:
    return RUNNER.invoke(app, ["evaluate", str(folder), "--data", str(data), *options])


NETWORKS = ("fold", 3), ("policy", 2)
"""Stages of policies, and how many there are of each."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_tiny_scenes(tmp_path_factory.mktemp("counting"))


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("out")
    result = fit(data, place)
    assert result.exit_code == 0, result.output
    return place


@pytest.fixture(scope="module")
def bundle(out: Path) -> CountBundle:
    return load_bundle({path.name: path.read_bytes() for path in (out / "bundle").iterdir()}, "count")


def test_fit_trains_the_counter_and_the_policies_of_folds_and_those_that_ship(out: Path) -> None:
    stages = [json.loads(line)["stage"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    folds, policies = ([f"{name}{number}" for number in range(n) for _ in range(2)] for name, n in NETWORKS)
    assert stages == ["counter", *folds, *policies]


def test_fit_in_two_processes_learns_the_same_weights(
    data: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "stages_at_once", lambda _device: 2)
    result = fit(data, tmp_path)
    assert result.exit_code == 0, result.output
    for name in ("counter", "policy0", "policy1"):
        alone, apart = ((place / "bundle" / f"{name}.safetensors").read_bytes() for place in (out, tmp_path))
        assert alone == apart


def test_fit_states_the_data_set_in_the_manifest(data: Path, bundle: CountBundle) -> None:
    scenes, manifest = read_object_scenes(data / "cut"), bundle.manifest
    assert (manifest.name, manifest.version, manifest.objects) == ("tiny", "2.1.0", "pebbles")
    assert (manifest.licence, manifest.classes) == ("CC BY 4.0", ("0", "1 to 2", "3 or more"))
    assert (manifest.tile_m, manifest.data_digest) == (40.0, scenes.digest)
    assert manifest.tasks == ("label", "count", "find")
    assert manifest.evaluation["test"]["images"] == 4 * len(scenes.of("test"))


def test_fit_measures_a_curve_for_each_task_from_everything_to_nothing(bundle: CountBundle) -> None:
    for task in bundle.manifest.tasks:
        curve = bundle.manifest.curve_for(task)
        assert bundle.manifest.threshold_for(task) in [point.threshold for point in curve]
        assert [point.threshold for point in curve] == sorted({point.threshold for point in curve})
        assert (curve[0].mean_patches, curve[0].found) == (16, 1)
        assert (curve[-1].mean_patches, curve[-1].found) == (0, 0)


def test_the_card_states_the_second_look_and_what_few_sites_cannot_certify(
    out: Path, bundle: CountBundle
) -> None:
    look = bundle.manifest.second_look
    assert look is not None
    card = (out / "bundle/README.md").read_text()
    assert f"| {look.near:g} | {look.prior:g} |" in card
    # Four sites certify nothing by less than everything.
    assert bundle.manifest.guarantees == ()
    assert bundle.manifest.evaluation["test"]["guarantees"] == []
    assert "labels lost of at most 5 %" in card
    assert "4 sites certify no less than" in card


def test_fit_writes_the_card_of_the_manifest(out: Path, bundle: CountBundle) -> None:
    card = (out / "bundle/README.md").read_text()
    size = sum(path.stat().st_size for path in (out / "bundle").iterdir() if path.name != "README.md")
    assert card == write_card(bundle.manifest, size)
    assert "The licence of the training data is **CC BY 4.0**." in card


def test_evaluate_reproduces_the_card(out: Path, data: Path, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    result = evaluate(out / "bundle", data / "cut", "--out", str(written))
    assert result.exit_code == 0, result.output
    assert "The measurement equals the card." in result.output
    manifest = json.loads((out / "bundle/manifest.json").read_text())
    assert json.loads(written.read_text()) == manifest["evaluation"]["test"]


def test_evaluate_names_what_differs_from_the_card(
    out: Path, data: Path, bundle: CountBundle, tmp_path: Path
) -> None:
    test = bundle.manifest.evaluation["test"]
    shutil.copytree(out / "bundle", tmp_path / "bundle")
    boasted = dump_bundle(bundle, evaluation={"test": {**test, "objects": 10_000}})
    (tmp_path / "bundle/manifest.json").write_bytes(boasted["manifest.json"])
    result = evaluate(tmp_path / "bundle", data / "cut")
    assert result.exit_code == 1
    assert f"objects is 10000 on the card, and {test['objects']} in the measurement." in result.output


def test_evaluate_refuses_a_data_set_of_other_classes(out: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "cut", tmp_path / "cut")
    facts = json.loads((tmp_path / "cut/dataset.json").read_text())
    (tmp_path / "cut/dataset.json").write_text(json.dumps(facts | {"bins": [1, 4]}))
    result = evaluate(out / "bundle", tmp_path / "cut")
    assert result.exit_code == 2
    assert "bins is [1, 4]" in " ".join(result.output.split())


def test_fit_resumes_without_training_again(out: Path, data: Path) -> None:
    before = (out / "bundle/manifest.json").read_bytes()
    assert fit(data, out).exit_code == 2
    lines = (out / "metrics.jsonl").read_text()
    assert fit(data, out, "--resume").exit_code == 0
    assert (out / "metrics.jsonl").read_text() == lines
    assert (out / "bundle/manifest.json").read_bytes() == before


def test_fit_needs_a_scene_in_every_split(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "cut", tmp_path / "cut")
    scenes = (tmp_path / "cut/scenes.csv").read_text()
    (tmp_path / "cut/scenes.csv").write_text(scenes.replace(",validation,", ",train,"))
    shutil.copy(data / "tiny.toml", tmp_path)
    result = fit(tmp_path, tmp_path / "out")
    assert result.exit_code == 2
    assert "no scene of the split validation" in " ".join(result.output.split())


def test_fit_names_the_recipes_of_both_kinds(data: Path) -> None:
    result = RUNNER.invoke(app, ["fit", "silos", "--data", str(data), "--out", str(data / "x")])
    assert result.exit_code == 2
    message = " ".join(result.output.split())
    assert "There is no recipe 'silos'" in message
    assert "ucmerced" in message
    assert "tanks" in message
