"""What networks answer on a split, and how to compare two of them on the same images."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from models.policy import PolicyNetwork
from training.data.images import ImageSource
from training.run.batches import batch_of

ANSWERED_AT_ONCE = 256
CPU_PIXELS = 2**20
"""Of HR, answered at once on a CPU. At 224 px EfficientNet-Lite0 takes 4 GB for 256 tiles and 0.3 GB for 20,
which are no slower each."""
RESAMPLES = 10_000

Predictor = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Normalised hr (B, 3, H, H), lr (B, 3, h, h), selected bool (B, 16) -> probabilities (B, N)."""

Coarse = Callable[[Tensor], Tensor]
"""What the LR stream says: normalised lr (B, 3, h, h) -> probabilities (B, N)."""


@torch.inference_mode()
def policy_logits(
    policy: PolicyNetwork, images: ImageSource, indices: Tensor, coarse: Coarse | None = None
) -> Tensor:
    """Logits (M, 16) of images[indices], on the CPU; a policy that weighs doubt needs `coarse`."""
    answers = []
    for part in torch.split(indices, ANSWERED_AT_ONCE):
        _, lr, _ = batch_of(images, part, policy.shift.device)
        said = coarse(lr) if coarse and policy.config.uncertainty_exponent else None
        answers.append(policy(lr, said).cpu())
    return torch.cat(answers)


def answered_together(images: ImageSource, indices: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """Places in `indices`, int64 (M,), in near-equal parts that the device answers one at a time."""
    size = ANSWERED_AT_ONCE
    if device.type == "cpu" and len(indices):
        side = images.pixels(indices[:1])[0].shape[-1]
        size = min(size, max(1, CPU_PIXELS // side**2))
    return torch.tensor_split(torch.arange(len(indices)), max(1, math.ceil(len(indices) / size)))


@torch.inference_mode()
def predict(
    predictor: Predictor,
    images: ImageSource,
    indices: Tensor,
    selected: Tensor,
    device: torch.device,
) -> Tensor:
    """Probabilities (M, N) of images[indices] when `selected` bool (M, 16) patches are bought, on the CPU."""
    answers = []
    for rows in answered_together(images, indices, device):
        hr, lr, _ = batch_of(images, indices[rows], device)
        answers.append(predictor(hr, lr, selected[rows].to(device)).float().cpu())
    return torch.cat(answers)


def is_right(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1.0 where the likeliest class is the label, float64 (M,)."""
    return (probabilities.argmax(1) == labels).double()


def right_on(predictor: Predictor, images: ImageSource, selected: Tensor, device: torch.device) -> Tensor:
    """1.0 for every image labelled rightly when `selected` bool (N, 16) are bought: float64 (N,)."""
    everything = torch.arange(len(images.labels))
    return is_right(predict(predictor, images, everything, selected, device), images.labels.cpu())


def paired_bootstrap(first: Tensor, second: Tensor) -> dict[str, float]:
    """Mean of first - second (N,) over images, its 95 % interval, and how often resampling finds no gain.

    As `mean`, `low`, `high` and `share_without_gain`.
    """
    generator = torch.Generator().manual_seed(0)
    difference = (first - second).double()
    # A block of resamples at a time: 10,000 images would otherwise take a gigabyte.
    block = max(1, 10_000_000 // len(difference))
    means = []
    for start in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - start)
        rows = torch.randint(len(difference), (count, len(difference)), generator=generator)
        means.append(difference[rows].mean(1))
    resampled = torch.cat(means)
    low, high = torch.quantile(resampled, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    no_gain = float((resampled <= 0).double().mean())
    return {"mean": float(difference.mean()), "low": low, "high": high, "share_without_gain": no_gain}


def verdict(gain: Mapping[str, float]) -> str:
    """What a paired bootstrap says of first against second, by whether its interval leaves zero out."""
    if gain["low"] > 0:
        return "beats"
    return "loses to" if gain["high"] < 0 else "cannot be told apart from"
