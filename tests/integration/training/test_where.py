"""`loupe-train data tile` and `table where` on tiny scenes: two steps of every network, and the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.support.object_scenes import cut_tiny_scenes
from training.cli import app
from training.objects.orders import OURS
from training.objects.table import PATCHES_BOUGHT

RUNNER = CliRunner()


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
    assert stages == ["policy0", "policy0", "policy1", "policy1", "counter"]
    found = report(out)
    assert found["seeds"] == [0, 1]
    for row in found["rows"]:
        for column in ("found", "right", "count_error"):
            assert len(row[column]) == len(PATCHES_BOUGHT)
            assert np.isfinite(row[column]).all()
    oracle = {row["spending"]: row["found"] for row in found["rows"] if row["order"].startswith("Oracle")}
    for row in found["rows"]:
        assert (np.array(row["found"]) <= np.array(oracle["one budget over all tiles"]) + 1e-9).all()
    assert f"| {OURS} |" in (out / "report/where-tiny.md").read_text()


def test_table_where_repeated_in_its_folder_gives_the_same_figures(data: Path, out: Path) -> None:
    before = report(out)
    result = measure(data, out, "--seed", "0", "--seed", "1")
    assert result.exit_code == 0, result.output
    assert report(out) == before


def test_table_where_refuses_another_folder_and_rows(data: Path, tmp_path: Path) -> None:
    result = measure(data, tmp_path, "--row", "product")
    assert result.exit_code == 2
    assert "always has all its rows" in " ".join(result.output.split())
    wrong = RUNNER.invoke(app, ["table", "where", "--recipe", "tanks", "--data", str(tmp_path), "--out", "x"])
    assert wrong.exit_code == 2
    assert "dataset.json" in wrong.output
