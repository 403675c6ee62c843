"""A tiny lab: a few noise images, networks of a few thousand weights, a policy that looks at nothing."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.policy import PolicyConfig, PolicyNetwork
from training.data.images import Images
from training.run.lab import Lab, Run
from training.run.recipe import Recipe, load_recipe


def tiny_images(
    count: int = 24, classes: int = 3, hr_size: int = 16, lr_size: int = 4, seed: int = 0
) -> Images:
    """Noise whose brightest band is the class."""
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


def tiny_lab(out: Path, *, resume: bool = False, seed: int = 0, **changes: object) -> Lab:
    """The smoke recipe on tiny images; `changes` replace fields of the recipe."""
    recipe: Recipe = replace(load_recipe("smoke"), **changes)
    images = tiny_images()
    return Lab(
        recipe=recipe,
        run=Run(out=out, seed=seed, device=torch.device("cpu"), resume=resume),
        images=images,
        learnt=torch.arange(18),
        validation=torch.arange(18, 24),
        test=tiny_images(seed=1),
    )


class WantsPatch5(PolicyNetwork):
    """Patch 5 of every tile and nothing else, as surely as its logit says."""

    def __init__(self, logit: float) -> None:
        super().__init__(PolicyConfig(backbone="resnet8", input_size=8))
        del self.backbone
        self.logits = torch.nn.Parameter(torch.where(torch.arange(16) == 5, logit, -logit))

    def forward(self, lr: Tensor, _coarse: Tensor | None = None) -> Tensor:
        """The same logits (B, 16), whatever is shown."""
        return self.logits.expand(len(lr), -1)
