"""Predictions of networks on a split, and the comparison of two methods on the same images."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from models.policy import PolicyNetwork
from training.data.images import ImageSource
from training.run.batches import batch_of

INFERENCE_BATCH = 256
CPU_PIXELS = 2**20
"""HR pixels per inference batch on a CPU. At 224 px EfficientNet-Lite0 needs 4 GB for 256 tiles and 0.3 GB
for 20, which are no slower each."""
RESAMPLES = 10_000

TilePredictor = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Normalised hr (B, 3, H, H), lr (B, 3, h, h), selected bool (B, 16) -> probabilities (B, N)."""

Coarse = Callable[[Tensor], Tensor]
"""The LR stream: normalised lr (B, 3, h, h) -> probabilities (B, N)."""


@torch.inference_mode()
def policy_logits(
    policy: PolicyNetwork, images: ImageSource, indices: Tensor, coarse: Coarse | None = None
) -> Tensor:
    """Return the policy's logits (M, 16) of images[indices], on the CPU.

    `coarse` is needed if the policy weighs the LR stream's uncertainty.
    """
    answers = []
    # LR tiles are small: INFERENCE_BATCH of them fit every device.
    for part in torch.split(indices, INFERENCE_BATCH):
        _, lr, _ = batch_of(images, part, policy.shift.device)
        # The LR stream costs a pass of its own: it is asked only where the policy weighs its uncertainty.
        said = coarse(lr) if coarse and policy.config.uncertainty_exponent else None
        answers.append(policy(lr, said).cpu())
    return torch.cat(answers)


def inference_batches(images: ImageSource, indices: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """Split the positions 0..M-1 of `indices` into near-equal batches that fit the device, int64 each."""
    size = INFERENCE_BATCH
    if device.type == "cpu" and len(indices):
        side = images.pixels(indices[:1])[0].shape[-1]
        size = min(size, max(1, CPU_PIXELS // side**2))
    # Near-equal batches need no more memory than the first, and none is nearly empty.
    return torch.tensor_split(torch.arange(len(indices)), max(1, math.ceil(len(indices) / size)))


@torch.inference_mode()
def predict(
    predictor: TilePredictor,
    images: ImageSource,
    indices: Tensor,
    selected: Tensor,
    device: torch.device,
) -> Tensor:
    """Return probabilities (M, N) of images[indices] if `selected` bool (M, 16) are bought, on the CPU."""
    answers = []
    for rows in inference_batches(images, indices, device):
        hr, lr, _ = batch_of(images, indices[rows], device)
        # On the CPU: the answers of a whole split need not fit the device.
        answers.append(predictor(hr, lr, selected[rows].to(device)).float().cpu())
    return torch.cat(answers)


def is_right(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return 1.0 where the likeliest class is the label, else 0.0: float64 (M,)."""
    return (probabilities.argmax(1) == labels).double()


def right_on(predictor: TilePredictor, images: ImageSource, selected: Tensor, device: torch.device) -> Tensor:
    """Return 1.0 for every image classified correctly if `selected` bool (N, 16) are bought: float64 (N,)."""
    everything = torch.arange(len(images.labels))
    return is_right(predict(predictor, images, everything, selected, device), images.labels.cpu())


def paired_bootstrap(first: Tensor, second: Tensor) -> dict[str, float]:
    """Bootstrap the mean of first - second (N,) over images.

    Returns `mean`, the 95 % interval `low` to `high`, and `share_without_gain`, the share of resamples
    whose mean is not positive.
    """
    # A fixed seed: measuring a bundle again must give the very numbers of its card.
    generator = torch.Generator().manual_seed(0)
    # Paired: both methods are resampled on the same images, so that what is hard for both cancels out.
    difference = (first - second).double()
    # Resamples are drawn in blocks: for 10,000 images all at once would take a gigabyte.
    block = max(1, 10_000_000 // len(difference))
    means = []
    for start in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - start)
        rows = torch.randint(len(difference), (count, len(difference)), generator=generator)
        means.append(difference[rows].mean(1))  # (count, N) -> (count,)
    resampled = torch.cat(means)
    low, high = torch.quantile(resampled, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    no_gain = float((resampled <= 0).double().mean())
    return {"mean": float(difference.mean()), "low": low, "high": high, "share_without_gain": no_gain}


def verdict(gain: Mapping[str, float]) -> str:
    """Return the verb for a paired bootstrap of first against second: its interval must leave out zero."""
    # An interval that holds zero is compatible with no difference.
    if gain["low"] > 0:
        return "beats"
    return "loses to" if gain["high"] < 0 else "cannot be told apart from"
