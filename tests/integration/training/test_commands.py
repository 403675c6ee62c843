"""Every table, figure and the ablation by their commands, each method trained for two epochs."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.support.training import write_data
from training.cli import app
from training.paper.published import TABLES
from training.paper.rows import load_rows

RUNNER = CliRunner()


def run(out, *words):
    place = ["--data", str(out.parent / "data"), "--out", str(out), "--device", "cpu"]
    return RUNNER.invoke(app, [*words, "--recipe", "smoke", *place])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_data(folder / "data", size=16)
    for words in (["table", "2"], ["table", "3"], ["table", "4"], ["ablation"], ["figures", "--sweeps"]):
        result = run(folder / "out", *words)
        assert result.exit_code == 0, (words, result.output, result.exception)
    return folder / "out"


@pytest.mark.parametrize("number", ["2", "3", "4"])
def test_every_row_of_every_table_is_measured(out, number):
    document = json.loads((out / f"report/table{number}-smoke.json").read_text())
    measured = {cell["method"] for cell in document["cells"] if cell["accuracy"] is not None}
    assert measured == TABLES[number].methods.keys()
    assert not [cell for cell in document["cells"] if cell["accuracy"] is None]
    assert "were not run" not in (out / f"report/table{number}-smoke.md").read_text()


def test_no_place_of_this_machine_is_in_a_report(out):
    for path in (out / "report").glob("*.md"):
        assert str(out) not in path.read_text()
        assert "--data DIR --out OUT" in path.read_text()


def test_baselines_buy_as_many_patches_as_patchdrop_rounded_up(out):
    document = json.loads((out / "report/table2-smoke.json").read_text())
    patches = {(c["method"], c["stage"]): c["patches"] for c in document["cells"]}
    for stage in ("pt", "ft1", "ft2"):
        sizes = {patches[name, stage] for name in ("fixed_h", "fixed_v", "stochastic", "stn")}
        assert len(sizes) == 1
        assert abs(sizes.pop() - patches["patchdrop", stage]) < 3  # placed on validation, measured on test


def test_with_nothing_bought_the_product_is_lr_cnn(out):
    rows = {row.method: row for row in load_rows(out / "seed0/rows/compared")}
    assert rows["product"].facts["ends"]["0"] == pytest.approx(rows["lr_cnn"].accuracy)
    assert (rows["lr_cnn"].mean_patches, rows["hr_cnn"].mean_patches) == (0.0, 16.0)


def test_what_doubt_does_is_measured_on_both_splits(out):
    (row,) = (row for row in load_rows(out / "seed0/rows/compared") if row.method == "product")
    facts, without = row.facts, row.facts["without_doubt"]
    assert facts["doubt"][f"{facts['doubt_exponent']:g}"] == max(facts["doubt"].values())
    assert max(facts["doubt"].values()) == facts["candidates"][facts["chosen"]]
    assert len(without["curve"]) == len(facts["curve"])
    assert abs(without["mean_patches"] - row.mean_patches) < 3  # the same target
    assert "Loupe without label uncertainty" in (out / "report/table2-smoke.md").read_text()


@pytest.mark.parametrize(
    "name",
    ["fig1a", "fig4-patchdrop", "fig4-product", "fig5-ratio", "fig5-sigma", "fig7-patchdrop", "frontier"],
)
def test_every_figure_is_drawn(out, name):
    with Image.open(out / f"report/{name}-smoke.png") as picture:
        assert min(picture.size) > 300


def test_the_frontier_has_every_method_and_its_area(out):
    document = json.loads((out / "report/frontier-smoke.json").read_text())
    assert {"PatchDrop Ft-2", "Loupe (product mode)", "Fixed-H, our classifier"} <= document["curves"].keys()
    assert document["mean_accuracy"]["Loupe (product mode)"] > 0


def test_the_ablation_changes_one_part_at_a_time(out):
    document = json.loads((out / "report/ablation-smoke.json").read_text())
    assert document["images"] == 6
    assert len(document["scores"]) == 15
    assert len({name for name in document["scores"] if "uncertainty" in name or "cross-fitting" in name}) == 3
    shipped = document["scores"]["as shipped"]
    same = {name for name, score in document["scores"].items() if score == shipped}
    alike = {name for name in same if "uncertainty" in name}  # these few images are equally uncertain
    assert same - alike == {"as shipped", f"policy: {_chosen(document)}"}


def _chosen(document):
    names = ("values", "polish")
    return max(names, key=lambda name: tuple(document["scores"][f"policy: {name}"].values()))


def test_a_measured_row_is_not_measured_again(out):
    before = (out / "seed0/rows/compared/product.safetensors").stat().st_mtime_ns
    assert run(out, "table", "2").exit_code == 0
    assert (out / "seed0/rows/compared/product.safetensors").stat().st_mtime_ns == before


def test_unknown_tables_and_rows_are_named(out):
    assert "no table" in run(out, "table", "9").output
    assert "no row nonsense" in " ".join(run(out, "table", "2", "--row", "nonsense").output.split())
