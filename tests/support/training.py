"""Training at its smallest: a few noise images, networks of a few thousand weights, and their folders."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.policy import PolicyConfig, PolicyNetwork
from training.data.images import Images
from training.run.batches import Crop, TrainingImages
from training.run.folder import Run
from training.run.recipe import Recipe, load_recipe
from training.run.splits import Splits

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: on networks this small more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class TinyRun:
    """The arguments of training functions, on tiny images."""

    run: Run
    splits: Splits
    recipe: Recipe

    @property
    def parts(self) -> tuple[Run, Splits, Recipe]:
        """All three, in the order of the functions that take them."""
        return self.run, self.splits, self.recipe

    @property
    def data(self) -> TrainingImages:
        """The learnt images."""
        return self.splits.to_learn

    def with_splits(self, **changes: Any) -> "TinyRun":
        """Replace fields of the splits."""
        return replace(self, splits=replace(self.splits, **changes))

    def with_recipe(self, **changes: Any) -> "TinyRun":
        """Replace fields of the recipe."""
        return replace(self, recipe=replace(self.recipe, **changes))


def tiny_images(
    count: int = 24, classes: int = 3, hr_size: int = 16, lr_size: int = 4, seed: int = 0
) -> Images:
    """Make noise images whose brightest band is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    hr = torch.randint(0, 120, (count, 3, hr_size, hr_size), generator=generator)
    hr[torch.arange(count), labels % 3] += 100
    lr = torch.nn.functional.adaptive_avg_pool2d(hr.float(), lr_size).round()
    return Images(
        hr=hr.to(torch.uint8),
        lr=lr.to(torch.uint8),
        labels=labels,
        classes=tuple(f"class{number}" for number in range(classes)),
        digests=tuple(f"{seed} {number}" for number in range(count)),
    )


def tiny_run(out: Path, *, resume: bool = False, seed: int = 0, **changes: Any) -> TinyRun:
    """Open the smoke recipe on tiny images; `changes` replace fields of the recipe."""
    recipe: Recipe = replace(load_recipe("smoke"), **changes)
    images = tiny_images()
    crop = None
    if recipe.pad:
        crop = Crop(source=images, pad=recipe.pad, hr_size=recipe.hr_size, lr_size=recipe.lr_size)
    splits = Splits(
        images=images,
        learnt=torch.arange(18),
        validation=torch.arange(18, 24),
        test=tiny_images(seed=1),
        augmentation=recipe.augmentation,
        crop=crop,
    )
    run = Run(out=out, seed=seed, device=CPU, resume=resume, bf16_on_cpu=recipe.bf16_on_cpu)
    return TinyRun(run, splits, recipe)


class WantsPatch5(PolicyNetwork):
    """A policy that wants patch 5 of every tile and nothing else, as surely as its logit says."""

    def __init__(self, logit: float) -> None:
        super().__init__(PolicyConfig(backbone="resnet8", input_size=8))
        del self.backbone
        self.logits = torch.nn.Parameter(torch.where(torch.arange(16) == 5, logit, -logit))

    def forward(self, lr: Tensor, _coarse: Tensor | None = None) -> Tensor:
        """Return the same logits (B, 16) for every tile."""
        return self.logits.expand(len(lr), -1)


def write_data(folder: Path, *, classes: int = 3, train: int = 8, test: int = 4, size: int = 20) -> Path:
    """Write train/ and test/ folders of coloured noise whose brightest band is the class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for label in range(classes):
            place = folder / split / f"class{label}"
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (size, size, 3), dtype=np.uint8)
                pixels[..., label % 3] += 100
                Image.fromarray(pixels).save(place / f"{number:02}.png")
    return folder


def head(network: torch.nn.Module) -> Tensor:
    """Return the weights of a backbone's last layer."""
    return network.get_parameter("head.weight")
