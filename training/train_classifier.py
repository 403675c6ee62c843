"""Classifiers by cross-entropy: one stage, three views of a tile.

`full_view` trains HR-CNN, `coarse_view` LR-CNN, `filled_view` an HR stream for bought patches: random
choices of them sharp, the rest LR-filled (or zero).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import Fill, compose, upsample
from training.batches import Batch
from training.epochs import train_stage
from training.lab import Lab
from training.masks import training_masks
from training.recipe import Stage

View = Callable[[Batch], Tensor]
"""What the network sees of a batch: (B, 3, H, H)."""


def full_view(batch: Batch) -> Tensor:
    """Every patch bought."""
    return batch.hr


def coarse_view(size: int) -> View:
    """The LR tile alone, upsampled to `size` pixels a side."""
    return lambda batch: upsample(batch.lr, size)


def filled_view(fill: Fill) -> View:
    """A random choice of patches bought."""
    return lambda batch: compose(batch.hr, batch.lr, training_masks(len(batch.hr)).to(batch.hr.device), fill)


def train_classifier(
    lab: Lab, stage: str, network: nn.Module, view: View, indices: Tensor, config: Stage
) -> nn.Module:
    """Train `network` in place on images[indices]; returns it frozen, in evaluation mode."""

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = network(view(batch).contiguous(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(lab, stage, {"network": network}, indices, config, step)
    return frozen(network)


def frozen(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, without gradients."""
    return network.eval().requires_grad_(False)
