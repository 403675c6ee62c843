"""What the report `where` says and draws, by hand-made numbers."""

from pathlib import Path

import pytest
import torch

from models.grid import PATCHES
from training.data.images import DataError
from training.paper.rows import MeasuredRow, save_row
from training.paper.runner import rows_folder
from training.where.figures import rising
from training.where.rivals import read_rivals
from training.where.rows import PER_TILE, PORTFOLIO
from training.where.text import controls_text


def gain(low: float, high: float) -> dict[str, object]:
    middle = (low + high) / 2
    differs = not low <= 0 <= high
    return {"found": 0.5, "rival": 0.4, "gain": middle, "low": low, "high": high, "differs": differs}


def controls(other: tuple[float, float], scenes: tuple[float, float]) -> str:
    both = {"other_lr": gain(*other), "whole_scenes": gain(*scenes)}
    return controls_text(
        {"patches": 4.0} | {name: {PER_TILE: one, PORTFOLIO: one} for name, one in both.items()}
    )


def test_report_claims_a_gain_over_whole_scenes_only_beyond_its_interval() -> None:
    assert "cannot be told apart from zero" in controls((-0.1, 0.1), (-0.01, 0.11))
    assert "can be told apart from zero" in controls((-0.1, 0.1), (0.02, 0.11))


@pytest.mark.parametrize("interval", [(-0.1, 0.1), (-0.2, -0.1)])
def test_report_says_that_another_lr_finds_no_more(interval: tuple[float, float]) -> None:
    assert "finds no more objects than Fixed-H" in controls(interval, (0.1, 0.2))
    assert "finds more objects than Fixed-H" in controls((0.1, 0.2), (0.1, 0.2))


def test_a_size_that_a_larger_one_undercuts_is_not_drawn() -> None:
    assert rising([10, 30, 20, 40]) == [0, 2, 3]
    assert rising([5]) == [0]


def test_rows_of_other_tiles_and_folders_without_rivals_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row of STN or PatchDrop"):
        read_rivals(tmp_path, 3)
    selected = torch.ones(2, PATCHES, dtype=torch.bool)
    row = MeasuredRow(method="stn", stage="pt", right=torch.ones(2), selected=selected, facts={})
    save_row(rows_folder(tmp_path / "seed0", "1"), row)
    with pytest.raises(DataError, match="of other tiles"):
        read_rivals(tmp_path, 3)
    (rival,) = read_rivals(tmp_path, 2)
    assert (rival.name, rival.patches) == ("STN Pt", 16)
