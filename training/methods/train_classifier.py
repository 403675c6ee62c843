"""Classifiers by cross-entropy: one stage, three views of a tile.

`full_view` trains HR-CNN, `coarse_view` LR-CNN, `filled_view` an HR stream for bought patches: random
choices of them sharp, the rest LR-filled (or zero). A teacher that sees the whole sharp tile may help.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import Fill, compose, upsample
from training.methods.masks import training_masks
from training.run.batches import Batch
from training.run.lab import Lab
from training.run.loop import train_stage
from training.run.precision import inference_precision
from training.run.recipe import Stage

TEMPERATURE = 4.0
TEACHER_SHARE = 0.5
"""Weight of the teacher's word against the label's; both constants are ours, chosen once and not tuned."""

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

    def view(batch: Batch) -> Tensor:
        masks = training_masks(len(batch.hr)).to(batch.hr.device, non_blocking=True)
        return compose(batch.hr, batch.lr, masks, fill)

    return view


def train_classifier(
    lab: Lab,
    stage: str,
    network: nn.Module,
    view: View,
    indices: Tensor,
    config: Stage,
    *,
    teacher: nn.Module | None = None,
) -> nn.Module:
    """Train `network` in place on images[indices]; returns it frozen, in evaluation mode.

    With a `teacher`, frozen, it learns the labels and what the teacher makes of the whole sharp tile:
    distillation (Hinton et al. 2015, arXiv 1503.02531, section 2).
    """

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = network(view(batch).contiguous(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        if teacher is not None:
            agreement = softened_divergence(logits, _taught(teacher, batch), TEMPERATURE)
            loss = (1 - TEACHER_SHARE) * loss + TEACHER_SHARE * agreement
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(lab, stage, {"network": network}, indices, config, step)
    return frozen(network)


def _taught(teacher: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad(), inference_precision(batch.hr.device):
        logits: Tensor = teacher(batch.hr).float()
    return logits


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of logits (B, N) softened at T, mean over the batch: ().

    Its gradient is that of the cross-entropy between the two; 0 where they agree.
    """
    divergence = F.kl_div(
        F.log_softmax(student / temperature, 1),
        F.log_softmax(teacher / temperature, 1),
        log_target=True,
        reduction="batchmean",
    )
    return temperature**2 * divergence


def frozen(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, without gradients."""
    return network.eval().requires_grad_(False)
