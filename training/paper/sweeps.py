"""Fig. 5: PatchDrop trained again under other ratios of HR to LR, and under other penalties."""

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
from training.data.images import Images
from training.methods.patchdrop import (
    Trained,
    served,
    train_hr_cnn,
    train_lr_cnn,
    train_patchdrop,
    two_stream,
)
from training.methods.reinforce import greedy_actions
from training.run.checkpoints import write_atomically
from training.run.evaluate import policy_logits, right_on
from training.run.lab import Lab, Run

RATIOS = (2, 3, 4, 5)
SIGMAS = (0.5, 2.0, 5.0, 11.0)

Point = dict[str, float]
"""`ratio` or `sigma`, `mean_patches`, `accuracy`: after Ft-2, on the test split."""


def sweep_ratios(lab: Lab) -> Iterator[Point]:
    """LR at 1/2 to 1/5 of HR's resolution, each with its own LR-CNN and policy, HR-CNN shared."""
    hr = train_hr_cnn(lab)
    for ratio in RATIOS:
        size = round(lab.recipe.hr_size / ratio)
        place = _beside(coarser(lab, size), f"ratio{ratio}")
        lr = train_lr_cnn(place, hr)
        stages = dict(train_patchdrop(place, two_stream(place, hr, lr)))
        yield {"ratio": float(ratio), **_measured(place, stages["ft2"])}


def sweep_sigmas(lab: Lab) -> Iterator[Point]:
    """Ft-1 and Ft-2 from one Pt, under each penalty."""
    hr = train_hr_cnn(lab)
    lr = train_lr_cnn(lab, hr)
    for sigma in SIGMAS:
        ft1, ft2 = (replace(lab.recipe.stage(name), sigma=sigma) for name in ("ft1", "ft2"))
        place = _beside(replace(lab, recipe=replace(lab.recipe, ft1=ft1, ft2=ft2)), f"sigma{sigma:g}")
        if (lab.run.out / "pt.safetensors").exists():
            shutil.copy(lab.run.out / "pt.safetensors", place.run.out)  # the same Pt for all
        stages = dict(train_patchdrop(place, two_stream(place, hr, lr)))
        yield {"sigma": sigma, **_measured(place, stages["ft2"])}


def kept(lab: Lab, name: str, points: Iterator[Point]) -> list[Point]:
    """The points, from <out>/<name>.json if they were all measured before."""
    path = lab.run.out / f"{name}.json"
    if path.exists():
        read: list[Point] = json.loads(path.read_text())
        return read
    measured = list(points)
    write_atomically(path, json.dumps(measured, indent=1).encode())
    return measured


def coarser(lab: Lab, size: int) -> Lab:
    """The same lab with LR of `size` pixels, averaged from HR. ValueError if its images are streamed."""

    def again(images: Any) -> Images:
        if not isinstance(images, Images):
            raise ValueError("a sweep over ratios needs images that fit memory")
        parts: list[Tensor] = [
            downsample(part, size).round().to(torch.uint8) for part in torch.split(images.hr, 4096)
        ]
        return replace(images, lr=torch.cat(parts))

    # The LR stream's input keeps its ratio to LR, or it would blur the finer ones away.
    lr_input = round(lab.recipe.lr_input * size / lab.recipe.lr_size)
    recipe = replace(lab.recipe, lr_size=size, policy_input=size, lr_input=lr_input)
    return replace(lab, recipe=recipe, images=again(lab.images), test=again(lab.test))


def _beside(lab: Lab, name: str) -> Lab:
    out: Path = lab.run.out / name
    out.mkdir(exist_ok=True)
    run: Run = replace(lab.run, out=out)
    return replace(lab, run=run)


def _measured(lab: Lab, trained: Trained) -> Point:
    everything = torch.arange(len(lab.test.labels))
    bought = greedy_actions(utilities(policy_logits(trained.policy, lab.test, everything)))
    predictor = served("ft2", trained.classifier)
    return {
        "mean_patches": float(bought.double().sum(1).mean()),
        "accuracy": float(right_on(predictor, lab.test, bought, lab.run.device).mean()),
    }
