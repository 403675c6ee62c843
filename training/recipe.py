"""A recipe: every choice of a training run, read from TOML. Unknown or missing keys are errors."""

import json
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from models.preprocess import Fill

RECIPES = Path(__file__).parent / "recipes"

Augmentation = Literal["dihedral", "crop-flip", "none"]
Optimiser = Literal["adamw", "adam", "sgd"]
Layout = Literal["folders", "cifar10", "cifar100", "imagenet", "fmow", "pairs"]
Start = Literal["scratch", "hr", "imagenet"]


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
    """Classifier stages only."""
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
    mode: Literal["product", "paper"]
    """What `fit` ships: value regression on an LR-filled classifier, or the paper's Ft-2."""
    data: Layout
    augmentation: Augmentation
    crop_from: int = 0
    """Random crops of hr_size are taken from so many pixels a side; 0 = from hr_size plus `pad`."""
    pad: int = 0
    """Reflected border for random crops."""
    train_images: int = 0
    """Learn from so many images, the same share of each class; 0 = from all."""
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
    policy_views: int = 1
    """Symmetries that the product's policy averages over; the stages train it on one at a time."""
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
    masked: Stage | None = None
    """Fine-tuning of the baselines' classifiers on their own choices of patches."""
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
    document = tomllib.loads(path.read_text())
    for key, value in document.items():
        if isinstance(value, dict):
            document[key] = _build(Stage, value, f"{path.name} [{key}]")
        elif isinstance(value, list):
            document[key] = tuple(value)
    recipe: Recipe = _build(Recipe, document, path.name)
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
        choices = [choice for choice in get_args(known[key].type) if isinstance(choice, str)]
        if choices and value not in choices:
            raise ValueError(f"{where}: {key} = {value!r} is not one of {', '.join(choices)}")
    return kind(**values)
