"""Hiding patches from HR-CNN while it learns: those the policy wants most, or a random square (section 7).

Patches of half of each batch are hidden and the other half is clean; everything else is HR-CNN's recipe, so
that the rows of Table 4 differ in this only. The paper states neither the share of hidden tiles nor whether
the policy continues to learn; ours does not.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.policy import PolicyNetwork
from models.preprocess import compose
from training.methods.classifiers import frozen
from training.methods.masks import top_masks
from training.run.batches import Batch, TrainingImages
from training.run.folder import Run
from training.run.initial_weights import new_network
from training.run.loop import train_stage
from training.run.recipe import Recipe

MOST_HIDDEN = 4
CUTOUT_SHARE = 0.5
"""Side of the square over the image's: 16 of 32 px, DeVries and Taylor's choice for CIFAR-10 (2017)."""

Hide = Callable[[Tensor, Tensor], Tensor]
"""Normalised hr and lr -> hr with a part of it hidden."""


def train_with_cutout(run: Run, data: TrainingImages, recipe: Recipe) -> nn.Module:
    """Train HR-CNN with a random square zeroed in half of the tiles; returns it frozen."""
    return _train(run, "cutout", data, recipe, lambda hr, _lr: cut_out(hr, CUTOUT_SHARE))


def train_with_hard_positives(
    run: Run, data: TrainingImages, recipe: Recipe, policy: PolicyNetwork
) -> nn.Module:
    """Train HR-CNN with the policy's 1 to 4 most wanted patches zeroed in half of the tiles; frozen.

    The paper takes the policy of Ft-1.
    """

    def hide(hr: Tensor, lr: Tensor) -> Tensor:
        with torch.no_grad():
            logits = policy(lr)
        # M of section 7, drawn for each tile: 1 .. 4, since randint leaves out its upper end.
        hidden = torch.randint(1, MOST_HIDDEN + 1, (len(hr),)).to(hr.device)
        return compose(hr, lr, hard_positive_masks(logits, hidden), "zero")

    return _train(run, "hard_positives", data, recipe, hide)


def hard_positive_masks(logits: Tensor, hidden: Tensor) -> Tensor:
    """Drop the hidden[i] patches with the largest logits (B, 16): the kept ones, bool (B, 16)."""
    return ~top_masks(logits, hidden)


def cut_out(images: Tensor, share: float) -> Tensor:
    """Zero a square of `share` of the side about a random pixel of each image, clipped at the border."""
    count, _, height, width = images.shape
    half = share * height / 2
    spots = torch.rand(count, 2, 1) * torch.tensor([[height], [width]])  # (B, 2, 1) in pixels
    rows = (torch.arange(height) + 0.5 - spots[:, 0]).abs() < half  # (B, H)
    columns = (torch.arange(width) + 0.5 - spots[:, 1]).abs() < half  # (B, W)
    # (B, H, 1) & (B, 1, W) -> (B, 1, H, W): the same square in every band.
    hidden = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1).to(images.device)
    return images.masked_fill(hidden, 0.0)


def _train(run: Run, stage: str, data: TrainingImages, recipe: Recipe, hide: Hide) -> nn.Module:
    # Seeded as stage "hr": the network starts from the very weights of HR-CNN.
    classes = len(data.images.classes)
    network = new_network(run, "hr", recipe.hr_backbone, classes, pretrained=recipe.pretrained)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        half = len(batch.hr) // 2
        seen = torch.cat((hide(batch.hr[:half], batch.lr[:half]), batch.hr[half:]))
        logits = network(seen.contiguous(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=recipe.hr.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(run, stage, {"network": network}, data, recipe.hr, step)
    return frozen(network)
