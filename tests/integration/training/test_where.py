"""`loupe-train data tile` and `table where` on tiny scenes: two steps of every network, and the report."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from models.grid import PATCHES
from tests.support.object_scenes import RECIPE, cut_tiny_scenes
from training.cli import app
from training.paper.rows import MeasuredRow, save_row
from training.paper.runner import rows_folder
from training.where import curves, dollars, evidence
from training.where.dollars import BUDGETS
from training.where.orders import ORACLE, OURS
from training.where.rows import LABEL_ORACLE, PORTFOLIO
from training.where.table import PATCHES_BOUGHT

RUNNER = CliRunner()


@pytest.fixture(autouse=True, scope="module")
def few_sizes() -> Iterator[None]:
    """Measure few sizes of every curve: a report then takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (dollars, evidence):
            patch.setattr(module, "SWEPT", (0.0, *BUDGETS, 16.0))
        patch.setattr(curves, "DRAWN", (1.0, 4.0, 16.0))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_tiny_scenes(tmp_path_factory.mktemp("where"))


def measure(data: Path, out: Path, *options: str) -> Result:
    return RUNNER.invoke(
        app,
        [
            *["table", "where", "--recipe", str(data / "tiny.toml"), "--data", str(data / "cut")],
            *["--out", str(out), "--device", "cpu", *options],
        ],
    )


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report/where-tiny.json").read_text())
    return found


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("out")
    result = measure(data, place, "--seed", "0", "--seed", "1")
    assert result.exit_code == 0, result.output
    return place


def test_table_where_trains_every_network_and_reports_every_order(out: Path) -> None:
    stages = [json.loads(line)["stage"] for line in (out / "seed1/metrics.jsonl").read_text().splitlines()]
    policies = ("fold0", "fold1", "fold2", "policy0", "policy1")
    assert stages == ["counter", *(name for name in policies for _ in range(2))]
    found = report(out)
    assert found["seeds"] == [0, 1]
    for row in found["rows"]:
        for column in ("found", "right", "right_perfect", "count_error", "count_error_perfect"):
            assert len(row[column]) == len(PATCHES_BOUGHT)
            assert np.isfinite(row[column]).all()
        assert row["right_perfect"][-1] == 1
        if row["order"] != LABEL_ORACLE:  # which never buys more than it needs
            assert (row["found"][0], row["found"][-1], row["count_error_perfect"][-1]) == (0, 1, 0)
    oracle = next(row for row in found["rows"] if (row["order"], row["spending"]) == (ORACLE, PORTFOLIO))
    for row in found["rows"]:
        assert (np.array(row["found"]) <= np.array(oracle["found"]) + 1e-9).all()
    assert f"| {OURS} |" in (out / "report/where-tiny.md").read_text()


def test_table_where_bills_every_patch_size_and_draws_its_pictures(out: Path) -> None:
    found, text = report(out), (out / "report/where-tiny.md").read_text()
    # Scenes of 2 x 2 tiles: patches of 10 m, and of 20 m in one tile of 80 m.
    assert {bill["patch_m"] for bill in found["bills"]} == {10, 20}
    for bill in found["bills"]:
        assert all(-1e-9 <= share[0] <= 1 for share in bill["saving"].values())
    for picture in ("dollars", "short", "scenes", "calibration"):
        assert f"(where-tiny-{picture}.png)" in text
        assert (out / f"report/where-tiny-{picture}.png").stat().st_size > 10_000


def test_table_where_repeated_gives_the_same_figures_beside_the_papers_methods(data: Path, out: Path) -> None:
    before = report(out)
    selected = torch.zeros(before["test_tiles"], PATCHES, dtype=torch.bool)
    selected[:, :3] = True
    right = torch.ones(len(selected))
    row = MeasuredRow(method="patchdrop", stage="ft2", right=right, selected=selected, facts={})
    save_row(rows_folder(data / "paper/seed0", "1"), row)
    result = measure(data, out, "--seed", "0", "--seed", "1", "--paper", str(data / "paper"))
    assert result.exit_code == 0, result.output
    after = report(out)
    (rival,) = after.pop("rivals")
    assert (rival["name"], rival["patches"], rival["right"]) == ("PatchDrop Ft-2", 3.0, 1.0)
    assert "| PatchDrop Ft-2 | 3.00 |" in (out / "report/where-tiny.md").read_text()
    assert after.pop("command").endswith("--paper PAPER")
    assert after == {name: value for name, value in before.items() if name not in ("rivals", "command")}


def test_table_where_pools_folds_tested_by_networks_of_the_others(data: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace("members = 2", "members = 1").replace("epochs = 2", "epochs = 1")
    (tmp_path / "tiny.toml").write_text(recipe)
    (tmp_path / "cut").symlink_to(data / "cut")
    result = measure(tmp_path, tmp_path, "--fold", "0", "--fold", "1")
    assert result.exit_code == 0, result.output
    found = report(tmp_path)
    assert (found["test_tiles"], found["test_sites"], found["folds"]) == (24, 6, ["0", "1"])
    assert (tmp_path / "fold1/seed0/policy0.safetensors").is_file()
    perfect = measure(tmp_path, tmp_path, "--fold", "0", "--fold", "1", "--perfect-reading")
    assert perfect.exit_code == 0, perfect.output
    without = report(tmp_path)
    for one, other in zip(without["rows"], found["rows"], strict=True):
        assert one["right"] == one["right_perfect"] == other["right_perfect"]
        if one["order"] != LABEL_ORACLE:  # which buys by what is read
            assert one["found"] == other["found"]
    wrong = measure(tmp_path, tmp_path, "--fold", "7")
    assert "no fold '7'" in " ".join(wrong.output.split())


def test_table_where_with_perfect_reading_trains_no_counter(data: Path, tmp_path: Path) -> None:
    result = measure(data, tmp_path, "--perfect-reading")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "seed0/metrics.jsonl").read_text().splitlines()
    assert {json.loads(line)["stage"] for line in lines} == {"policy0", "policy1"}
    found, text = report(tmp_path), (tmp_path / "report/where-tiny.md").read_text()
    assert found["command"].endswith("--perfect-reading")
    assert (found["reading"], list(found["matched"])) == ("perfect", ["read without errors"])
    assert "read without errors: no counter was trained" in text
    assert "read by the counter" not in text


def test_table_where_refuses_another_folder_and_rows(data: Path, tmp_path: Path) -> None:
    result = measure(data, tmp_path, "--row", "product")
    assert result.exit_code == 2
    assert "always has all its rows" in " ".join(result.output.split())
    wrong = RUNNER.invoke(app, ["table", "where", "--recipe", "tanks", "--data", str(tmp_path), "--out", "x"])
    assert wrong.exit_code == 2
    assert "dataset.json" in wrong.output
