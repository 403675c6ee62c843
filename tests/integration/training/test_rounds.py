"""`loupe-train table rounds` on tiny scenes: two steps of every network, and the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.support.object_scenes import cut_tiny_scenes
from training.cli import app
from training.objects import guarantee
from training.objects.promises import EPSILONS
from training.rounds import rounds
from training.rounds.guaranteed_rows import LOSSES
from training.rounds.rows import BUDGETS, NAMES

STAGES = """
folds = 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = cut_tiny_scenes(tmp_path_factory.mktemp("rounds"))
    with (root / "tiny.toml").open("a") as recipe:
        recipe.write(STAGES)
    return root


def measure(data: Path, out: Path) -> Result:
    asked = ["table", "rounds", "--recipe", str(data / "tiny.toml"), "--data", str(data / "cut")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "RESAMPLES", 10)
        patch.setattr(guarantee, "ORDERS", 2)
        return CliRunner().invoke(app, [*asked, "--out", str(out), "--device", "cpu"])


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report/rounds-tiny.json").read_text())
    return found


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("out")
    result = measure(data, place)
    assert result.exit_code == 0, result.output
    return place


def test_table_rounds_trains_folds_beside_the_networks_of_where(out: Path) -> None:
    lines = (out / "seed0/metrics.jsonl").read_text().splitlines()
    stages = list(dict.fromkeys(json.loads(line)["stage"] for line in lines))
    assert stages == ["counter", "fold0", "fold1", "policy0", "policy1"]


def test_table_rounds_reports_every_way_and_guarantee(out: Path) -> None:
    found = report(out)
    assert [(row["patches"], row["name"]) for row in found["rounds"]] == [
        (patches, name) for patches in BUDGETS for name in NAMES
    ]
    for row in found["rounds"]:
        for gain in ("found_gain", "right_gain", "error_gain"):
            assert np.isfinite(list(row[gain].values())).all()
            if row["name"] == NAMES[0]:
                assert set(row[gain].values()) == {0.0}
    # Four sites certify nothing: everything is bought, and nothing is lost.
    assert len(found["guarantees"]) == len(EPSILONS) * sum(map(len, LOSSES.values()))
    for row in found["guarantees"]:
        assert (row["threshold"], row["patches"], row["risk"]) == (None, 16.0, 0.0)
    text = (out / "report/rounds-tiny.md").read_text()
    assert f"| 4 | {NAMES[-1]} |" in text
    assert "| objects missed | find | 5 % | everything |" in text


def test_table_rounds_repeated_in_its_folder_gives_the_same_figures(data: Path, out: Path) -> None:
    before = report(out)
    result = measure(data, out)
    assert result.exit_code == 0, result.output
    assert report(out) == before
