"""A recipe: every choice of a training run, read from TOML. Unknown or missing keys are errors."""

import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from models.preprocess import Fill

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How one stage is trained."""

    epochs: int
    learning_rate: float
    batch: int = 32
    weight_decay: float = 0.01
    sigma: float = 0.5
    """Penalty of a wrong label; policy stages only."""
    alpha_start: float = 0.7
    alpha_end: float = 0.95
    """Eq. 11's alpha, raised linearly; policy stages only."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All of a run. Sizes in pixels, `tile_m` in metres."""

    name: str
    seed: int
    hr_size: int
    lr_size: int
    tile_m: float
    fill: Fill
    policy_backbone: str
    hr_backbone: str
    lr_backbone: str
    policy_input: int
    lr_input: int
    pretrained: bool
    """Start from the ImageNet weights that ship with the `train` extra (EfficientNet-Lite0)."""
    validation_per_class: int
    folds: int
    """Classifiers that judge the policy never saw the image: cross-fitting. 1 = the paper's way."""
    table_masks: int
    policy_views: int
    """Symmetries that the finished policy averages over; the stages train it on one at a time."""
    start_patches: float
    """Mean number of patches that Pt starts from."""
    target_patches: float
    """Mean number of patches bought at the operating point, placed on validation."""
    hr: Stage
    lr: Stage
    filled: Stage
    fold: Stage
    fold_lr: Stage
    values: Stage
    pt: Stage
    ft1: Stage
    ft2: Stage


def load_recipe(name: str) -> Recipe:
    """Read a recipe by name or by path. ValueError says what is wrong with it."""
    path = RECIPES / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise ValueError(f"no recipe {name!r}: neither a file nor one of {known}")
    document = tomllib.loads(path.read_text())
    for key, value in document.items():
        if isinstance(value, dict):
            document[key] = _build(Stage, value, f"{path.name} [{key}]")
    recipe: Recipe = _build(Recipe, document, path.name)
    return recipe


def _build(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    known = {field.name for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING}
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}")
    if missing := sorted(required - values.keys()):
        raise ValueError(f"{where}: missing keys {', '.join(missing)}")
    return kind(**values)
