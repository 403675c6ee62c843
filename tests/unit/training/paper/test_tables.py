"""Tables from rows, with numbers that can be computed by hand."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training.paper import figures
from training.paper.cells import Cell, Seeds, cells
from training.paper.published import BAGNET_MILLISECONDS, TABLES
from training.paper.render import write_table
from training.paper.rows import MeasuredRow, load_rows, save_row

FACTS: dict[str, Any] = {
    "command": "loupe-train table 2",
    "commit": "abc",
    "recipe": "toy",
    "seeds": [0, 1],
    "hardware": "none",
    "minutes": 1.0,
}


def row(method: str, stage: str, right: list[float], bought: int = 4, **facts: Any) -> MeasuredRow:
    selected = torch.zeros(len(right), 16).bool()
    selected[:, :bought] = True
    return MeasuredRow(method=method, stage=stage, right=torch.tensor(right), selected=selected, facts=facts)


SEEDS: Seeds = {
    0: [row("patchdrop", "pt", [1.0, 1.0, 1.0, 0.0]), row("fixed_h", "pt", [0.0, 1.0, 0.0, 0.0], 5)],
    1: [row("patchdrop", "pt", [1.0, 1.0, 1.0, 1.0], 6), row("fixed_h", "pt", [0.0, 1.0, 1.0, 1.0], 5)],
}


def cell(method: str, stage: str, data: str = "cifar10", seeds: Seeds = SEEDS) -> Cell:
    return next(c for c in cells("2", seeds, data) if (c.method, c.stage) == (method, stage))


def test_save_row_and_load_rows_round_trip(tmp_path: Path) -> None:
    saved = row("kd", "", [1.0, 0.0], 0, curve=[[0.0, 0.5]])
    save_row(tmp_path / "rows", saved)
    (loaded,) = load_rows(tmp_path / "rows")
    assert (loaded.method, loaded.stage, loaded.facts) == ("kd", "", {"curve": [[0.0, 0.5]]})
    assert torch.equal(loaded.right, saved.right)
    assert torch.equal(loaded.selected, saved.selected)
    assert (loaded.accuracy, loaded.mean_patches, loaded.standard_error) == (0.5, 0.0, math.sqrt(0.125))
    assert load_rows(tmp_path / "absent") == []


def test_cells_are_means_over_seeds_with_their_standard_error() -> None:
    ours = cell("patchdrop", "pt")
    assert (ours.accuracy, ours.patches, ours.seeds) == (0.875, 5.0, 2)
    assert ours.error == pytest.approx(0.125)  # of 0.75 and 1: sd 0.1768 / sqrt 2
    one = cell("patchdrop", "pt", seeds={0: SEEDS[0]})
    assert one.error == pytest.approx(math.sqrt(0.75 * 0.25 / 4))


def test_write_table_leaves_rows_not_run_empty_beside_the_paper(tmp_path: Path) -> None:
    empty = cell("patchdrop", "ft2")
    assert (empty.accuracy, empty.patches, empty.gain) == (None, None, None)
    assert empty.published == (91.5, 6.9)
    text = write_table("2", SEEDS, "cifar10", FACTS, tmp_path).read_text()
    assert "| PatchDrop | Ft-2 |  |  |  | 91.5 | 6.9 |  |" in text
    assert "| PatchDrop | Pt | 87.5 | 12.5 | 5.0 | 80.6 | 8.5 |  |" in text
    assert "These rows were not run and are empty: LR-CNN, SRGAN" in text
    stages = [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| PatchDrop |")]
    assert stages == ["Pt", "Ft-1", "Ft-2"]


def test_cells_of_a_data_set_the_paper_lacks_have_no_published_numbers(tmp_path: Path) -> None:
    made = cells("1", SEEDS, "ucmerced")
    assert {c.published for c in made} == {None}
    assert (
        "The paper has no numbers for ucmerced."
        in write_table("1", SEEDS, "ucmerced", FACTS, tmp_path).read_text()
    )


def test_gain_compares_image_by_image_over_all_seeds() -> None:
    gain = cell("fixed_h", "pt").gain
    assert gain is not None
    # PatchDrop right where Fixed-H is wrong: 2 images of seed 0, 1 of seed 1, of 8.
    assert gain["mean"] == pytest.approx(3 / 8)
    assert cell("patchdrop", "pt").gain is None


def test_gain_compares_only_seeds_that_both_have() -> None:
    gain = cell("fixed_h", "pt", seeds={0: SEEDS[0][:1], 1: SEEDS[1]}).gain
    assert gain is not None
    assert gain["mean"] == pytest.approx(1 / 4)
    gain = cell("fixed_h", "pt", seeds={0: SEEDS[0], 1: SEEDS[1][1:]}).gain
    assert gain is not None
    assert gain["mean"] == pytest.approx(2 / 4)


def test_gain_counts_an_image_once_under_several_seeds() -> None:
    several = dict.fromkeys(range(9), SEEDS[0])
    assert cell("fixed_h", "pt", seeds=several).gain == cell("fixed_h", "pt", seeds={0: SEEDS[0]}).gain


def test_write_table_puts_json_and_picture_beside_the_markdown(tmp_path: Path) -> None:
    path = write_table("2", SEEDS, "cifar10", FACTS, tmp_path)
    document = json.loads(path.with_suffix(".json").read_text())
    assert document["recipe"] == "toy"
    assert len(document["cells"]) == len(cells("2", SEEDS, "cifar10"))
    with Image.open(path.with_suffix(".png")) as picture:
        assert min(picture.size) > 400


@pytest.mark.parametrize(
    ("number", "data", "method", "stage", "expected"),
    [
        ("1", "fmow", "patchdrop", "ft2", (68.3, 5.2)),
        ("1", "fmow", "stochastic", "pt", (29.1, 7)),
        ("1", "fmow", "hr_cnn", "", (67.3, 16)),
        ("2", "cifar10", "pcn", "", (83.3, 0)),
        ("2", "cifar10", "fixed_v", "ft1", (83.4, 8)),
        ("2", "cifar100", "patchdrop", "ft1", (69.3, 9.9)),
        ("2", "imagenet", "stn", "ft2", (71.4, 8)),
        ("3", "cifar10", "bagnet_patchdrop", "pt", (77.4, 9.5)),
        ("4", "fmow", "augment_patchdrop", "", (69.6, 16)),
    ],
)
def test_published_cells_are_those_of_the_paper(
    number: str, data: str, method: str, stage: str, expected: tuple[float, float]
) -> None:
    assert TABLES[number].cells[data][method][stage] == expected


def test_published_tables_name_every_method() -> None:
    for table in TABLES.values():
        for columns in table.cells.values():
            assert columns.keys() <= table.methods.keys()
    assert BAGNET_MILLISECONDS.keys() == TABLES["3"].methods.keys()


def test_area_is_the_mean_accuracy_over_the_compared_range() -> None:
    flat = [[1, 0.5], [4.5, 0.7], [8, 0.7]]
    assert figures.area(flat) == pytest.approx((0.6 + 0.7) / 2)
    assert figures.area([[0, 0.1], *flat, [16, 1.0]]) == pytest.approx(0.65)  # the ends do not count
    assert figures.area([[1.1, 0.6], [9, 0.6]]) == pytest.approx(0.6)
    assert figures.area([[2, 0.6], [12, 1.0]]) is None
    assert figures.area([[1, 0.6], [6, 1.0]]) is None
    assert figures.area([[16, 0.9]]) is None


def test_patch_grid_places_ids_down_the_columns() -> None:
    grid = figures.patch_grid(torch.arange(16.0))
    assert grid[:, 0].tolist() == [0, 1, 2, 3]
    assert grid[0, 1] == 4


def test_by_patches_groups_images_by_their_number_of_patches() -> None:
    selected = torch.zeros(4, 16).bool()
    selected[:3, 0] = True
    groups = figures.by_patches(torch.tensor([1.0, 0.0, 1.0, 1.0]), selected)
    assert groups == [(0, 0.25, 1.0), (1, 0.75, pytest.approx(2 / 3))]


def test_draw_gallery_shows_bought_patches_bright_and_in_place(tmp_path: Path) -> None:
    hr = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    selected = torch.zeros(16).bool()
    selected[12] = True  # top right
    path = figures.draw_gallery([(hr, hr[:, :8, :8], selected, "one")], "title", tmp_path / "g.png")
    pixels = np.asarray(Image.open(path).convert("L")).astype(float)
    rows, columns = np.nonzero((pixels > 195) & (pixels < 205))
    lowest = rows > 0.66 * pixels.shape[0]
    dim = np.nonzero((pixels > 45) & (pixels < 55))
    assert columns[lowest].mean() > dim[1].mean()
    assert rows[lowest].mean() < dim[0].mean()


PRODUCT: dict[str, Any] = {
    "curve": [[1.0, 0.5], [2.3, 0.625]],
    "same_classifier": {"fixed_h": [[1.0, 0.25], [2.0, 0.5]]},
    "ends": {"0": 0.25, "16": 0.875},
    "chosen": "polish",
    "candidates": {"values": 0.6, "polish": 0.7},
    "doubt_exponent": 0.5,
    "doubt": {"0": 0.65, "0.5": 0.7},
    "without_doubt": {"curve": [[1.1, 0.375], [1.9, 0.5]], "accuracy": 0.55, "mean_patches": 3.9},
}


def test_write_table_adds_the_curves_of_every_seed(tmp_path: Path) -> None:
    seeds = {
        1: [row("product", "", [1.0, 0.0], 3, **PRODUCT), row("lr_cnn", "", [0.0, 0.0], 0)],
        2: [row("patchdrop", "pt", [1.0, 0.0], curve=[[1.0, 0.5]] * 2), row("kd", "", [1.0, 0.0])],
    }
    path = write_table("2", seeds, "cifar10", FACTS, tmp_path)
    curves = path.read_text().split("## Accuracy % by S")[1]
    assert "### Seed 1" in curves
    assert "### Seed 2" not in curves  # neither Pt nor a method that buys nothing is on a frontier
    assert "| choices by | S = 1 | S = 2 | S = 4 |" in curves
    assert "| Loupe (product mode) | 50.0 | 62.5 (2.3) |  |" in curves
    assert "| Fixed-H, our classifier | 25.0 | 50.0 |  |" in curves
    assert "| Loupe without label uncertainty | 37.5 | 50.0 |  |" in curves
    words = " ".join(curves.split())
    assert "25.0 % with nothing bought and 87.5 % with everything bought." in words
    assert "Its operating point is 50.0 % at S = 3.00" in words
    assert "without label uncertainty it is 55.0 % at S = 3.90" in words
    assert "values 60.0, polish 70.0 (chosen: polish); by uncertainty exponent 0 65.0, 0.5 70.0" in words
    document = json.loads(path.with_suffix(".json").read_text())
    assert document["curves"]["1"]["Loupe (product mode)"] == [
        [1.0, 0.5],
        [2.3, 0.625],
        [0, 0.25],
        [16, 0.875],
    ]
    assert "Accuracy % by S" not in write_table("2", SEEDS, "cifar10", FACTS, tmp_path).read_text()


@pytest.mark.parametrize("draw", ["frontier", "points", "policy"])
def test_draw_functions_write_png_pictures(tmp_path: Path, draw: str) -> None:
    path = tmp_path / "figure.png"
    if draw == "frontier":
        figures.draw_frontier({"a": [[1, 0.5], [8, 0.9]], "Oracle": [[1, 0.7], [8, 1]]}, "t", path)
    elif draw == "points":
        figures.draw_points([(1.0, 0.5, "x"), (0.5, 0.4, "y")], "t", "x", path)
    else:
        figures.draw_policy(torch.ones(3), torch.eye(16)[:3].bool(), "t", path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400
