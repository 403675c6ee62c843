"""Classifiers trained by cross-entropy: HR-CNN, LR-CNN, the KD student and HR streams for bought patches.

They share one stage and differ in the view of a tile: `full_view` trains HR-CNN, `coarse_view` LR-CNN, and
`filled_view` an HR stream with random patches sharp and the others LR-filled (or zero).

KD is "Adapting models to signal degradation using distillation" (Su and Maji 2016, arXiv 1604.00433): the
teacher sees the sharp image and the student the degraded one. The loss adds to the labels' cross-entropy
the cross-entropy between both networks' predictions, softened at temperature T.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import Fill, compose, upsample
from training.methods.masks import training_masks
from training.run.batches import Batch, TrainingImages
from training.run.folder import Run
from training.run.initial_weights import copy_matching, new_network
from training.run.loop import train_stage
from training.run.machine import inference_precision
from training.run.recipe import Recipe, Stage

TEMPERATURE = 4.0
TEACHER_SHARE = 0.5
"""Weight of the teacher's loss against the label's; both constants are ours, chosen once and not tuned."""

View = Callable[[Batch], Tensor]
"""A batch -> the network's input (B, 3, H, H)."""


def full_view(batch: Batch) -> Tensor:
    """Return the tiles with every patch bought."""
    return batch.hr


def coarse_view(size: int) -> View:
    """Return the view of the LR tile alone, upsampled to `size` pixels a side."""
    return lambda batch: upsample(batch.lr, size)


def filled_view(fill: Fill) -> View:
    """Return the view of a random choice of bought patches, drawn for each tile."""

    def view(batch: Batch) -> Tensor:
        # Drawn on the CPU and then moved: a run on another device draws the same choices.
        masks = training_masks(len(batch.hr)).to(batch.hr.device, non_blocking=True)
        return compose(batch.hr, batch.lr, masks, fill)

    return view


def train_classifier(
    run: Run,
    stage: str,
    network: nn.Module,
    view: View,
    data: TrainingImages,
    config: Stage,
    *,
    teacher: nn.Module | None = None,
) -> nn.Module:
    """Train `network` in place and return it frozen, in evaluation mode.

    With a frozen `teacher` it learns the labels and the teacher's predictions for the whole sharp tile:
    distillation (Hinton et al. 2015, arXiv 1503.02531, section 2).
    """

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        # Losses in fp32: bf16 has 8 bits of precision, too few for the logarithm of a small probability.
        logits = network(view(batch).contiguous(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        if teacher is not None:
            agreement = softened_divergence(logits, _teacher_logits(teacher, batch), TEMPERATURE)
            # Hinton's two terms: hard labels, and the teacher's softened probabilities.
            loss = (1 - TEACHER_SHARE) * loss + TEACHER_SHARE * agreement
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(run, stage, {"network": network}, data, config, step)
    return frozen(network)


def train_hr_cnn(run: Run, data: TrainingImages, recipe: Recipe) -> nn.Module:
    """Train HR-CNN on whole sharp tiles; returns it frozen."""
    classes = len(data.images.classes)
    # The stage names the seed: Table 4's networks start from these very weights.
    network = new_network(run, "hr", recipe.hr_backbone, classes, pretrained=recipe.pretrained)
    return train_classifier(run, "hr", network, full_view, data, recipe.hr)


def train_lr_cnn(run: Run, data: TrainingImages, recipe: Recipe, hr: nn.Module) -> nn.Module:
    """Train LR-CNN on upsampled LR tiles; returns it frozen."""
    network = new_lr_network(run, "lr", recipe, hr, len(data.images.classes))
    return train_classifier(run, "lr", network, coarse_view(recipe.lr_input), data, recipe.lr)


def train_distillation(run: Run, data: TrainingImages, recipe: Recipe, teacher: nn.Module) -> nn.Module:
    """Train the KD student of `teacher`, HR-CNN; returns it frozen. Its input is LR upsampled to lr_input."""
    # It starts where LR-CNN does, so the rows of both differ by the teacher only.
    student = new_lr_network(run, "kd", recipe, teacher, len(data.images.classes))
    view = coarse_view(recipe.lr_input)
    return train_classifier(run, "kd", student, view, data, recipe.stage("kd"), teacher=teacher)


def new_lr_network(run: Run, stage: str, recipe: Recipe, hr: nn.Module, classes: int) -> nn.Module:
    """Build an LR classifier from the weights that the recipe's `lr_start` names: HR, ImageNet or random."""
    pretrained = recipe.lr_start == "imagenet"
    network = new_network(run, stage, recipe.lr_backbone, classes, pretrained=pretrained)
    if recipe.lr_start == "hr":
        # The paper's way. Another backbone than HR-CNN's shares no layer names: nothing is copied then.
        copy_matching(hr, network)
    return network


def _teacher_logits(teacher: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad(), inference_precision(batch.hr.device):
        # The teacher sees every patch sharp, whatever the view shows the student.
        logits: Tensor = teacher(batch.hr).float()
    return logits


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(teacher || student) of logits (B, N) softened at T, mean over the batch: a scalar."""
    # Its gradient is that of the cross-entropy between the two, but it is 0 where they agree.
    divergence = F.kl_div(
        # Log-probabilities (B, N) of both; the sum over classes is divided by B.
        F.log_softmax(student / temperature, 1),
        F.log_softmax(teacher / temperature, 1),
        log_target=True,
        reduction="batchmean",
    )
    # Softening divides the gradient by T^2: without the factor the teacher would hardly count.
    return temperature**2 * divergence


def frozen(network: nn.Module) -> nn.Module:
    """Put a network into evaluation mode and switch its gradients off."""
    return network.eval().requires_grad_(False)
