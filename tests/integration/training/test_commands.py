"""Every table, figure and the ablation by their commands, each method trained for an epoch or two."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.support.training import write_data
from training.cli import app
from training.paper import sweeps
from training.paper.published import TABLES
from training.paper.rows import load_rows
from training.run.recipe import RECIPES

RUNNER = CliRunner()
ONE_EPOCH = re.compile(r"^((?:pt|ft1|ft2|kd|pcn|srgan|stn|bagnet) = { epochs = )2", re.MULTILINE)
"""Stages of the paper and its rivals. The product's keep both epochs: after one its fusion exponent is 1."""


def run(out: Path, *words: str) -> Result:
    place = ["--data", str(out.parent / "data"), "--out", str(out), "--device", "cpu"]
    return RUNNER.invoke(app, [*words, "--recipe", str(out.parent / "smoke.toml"), *place])


def test_version_is_printed() -> None:
    done = RUNNER.invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"loupe-train {version('loupe-eo')}\n")


def report(out: Path, name: str) -> Any:
    return json.loads((out / f"report/{name}-smoke.json").read_text())


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_data(folder / "data", size=16)
    smoke = (RECIPES / "smoke.toml").read_text()
    (folder / "smoke.toml").write_text(ONE_EPOCH.sub(r"\g<1>1", smoke))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "RATIOS", (2, 4))
        patch.setattr(sweeps, "SIGMAS", (0.5, 5.0))
        for words in (["table", "2"], ["table", "3"], ["table", "4"], ["ablation"], ["figures", "--sweeps"]):
            result = run(folder / "out", *words, "--json")
            assert result.exit_code == 0, (words, result.output, result.exception)
            written = json.loads(result.stdout)["wrote"]
            assert [path for path in written if not Path(path).exists()] == []
    return folder / "out"


@pytest.mark.parametrize("number", ["2", "3", "4"])
def test_table_measures_every_row(out: Path, number: str) -> None:
    document = report(out, f"table{number}")
    measured = {cell["method"] for cell in document["cells"] if cell["accuracy"] is not None}
    assert measured == TABLES[number].methods.keys()
    assert not [cell for cell in document["cells"] if cell["accuracy"] is None]
    assert "were not run" not in (out / f"report/table{number}-smoke.md").read_text()


def test_reports_name_no_place_of_this_machine(out: Path) -> None:
    for path in (out / "report").glob("*.md"):
        assert str(out) not in path.read_text()
        assert "--data DIR --out OUT" in path.read_text()


def test_table_gives_baselines_as_many_patches_as_patchdrop_rounded_up(out: Path) -> None:
    patches = {(c["method"], c["stage"]): c["patches"] for c in report(out, "table2")["cells"]}
    for stage in ("pt", "ft1", "ft2"):
        sizes = {patches[name, stage] for name in ("fixed_h", "fixed_v", "stochastic", "stn")}
        assert len(sizes) == 1
        assert abs(sizes.pop() - patches["patchdrop", stage]) < 3  # placed on validation, measured on test


def test_product_with_nothing_bought_is_lr_cnn(out: Path) -> None:
    rows = {row.method: row for row in load_rows(out / "seed0/rows/compared")}
    assert rows["product"].facts["ends"]["0"] == pytest.approx(rows["lr_cnn"].accuracy)
    assert (rows["lr_cnn"].mean_patches, rows["hr_cnn"].mean_patches) == (0.0, 16.0)


def test_product_row_measures_uncertainty_on_both_splits(out: Path) -> None:
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
def test_figures_draws_every_figure(out: Path, name: str) -> None:
    with Image.open(out / f"report/{name}-smoke.png") as picture:
        assert min(picture.size) > 300


def test_frontier_has_every_method_and_its_area(out: Path) -> None:
    document = report(out, "frontier")
    assert {"PatchDrop Ft-2", "Loupe (product mode)", "Fixed-H, our classifier"} <= document["curves"].keys()
    assert document["mean_accuracy"]["Loupe (product mode)"] > 0


def test_ablation_changes_one_part_at_a_time(out: Path) -> None:
    scores = report(out, "ablation")["scores"]
    assert report(out, "ablation")["images"] == 6
    assert len(scores) == 15
    weighed = {name for name in scores if "uncertainty" in name}
    assert len(weighed | {name for name in scores if "cross-fitting" in name}) == 3
    # On these few images the LR stream is equally unsure: leaving its uncertainty out may change nothing.
    same = {name for name, score in scores.items() if score == scores["as shipped"]} - weighed
    chosen = max(("values", "polish"), key=lambda name: tuple(scores[f"policy: {name}"].values()))
    assert same == {"as shipped", f"policy: {chosen}"}


def test_table_does_not_measure_a_measured_row_again(out: Path) -> None:
    before = (out / "seed0/rows/compared/product.safetensors").stat().st_mtime_ns
    assert run(out, "table", "2").exit_code == 0
    assert (out / "seed0/rows/compared/product.safetensors").stat().st_mtime_ns == before


def test_table_names_unknown_tables_and_rows(out: Path) -> None:
    assert "no table '9'" in " ".join(run(out, "table", "9").output.split())
    assert "no row nonsense" in " ".join(run(out, "table", "2", "--row", "nonsense").output.split())
