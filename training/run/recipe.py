"""Recipes: every choice of a training run, read from TOML. Unknown or missing keys are errors."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from models.grid import GRID
from models.manifest import Mode
from models.preprocess import Fill
from models.symmetry import SYMMETRIES

RECIPES = Path(__file__).parents[1] / "recipes"

RecipeT = TypeVar("RecipeT")

Augmentation = Literal["dihedral", "crop-flip", "none"]
Optimiser = Literal["adamw", "adam", "sgd"]
DataLayout = Literal["folders", "cifar10", "cifar100", "imagenet", "fmow", "pairs"]
Start = Literal["scratch", "hr", "imagenet"]

SHIPPED_BY: dict[Mode, tuple[str, ...]] = {"product": ("filled", "values"), "paper": ("pt", "ft1", "ft2")}
"""Stages that a recipe must have for `fit`, by mode."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Settings of one training stage."""

    # The first two have no default: there is no value that suits most stages.
    epochs: int
    learning_rate: float
    """Peak rate, after a linear warm-up and before a half cosine to zero."""
    batch: int = 32
    optimiser: Optimiser = "adamw"
    """Optimiser; sgd is Nesterov's with momentum 0.9."""
    weight_decay: float = 0.01
    """Weight decay, on weights of convolutions and linear layers only."""
    label_smoothing: float = 0.1
    """Label smoothing, in stages that train only a classifier; Ft has none."""
    ema: float = 0.0
    """Decay of the weight average that is kept in the end; 0 keeps the last weights."""
    patience: int = 0
    """Number of epochs without a better validation score after which the stage stops; 0 runs all epochs."""
    largest_gradient: float = 0.0
    """Norm to which a step's gradient is shortened; 0 leaves every gradient as it is."""
    # The rest is read by the stages that train a policy.
    sigma: float = 0.5
    """Penalty of a wrong label (section 3.3)."""
    alpha_start: float = 0.7
    alpha_end: float = 0.95
    """Eq. 11's alpha at the end; it rises linearly."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All choices of a run. Sizes are in pixels, `tile_m` in metres."""

    name: str
    seed: int
    mode: Mode
    """Policy that `fit` ships: value regression on an LR-filled classifier, or the paper's Ft-2."""
    data: DataLayout
    augmentation: Augmentation
    # The next two say where random crops come from; both 0 means none.
    crop_from: int = 0
    """Side of the images that random crops of hr_size are taken from; 0 = hr_size plus `pad`."""
    pad: int = 0
    """Width of the reflected border for random crops."""
    hr_size: int
    lr_size: int
    tile_m: float
    mean: tuple[float, ...] = (127.0, 127.0, 127.0)
    std: tuple[float, ...] = (128.0, 128.0, 128.0)
    """Scale of the input per band, as `mean` in 0..255; the defaults are the packaged ImageNet weights'."""
    fill: Fill = "lr"
    """Content of not-bought pixels for the product's classifier; the paper's are always zero."""
    # Backbones are names of models.backbones; the inputs are sizes that LR is upsampled to.
    policy_backbone: str
    hr_backbone: str
    lr_backbone: str
    policy_input: int
    lr_input: int
    pretrained: bool
    """Whether to start from the ImageNet weights of the `train` extra (EfficientNet-Lite0)."""
    lr_start: Start = "hr"
    """Initial weights of LR-CNN; the paper takes HR-CNN's."""
    bf16_on_cpu: bool = False
    """Whether to train in bf16 on a CPU: faster for the CIFAR networks, not for depthwise convolutions."""
    validation_per_class: int
    folds: int = 1
    """Folds of the out-of-fold ensemble; 1 = one classifier that has seen the images, as in the paper."""
    table_masks: int = 24
    """Choices of patches for each training image in the ensemble's table of answers."""
    policy_views: int = 1
    """Symmetries that the served policy averages over, 1 to 8; training shows it one at a time."""
    start_patches: float = 4.0
    """Mean number of patches that the polish starts from."""
    target_patches: float = 4.0
    """Mean number of patches bought at the product's operating point, placed on validation."""
    # One table of the file for each stage. One that is left out cannot be run: its rows stay empty.
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
    """Training of the classifier of super-resolved tiles; None = the settings of `lr`."""
    stn: Stage | None = None
    bagnet: Stage | None = None

    def stage(self, name: str) -> Stage:
        """Return one stage's settings. ValueError if the recipe leaves it out."""
        found = getattr(self, name)
        if found is None:
            raise ValueError(f"Recipe {self.name!r} has no [{name}] table: add one to run this stage.")
        if not isinstance(found, Stage):
            raise TypeError(f"{name!r} is not a stage.")
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """Every choice that the recipe makes, JSON-serialisable, without stages that it leaves out."""
        # Through JSON, so that tuples compare equal to the lists that run.json holds.
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {name: value for name, value in made.items() if value is not None}


def load_recipe(name: str) -> Recipe:
    """Read a recipe by name or by path. ValueError says what is wrong with it."""
    recipe = read_toml(name, Recipe, RECIPES)
    if wrong := list(_contradictions(recipe)):
        raise ValueError(f"{Path(name).name}: {'; '.join(wrong)}.")
    return recipe


def read_toml(name: str, kind: type[RecipeT], shipped: Path) -> RecipeT:
    """Read a recipe of some kind: the shipped one of that name, or else a file. ValueError if it is wrong."""
    # A shipped recipe wins over a file of the same name in the current folder.
    path = shipped / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        names = ", ".join(recipe_names(shipped))
        raise ValueError(f"There is no recipe {name!r}: it is neither a file nor one of {names}.")
    document = recipe_document(path)
    # A table is a stage, a list a tuple; everything else is taken as TOML typed it.
    for key, value in document.items():
        if isinstance(value, dict):
            document[key] = _build(Stage, value, f"{path.name} [{key}]")
        elif isinstance(value, list):
            # A frozen recipe must not hold a list.
            document[key] = tuple(value)
    return _build(kind, document, path.name)


def recipe_document(path: Path) -> dict[str, Any]:
    """Read a file as TOML. ValueError if it is none."""
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}.") from error


def recipe_names(shipped: Path = RECIPES) -> list[str]:
    """Return the names of the recipes of one kind that ship with the package."""
    return sorted(path.stem for path in shipped.glob("*.toml"))


def _build(kind: type[RecipeT], values: dict[str, Any], where: str) -> RecipeT:
    # Checked by hand: a dataclass would take a wrong type without a word.
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # kinds are dataclasses
    required = {name for name, field in known.items() if field.default is MISSING}
    if unknown := sorted(values.keys() - known.keys()):
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}.")
    if missing := sorted(required - values.keys()):
        raise ValueError(f"{where}: missing keys {', '.join(missing)}.")
    for key, value in values.items():
        allowed = known[key].type
        if not _is_a(value, allowed):
            raise ValueError(f"{where}: {key} = {value!r} is not {_description(allowed)}.")
    return kind(**values)


def _is_a(value: object, allowed: Any) -> bool:
    """Return whether a value read from TOML is of a field's type."""
    if get_origin(allowed) is Literal:
        return value in get_args(allowed)
    if get_origin(allowed) is tuple:
        return isinstance(value, tuple) and all(_is_a(part, get_args(allowed)[0]) for part in value)
    if allowed in (int, float):
        # TOML writes 1.0 as 1, and Python takes True for an int.
        return isinstance(value, (int, allowed)) and not isinstance(value, bool)
    return isinstance(value, allowed)


def _description(allowed: Any) -> str:
    if get_origin(allowed) is Literal:
        return f"one of {', '.join(get_args(allowed))}"
    if get_origin(allowed) is tuple:
        return "a list of numbers"
    # In TOML's terms: the reader wrote TOML.
    simple = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return simple.get(allowed, "a table")


def _contradictions(recipe: Recipe) -> Iterator[str]:
    """Yield the contradictions between settings, as parts of a sentence."""
    # All of these would end a run too, but hours after its start.
    stages = {name: value for name, value in vars(recipe).items() if isinstance(value, Stage)}
    for name, stage in stages.items():
        if min(stage.epochs, stage.batch) < 1:
            yield f"[{name}] needs at least one epoch and a batch of at least one image"
    if needed := [name for name in SHIPPED_BY[recipe.mode] if name not in stages]:
        yield f"mode {recipe.mode!r} needs the tables [{'], ['.join(needed)}]"
    # One fold is labelled by the product's own classifier: there is nothing more to train.
    if "values" in stages and recipe.folds > 1 and not stages.keys() >= {"fold", "fold_lr"}:
        yield f"{recipe.folds} folds need the tables [fold], [fold_lr]"
    # Patches are equal squares: models.grid cuts the tile into GRID x GRID.
    if recipe.hr_size % GRID:
        yield f"hr_size = {recipe.hr_size} cannot be cut into {GRID} x {GRID} patches"
    if not 1 <= recipe.policy_views <= SYMMETRIES:
        yield f"policy_views = {recipe.policy_views}: a square has 1 to {SYMMETRIES} symmetries"
    if min(recipe.folds, recipe.table_masks, recipe.lr_size, recipe.policy_input, recipe.lr_input) < 1:
        yield "folds, table_masks, lr_size, policy_input and lr_input must be at least 1"
