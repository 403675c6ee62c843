"""The folder of a run: one recipe, one seed, one run at a time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.training import CPU, write_data
from training.objects.recipe import load_search_recipe
from training.run.folder import Run, claimed
from training.run.recipe import load_recipe
from training.run.splits import open_run


def test_open_run_refuses_a_folder_of_another_recipe(tmp_path: Path) -> None:
    data, recipe = write_data(tmp_path / "data"), load_recipe("smoke")
    run = Run(out=tmp_path / "out", seed=0, device=CPU)
    with open_run(recipe, data, run):
        pass
    mark = run.out / "run.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"a_field_of_old": 3}))
    again = replace(run, resume=True)
    with open_run(recipe, data, again):
        pass
    with (
        pytest.raises(ValueError, match="different folds, hr_size"),
        open_run(replace(recipe, folds=1, hr_size=32), data, again),
    ):
        pass


def test_a_folder_goes_on_with_other_choices_from_which_nothing_is_learnt(tmp_path: Path) -> None:
    recipe = load_search_recipe("tanks")
    run = Run(out=tmp_path, seed=0, device=CPU)
    with claimed(run, recipe):
        pass
    with claimed(replace(run, resume=True), replace(recipe, views=8)):
        pass
    assert json.loads((tmp_path / "run.json").read_text())["views"] == 8
    with (
        pytest.raises(ValueError, match="different folds"),
        claimed(replace(run, resume=True), replace(recipe, folds=5)),
    ):
        pass


def test_open_run_refuses_a_folder_in_use(tmp_path: Path) -> None:
    data, recipe = write_data(tmp_path / "data"), load_recipe("smoke")
    run = Run(out=tmp_path / "out", seed=0, device=CPU)
    again = replace(run, resume=True)
    with open_run(recipe, data, run):
        with pytest.raises(ValueError, match="Another run is writing"), open_run(recipe, data, again):
            pass
        with open_run(recipe, data, replace(run, out=tmp_path / "elsewhere")):
            pass
    with open_run(recipe, data, again):
        pass
