"""Recipes: shipped ones load, and wrong ones are refused with the key that is wrong."""

from pathlib import Path

import pytest

from training.run.recipe import RECIPES, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_load_recipe_finds_shipped_recipes_by_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_load_recipe_names_the_wrong_key(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    with pytest.raises(ValueError, match="neither a file nor one of cifar10"):
        load_recipe("absent")
    recipe.write_text("surprise = 1")
    with pytest.raises(ValueError, match="unknown keys surprise"):
        load_recipe(str(recipe))
    recipe.write_text('mode = "magic"\nseed = 1')
    with pytest.raises(ValueError, match="missing keys"):
        load_recipe(str(recipe))
    whole = (RECIPES / "smoke.toml").read_text()
    recipe.write_text(whole.replace('"dihedral"', '"shear"'))
    with pytest.raises(ValueError, match="augmentation = 'shear' is not one of dihedral, crop-flip, none"):
        load_recipe(str(recipe))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 0", 'seed = "zero"', "seed = 'zero' is not a whole number"),
        ("pretrained = false", "pretrained = 0", "pretrained = 0 is not true or false"),
        ("tile_m = 16.0", "tile_m = true", "tile_m = True is not a number"),
        (
            "folds = 2",
            "folds = 2\nmean = [1.0, 'x', 2.0]",
            r"mean = \(1.0, 'x', 2.0\) is not a list of numbers",
        ),
        (
            "lr = { epochs = 2, learning_rate = 1e-3, batch = 8 }\nfilled",
            "lr = 3\nfilled",
            "lr = 3 is not a table",
        ),
        ("\nhr = { epochs = 2,", "\nhr = { epochs = 0,", r"\[hr\] needs at least one epoch"),
        ("\nfilled = {", "\n# {", r"mode 'product' needs the tables \[filled\]"),
        ("\nfold_lr = {", "\n# {", r"2 folds need the tables \[fold\], \[fold_lr\]"),
        ("hr_size = 16", "hr_size = 15", "hr_size = 15 cannot be cut into 4 x 4 patches"),
        ("policy_views = 8", "policy_views = 9", "a square has 1 to 8 symmetries"),
        ("table_masks = 4", "table_masks = 0", "must be at least 1"),
        ("seed = 0", "seed =", r"mine\.toml is not valid TOML: Invalid value"),
    ],
)
def test_load_recipe_refuses_what_would_end_a_run_late(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    recipe = tmp_path / "mine.toml"
    whole = (RECIPES / "smoke.toml").read_text()
    assert old in whole
    recipe.write_text(whole.replace(old, new, 1))
    with pytest.raises(ValueError, match=words):
        load_recipe(str(recipe))
