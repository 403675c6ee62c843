"""Recipes of policies that look for objects, read from TOML like those of the paper's methods."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.run.recipe import RECIPES, Stage, read_toml, recipe_document, recipe_names

SEARCH_RECIPES = RECIPES / "objects"


@dataclass(frozen=True, kw_only=True)
class SearchRecipe:
    """All choices of a run."""

    name: str
    seed: int
    objects: str = "objects"
    """Name of the counted objects, as a plural noun."""
    policy_backbone: str
    pretrained: bool
    """Whether to start from the ImageNet weights of the `train` extra (EfficientNet-Lite0)."""
    members: int = 1
    """Number of networks in the ensemble."""
    views: int = field(default=2, metadata={"learnt": False})
    """Symmetries that a prediction averages over, 1 to 8. Networks learn the same for any number."""
    policy: Stage
    folds: int = 3
    """Number of policies that make the out-of-fold maps."""
    counter_backbone: str
    counter_windows: int
    """HR windows in an epoch of the counter."""
    counter: Stage

    @property
    def settings(self) -> dict[str, Any]:
        """Every choice that the recipe makes, JSON-serialisable."""
        return asdict(self)


def load_search_recipe(name: str) -> SearchRecipe:
    """Read a recipe by name or by path. ValueError says what is wrong with it."""
    return read_toml(name, SearchRecipe, SEARCH_RECIPES)


def is_search_recipe(name: str) -> bool:
    """Return whether a recipe, by name or by path, looks for objects.

    Raise ValueError if there is no such recipe of any kind, or if the file is not TOML.
    """
    looking, others = recipe_names(SEARCH_RECIPES), recipe_names()
    if name in (*looking, *others):
        return name in looking
    if not Path(name).is_file():
        known = ", ".join((*others, *looking))
        raise ValueError(f"There is no recipe {name!r}: it is neither a file nor one of {known}.")
    return "counter_backbone" in recipe_document(Path(name))
