"""Whose folder a run's folder is."""

import json
from dataclasses import replace

import pytest
import torch

from tests.support.training import write_data
from training.run.lab import Run, open_lab
from training.run.recipe import load_recipe


def test_a_folder_belongs_to_one_recipe_and_seed_through_versions(tmp_path):
    data, recipe = write_data(tmp_path / "data"), load_recipe("smoke")
    run = Run(out=tmp_path / "out", seed=0, device=torch.device("cpu"))
    with open_lab(recipe, data, run):
        pass
    mark = run.out / "run.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"a_field_of_old": 3}))
    again = replace(run, resume=True)
    with open_lab(recipe, data, again):
        pass
    with (
        pytest.raises(ValueError, match="another folds, hr_size"),
        open_lab(replace(recipe, folds=1, hr_size=32), data, again),
    ):
        pass


def test_a_folder_is_one_runs_at_a_time(tmp_path):
    data, recipe = write_data(tmp_path / "data"), load_recipe("smoke")
    run = Run(out=tmp_path / "out", seed=0, device=torch.device("cpu"))
    again = replace(run, resume=True)
    with open_lab(recipe, data, run):
        with pytest.raises(ValueError, match="another run is writing"), open_lab(recipe, data, again):
            pass
        with open_lab(recipe, data, replace(run, out=tmp_path / "elsewhere")):
            pass
    with open_lab(recipe, data, again):
        pass
