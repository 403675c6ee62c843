"""`loupe-train fit` and `evaluate` on tiny images: every stage for two epochs, broken off and resumed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from models.bundle import ClassifyBundle, load_bundle
from tests.support.training import write_data
from training.cli import app
from training.product import stages as product_module

STAGES = ("hr", "lr", "filled", "fold0", "fold0_lr", "fold1", "fold1_lr", "values", "polish")
RUNNER = CliRunner()


def fit(data: Path, out: Path, *options: str) -> Result:
    return RUNNER.invoke(
        app, ["fit", "smoke", "--data", str(data), "--out", str(out), "--device", "cpu", *options]
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("training") / "tiny")


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken")
    result = fit(data, out)
    assert result.exit_code == 0, result.output
    return out


def shipped(out: Path) -> ClassifyBundle:
    return load_bundle({p.name: p.read_bytes() for p in (out / "bundle").iterdir()}, "classify")


def test_fit_runs_every_stage_and_logs_finite_metrics(unbroken: Path) -> None:
    lines = [json.loads(line) for line in (unbroken / "metrics.jsonl").read_text().splitlines()]
    epochs = [(line["stage"], line["epoch"]) for line in lines if "epoch" in line]
    assert epochs == [(s, e) for s in STAGES for e in (0, 1)]
    numbers = [value for line in lines for value in line.values() if isinstance(value, float)]
    assert torch.isfinite(torch.tensor(numbers)).all()


def test_fit_moves_the_policy_in_the_polish(unbroken: Path) -> None:
    old, new = (load_file(unbroken / f"{name}.safetensors") for name in ("values", "polish"))
    assert not torch.equal(old["policy/backbone.head.weight"], new["policy/backbone.head.weight"])


def test_fit_resumed_ends_as_an_unbroken_run(
    data: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(*_arguments: object, **_options: object) -> None:
        raise ValueError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(product_module, "train_policy", power_cut)
        assert fit(data, tmp_path).exit_code == 2
    (tmp_path / "values.safetensors").unlink()  # as if cut before the first epoch of a stage was saved
    resumed = fit(data, tmp_path, "--resume", "--version", "2.1.0", "--json")
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout) == {"wrote": [str(tmp_path / "bundle")]}
    for name in ("policy", "hr", "lr"):
        file = f"bundle/{name}.safetensors"
        assert (tmp_path / file).read_bytes() == (unbroken / file).read_bytes()
    assert "`smoke` 2.1.0" in (tmp_path / "bundle" / "README.md").read_text()


def test_fit_does_not_overwrite_an_earlier_run(data: Path, unbroken: Path) -> None:
    result = fit(data, unbroken)
    assert result.exit_code == 2
    assert "--resume" in result.output


def test_evaluate_reproduces_the_card_exactly(data: Path, unbroken: Path, tmp_path: Path) -> None:
    written = tmp_path / "measured.json"
    result = RUNNER.invoke(
        app, ["evaluate", str(unbroken / "bundle"), "--data", str(data), "--out", str(written), "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(written.read_text())
    assert "The measurement equals the card." in result.output
    evaluation = shipped(unbroken).manifest.evaluation
    assert json.loads(written.read_text()) == evaluation["test"]
    accuracy = evaluation["test"]["policy"]["accuracy"]
    assert f"{100 * accuracy:.1f} %" in (unbroken / "bundle" / "README.md").read_text()


def test_fit_places_the_operating_point_near_the_recipes_target(unbroken: Path) -> None:
    manifest = shipped(unbroken).manifest
    sizes = [point.mean_patches for point in manifest.curve]
    assert manifest.threshold == 0.5
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (16.0, 0.0)
    assert 2.0 < manifest.evaluation["test"]["policy"]["mean_patches"] < 6.0


def test_fit_says_what_is_wrong_with_the_data(tmp_path: Path) -> None:
    result = fit(tmp_path / "nowhere", tmp_path / "out")
    assert result.exit_code == 2
    assert "neither a folder nor a tar" in " ".join(result.output.split())
