"""Fig. 5: PatchDrop trained again at other ratios of HR to LR, and with other penalties."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.policy import utilities
from models.preprocess import downsample
from training.data.images import Images, ImageSource
from training.methods.classifiers import train_hr_cnn, train_lr_cnn
from training.methods.patchdrop import Trained, served, train_patchdrop, two_stream
from training.methods.reinforce import greedy_actions
from training.run.checkpoints import write_atomically
from training.run.evaluate import policy_logits, right_on
from training.run.folder import Run
from training.run.recipe import Recipe
from training.run.splits import Splits

RATIOS = (2, 3, 4, 5)
"""HR pixels per LR pixel, along one side."""
SIGMAS = (0.5, 2.0, 5.0, 11.0)
"""Penalties of a wrong label in Ft-1 and Ft-2."""

Point = dict[str, float]
"""`ratio` or `sigma`, `mean_patches` and `accuracy`, after Ft-2 on the test split."""


def sweep_ratios(run: Run, splits: Splits, recipe: Recipe) -> Iterator[Point]:
    """Train with LR at 1/2 to 1/5 of HR's resolution, with an LR-CNN and a policy for each.

    HR-CNN is shared: it does not depend on LR.
    """
    hr = train_hr_cnn(run, splits.to_learn, recipe)
    for ratio in RATIOS:
        size = round(recipe.hr_size / ratio)  # 32 px at a ratio of 3 or 5 give a fraction
        place, images, settings = (
            beside(run, f"ratio{ratio}"),
            coarser(splits, size),
            at_lr_size(recipe, size),
        )
        lr = train_lr_cnn(place, images.to_learn, settings, hr)
        classifier = two_stream(hr, lr, settings.lr_input)
        stages = dict(train_patchdrop(place, images, settings, classifier))
        yield {"ratio": float(ratio), **_measured(images.test, stages["ft2"])}


def sweep_sigmas(run: Run, splits: Splits, recipe: Recipe) -> Iterator[Point]:
    """Train Ft-1 and Ft-2 from the same Pt, with each penalty."""
    hr = train_hr_cnn(run, splits.to_learn, recipe)
    lr = train_lr_cnn(run, splits.to_learn, recipe, hr)
    for sigma in SIGMAS:
        # Only the fine-tuning penalty: Pt keeps the sigma of the recipe.
        ft1, ft2 = (replace(recipe.stage(name), sigma=sigma) for name in ("ft1", "ft2"))
        place, settings = beside(run, f"sigma{sigma:g}"), replace(recipe, ft1=ft1, ft2=ft2)
        if (run.out / "pt.safetensors").exists():
            shutil.copy(run.out / "pt.safetensors", place.out)  # the points then differ by sigma only
        classifier = two_stream(hr, lr, settings.lr_input)
        stages = dict(train_patchdrop(place, splits, settings, classifier))
        yield {"sigma": sigma, **_measured(splits.test, stages["ft2"])}


def kept(run: Run, name: str, points: Iterator[Point]) -> list[Point]:
    """Return the points, from <out>/<name>.json if all were measured before."""
    path = run.out / f"{name}.json"
    if path.exists():
        read: list[Point] = json.loads(path.read_text())
        return read
    # All or none: the trainings resume from their own checkpoints, so an interrupted sweep loses little.
    measured = list(points)
    write_atomically(path, json.dumps(measured, indent=1).encode())
    return measured


def coarser(splits: Splits, size: int) -> Splits:
    """Average LR of `size` pixels from HR, in both splits. Raise ValueError if their images are streamed."""

    def again(images: Any) -> Images:
        if not isinstance(images, Images):
            raise ValueError("A sweep over ratios needs a data set that fits into memory.")
        # In parts: downsampling works in fp32, four times the size of the stored pixels.
        parts: list[Tensor] = [
            downsample(part, size).round().to(torch.uint8) for part in torch.split(images.hr, 4096)
        ]
        return replace(images, lr=torch.cat(parts))

    # Crops are averaged to LR while training, so they must know the size too.
    crop = splits.crop and replace(splits.crop, lr_size=size)
    return replace(splits, images=again(splits.images), test=again(splits.test), crop=crop)


def at_lr_size(recipe: Recipe, size: int) -> Recipe:
    """Return the recipe with LR of `size` pixels."""
    # The LR stream's input keeps its ratio to LR: at one fixed input size a finer LR would gain nothing.
    lr_input = round(recipe.lr_input * size / recipe.lr_size)
    return replace(recipe, lr_size=size, policy_input=size, lr_input=lr_input)


def beside(run: Run, name: str) -> Run:
    """Return the same run in a separate folder inside the run's folder."""
    out: Path = run.out / name
    out.mkdir(exist_ok=True)
    return replace(run, out=out)


def _measured(test: ImageSource, trained: Trained) -> Point:
    # Without `coarse`: the paper's policy does not weigh label uncertainty.
    everything = torch.arange(len(test.labels))
    bought = greedy_actions(utilities(policy_logits(trained.policy, test, everything)))
    predictor = served("ft2", trained.classifier)
    return {
        "mean_patches": float(bought.double().sum(1).mean()),
        "accuracy": float(right_on(predictor, test, bought, trained.policy.shift.device).mean()),
    }
