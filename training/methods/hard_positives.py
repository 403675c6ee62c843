"""Hiding patches from HR-CNN while it learns: what the policy holds most telling, or a random square.

Section 7 and Table 4. Half of each batch is hidden from, the other half clean; everything else is
HR-CNN's recipe, so that the rows differ in this alone. The paper states neither the share of hidden
tiles nor whether the policy goes on learning; ours does not.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.policy import PolicyNetwork
from models.preprocess import compose
from training.methods.masks import top_masks
from training.methods.train_classifier import frozen
from training.run.batches import Batch
from training.run.lab import Lab, new_network
from training.run.loop import train_stage

MOST_HIDDEN = 4
CUTOUT_SHARE = 0.5
"""Side of the square over the image's: 16 of 32 px, DeVries and Taylor's choice for CIFAR-10 (2017)."""

Hide = Callable[[Tensor, Tensor], Tensor]
"""Normalised hr and lr to hr with something hidden."""


def train_with_cutout(lab: Lab) -> nn.Module:
    """HR-CNN, a random square zeroed in half of the tiles; frozen."""
    return _train(lab, "cutout", lambda hr, _lr: cut_out(hr, CUTOUT_SHARE))


def train_with_hard_positives(lab: Lab, policy: PolicyNetwork) -> nn.Module:
    """HR-CNN, the 1 to 4 patches that the Ft-1 policy wants most zeroed in half of the tiles; frozen."""

    def hide(hr: Tensor, lr: Tensor) -> Tensor:
        with torch.no_grad():
            logits = policy(lr)
        hidden = torch.randint(1, MOST_HIDDEN + 1, (len(hr),)).to(hr.device)
        return compose(hr, lr, hard_positive_masks(logits, hidden), "zero")

    return _train(lab, "hard_positives", hide)


def hard_positive_masks(logits: Tensor, hidden: Tensor) -> Tensor:
    """What stays when the hidden[i] patches of the largest logits (B, 16) are dropped: bool (B, 16)."""
    return ~top_masks(logits, hidden)


def cut_out(images: Tensor, share: float) -> Tensor:
    """Zero a square of `share` of the side about a random pixel of each image, clipped at the border."""
    count, _, height, width = images.shape
    half = share * height / 2
    spots = torch.rand(count, 2, 1) * torch.tensor([[height], [width]])
    rows = (torch.arange(height) + 0.5 - spots[:, 0]).abs() < half  # (B, H)
    columns = (torch.arange(width) + 0.5 - spots[:, 1]).abs() < half
    hidden = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1).to(images.device)
    return images.masked_fill(hidden, 0.0)


def _train(lab: Lab, stage: str, hide: Hide) -> nn.Module:
    recipe = lab.recipe
    classes = len(lab.images.classes)
    network = new_network(lab, "hr", recipe.hr_backbone, classes, pretrained=recipe.pretrained)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        half = len(batch.hr) // 2
        seen = torch.cat((hide(batch.hr[:half], batch.lr[:half]), batch.hr[half:]))
        logits = network(seen.contiguous(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=recipe.hr.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(lab, stage, {"network": network}, lab.learnt, recipe.hr, step)
    return frozen(network)
