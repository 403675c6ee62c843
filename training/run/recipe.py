"""A recipe: every choice of a training run, read from TOML. Unknown or missing keys are errors."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from models.grid import GRID
from models.preprocess import Fill
from models.symmetry import SYMMETRIES

RECIPES = Path(__file__).parents[1] / "recipes"

Augmentation = Literal["dihedral", "crop-flip", "none"]
Optimiser = Literal["adamw", "adam", "sgd"]
Layout = Literal["folders", "cifar10", "cifar100", "imagenet", "fmow", "pairs"]
Start = Literal["scratch", "hr", "imagenet"]
Mode = Literal["product", "paper"]

SHIPPED_BY: dict[Mode, tuple[str, ...]] = {"product": ("filled", "values"), "paper": ("pt", "ft1", "ft2")}
"""Stages that `fit` cannot do without."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How one stage is trained."""

    epochs: int
    learning_rate: float
    """Peak; linear warm-up, then a half cosine to zero."""
    batch: int = 32
    optimiser: Optimiser = "adamw"
    """sgd is Nesterov's, momentum 0.9."""
    weight_decay: float = 0.01
    """On weights of convolutions and linear layers only."""
    label_smoothing: float = 0.1
    """Stages that train a classifier alone only, not Ft."""
    ema: float = 0.0
    """Decay of the average of the weights that is kept in the end; 0 keeps the last weights."""
    patience: int = 0
    """Stop after so many epochs without a better validation score; 0 runs every epoch."""
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
    mode: Mode
    """What `fit` ships: value regression on an LR-filled classifier, or the paper's Ft-2."""
    data: Layout
    augmentation: Augmentation
    crop_from: int = 0
    """Random crops of hr_size are taken from so many pixels a side; 0 = from hr_size plus `pad`."""
    pad: int = 0
    """Reflected border for random crops."""
    hr_size: int
    lr_size: int
    tile_m: float
    mean: tuple[float, ...] = (127.0, 127.0, 127.0)
    std: tuple[float, ...] = (128.0, 128.0, 128.0)
    """Of the input, per band, in 0..255; the default is that of the packaged ImageNet weights."""
    fill: Fill = "lr"
    """Not-bought pixels of the product's classifier; the paper's are always zero."""
    policy_backbone: str
    hr_backbone: str
    lr_backbone: str
    policy_input: int
    lr_input: int
    pretrained: bool
    """Start from the ImageNet weights that ship with the `train` extra (EfficientNet-Lite0)."""
    lr_start: Start = "hr"
    """Where LR-CNN starts; the paper's is HR-CNN."""
    bf16_on_cpu: bool = False
    """Train in bf16 on the CPU too: pays for the CIFAR networks, not for depthwise convolutions."""
    validation_per_class: int
    folds: int = 1
    """Classifiers that judge the policy never saw the image: cross-fitting. 1 = the paper's way."""
    table_masks: int = 24
    """Choices of patches that the jury is asked about, of each training image."""
    policy_views: int = 1
    """Symmetries that the product's policy averages over, 1 to 8; the stages train it on one at a time."""
    start_patches: float = 4.0
    """Mean number of patches that the polish starts from."""
    target_patches: float = 4.0
    """Mean number of patches bought at the product's operating point, placed on validation."""
    hr: Stage
    lr: Stage
    pt: Stage | None = None
    ft1: Stage | None = None
    ft2: Stage | None = None
    filled: Stage | None = None
    fold: Stage | None = None
    fold_lr: Stage | None = None
    values: Stage | None = None
    polish: Stage | None = None
    kd: Stage | None = None
    pcn: Stage | None = None
    srgan: Stage | None = None
    srgan_cnn: Stage | None = None
    """The classifier of what SRGAN makes; None = the schedule of `lr`."""
    stn: Stage | None = None
    bagnet: Stage | None = None

    def stage(self, name: str) -> Stage:
        """One stage's settings. ValueError if the recipe leaves it out."""
        found = getattr(self, name)
        if found is None:
            raise ValueError(f"recipe {self.name!r} has no [{name}] table: add one to run this stage")
        if not isinstance(found, Stage):
            raise TypeError(f"{name!r} is not a stage")
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """Every choice that is made, JSON-serialisable; stages left out are left out."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {name: value for name, value in made.items() if value is not None}


def load_recipe(name: str) -> Recipe:
    """Read a recipe by name or by path. ValueError says what is wrong with it."""
    path = RECIPES / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise ValueError(f"no recipe {name!r}: neither a file nor one of {', '.join(recipe_names())}")
    try:
        document = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error
    for key, value in document.items():
        if isinstance(value, dict):
            document[key] = _build(Stage, value, f"{path.name} [{key}]")
        elif isinstance(value, list):
            document[key] = tuple(value)
    recipe: Recipe = _build(Recipe, document, path.name)
    if wrong := list(_contradictions(recipe)):
        raise ValueError(f"{path.name}: {'; '.join(wrong)}")
    return recipe


def recipe_names() -> list[str]:
    """The recipes that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def _build(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    known = {field.name: field for field in fields(kind)}
    required = {name for name, field in known.items() if field.default is MISSING}
    if unknown := sorted(values.keys() - known.keys()):
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}")
    if missing := sorted(required - values.keys()):
        raise ValueError(f"{where}: missing keys {', '.join(missing)}")
    for key, value in values.items():
        allowed = known[key].type
        if not _is_a(value, allowed):
            raise ValueError(f"{where}: {key} = {value!r} is not {_in_words(allowed)}")
    return kind(**values)


def _is_a(value: object, allowed: Any) -> bool:
    """Whether a value read from TOML is of a field's type. True is no number here; 1 is."""
    if get_origin(allowed) is Literal:
        return value in get_args(allowed)
    if get_origin(allowed) is tuple:
        return isinstance(value, tuple) and all(_is_a(part, get_args(allowed)[0]) for part in value)
    if allowed in (int, float):
        return isinstance(value, (int, allowed)) and not isinstance(value, bool)
    return isinstance(value, allowed)


def _in_words(allowed: Any) -> str:
    if get_origin(allowed) is Literal:
        return f"one of {', '.join(get_args(allowed))}"
    if get_origin(allowed) is tuple:
        return "a list of numbers"
    simple = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return simple.get(allowed, "a table")


def _contradictions(recipe: Recipe) -> Iterator[str]:
    """What would end a run hours after its start."""
    stages = {name: value for name, value in vars(recipe).items() if isinstance(value, Stage)}
    for name, stage in stages.items():
        if min(stage.epochs, stage.batch) < 1:
            yield f"[{name}] needs at least one epoch and one image a batch"
    if needed := [name for name in SHIPPED_BY[recipe.mode] if name not in stages]:
        yield f"mode {recipe.mode!r} needs the tables [{'], ['.join(needed)}]"
    if "values" in stages and recipe.folds > 1 and not stages.keys() >= {"fold", "fold_lr"}:
        yield f"{recipe.folds} folds need the tables [fold], [fold_lr]"
    if recipe.hr_size % GRID:
        yield f"hr_size = {recipe.hr_size} cannot be cut into {GRID} x {GRID} patches"
    if not 1 <= recipe.policy_views <= SYMMETRIES:
        yield f"policy_views = {recipe.policy_views}: a square has 1 to {SYMMETRIES} symmetries"
    if min(recipe.folds, recipe.table_masks, recipe.lr_size, recipe.policy_input, recipe.lr_input) < 1:
        yield "folds, table_masks, lr_size, policy_input and lr_input are at least 1"
