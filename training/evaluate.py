"""How good a bundle is: greedy policy, its curve, and the baselines with the same classifier and S."""

import math
from typing import Any

import torch
from torch import Tensor

from models.bundle import Bundle
from models.grid import PATCHES
from models.policy import PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier
from training.baselines.fixed import FIXED_H, FIXED_V, fixed_masks
from training.baselines.stochastic import stochastic_masks
from training.data import Images
from training.train_classifier import batch_of

BATCH = 70
STOCHASTIC_SEEDS = 5
CURVE_PATCHES = (1, 2, 3, 4, 5, 6, 8, 12)
TABLE_PATCHES = (1, 2, 4, 6, 8)
RESAMPLES = 10_000


@torch.inference_mode()
def policy_logits(policy: PolicyNetwork, images: Images, indices: Tensor) -> Tensor:
    """Logits (M, 16) of images[indices], on the CPU."""
    device = policy.shift.device
    return torch.cat([policy(batch_of(images, i, device)[1]).cpu() for i in torch.split(indices, BATCH)])


@torch.inference_mode()
def predict(classifier: TwoStreamClassifier, images: Images, indices: Tensor, selected: Tensor) -> Tensor:
    """Probabilities (M, N) of images[indices] when `selected` bool (M, 16) patches are bought."""
    device = next(classifier.parameters()).device
    answers = []
    for rows in torch.split(torch.arange(len(indices)), BATCH):
        hr, lr, _ = batch_of(images, indices[rows], device)
        answers.append(classifier(hr, lr, selected[rows].to(device)).cpu())
    return torch.cat(answers)


def is_right(bundle: Bundle, images: Images, selected: Tensor) -> Tensor:
    """1.0 where the label is right, float64 (N,)."""
    everything = torch.arange(len(images.labels))
    probabilities = predict(bundle.classifier, images, everything, selected)
    return (probabilities.argmax(1) == images.labels).double()


def measure(bundle: Bundle, images: Images) -> dict[str, Any]:
    """Everything the card says about one split, JSON-serialisable."""
    count = len(images.labels)
    utility = utilities(policy_logits(bundle.policy, images, torch.arange(count)))
    bought = utility >= bundle.manifest.threshold
    patches = float(bought.double().sum(1).mean())
    policy_right = is_right(bundle, images, bought)
    sizes = sorted({math.floor(patches), math.ceil(patches), *TABLE_PATCHES})
    baselines = {
        name: _baseline(bundle, images, name, sizes) for name in ("fixed_h", "fixed_v", "stochastic")
    }
    everything, nothing = torch.ones(count, PATCHES).bool(), torch.zeros(count, PATCHES).bool()
    return {
        "images": count,
        "data_digest": images.digest,
        "policy": {
            **_summary(policy_right),
            "mean_patches": patches,
            "images_by_patches": torch.bincount(bought.sum(1), minlength=PATCHES + 1).tolist(),
            "unique_choices": len(torch.unique(bought, dim=0)),
        },
        "lr_only": _summary(is_right(bundle, images, nothing)),
        "all_patches": _summary(is_right(bundle, images, everything)),
        "baselines": {name: _against(policy_right, right, patches) for name, right in baselines.items()},
        "curve": _curve(bundle, images, utility),
    }


def _summary(right: Tensor) -> dict[str, float]:
    accuracy = float(right.mean())
    return {"accuracy": accuracy, "standard_error": math.sqrt(accuracy * (1 - accuracy) / len(right))}


def _baseline(bundle: Bundle, images: Images, name: str, sizes: list[int]) -> dict[int, Tensor]:
    """For each number of patches, how often each image is labelled rightly (N,)."""
    count = len(images.labels)
    result = {}
    for size in sizes:
        if name == "stochastic":
            draws = [stochastic_masks(size, count, seed) for seed in range(STOCHASTIC_SEEDS)]
        else:
            draws = [fixed_masks(FIXED_H if name == "fixed_h" else FIXED_V, size, count)]
        result[size] = torch.stack([is_right(bundle, images, draw) for draw in draws]).mean(0)
    return result


def _against(policy_right: Tensor, right: dict[int, Tensor], patches: float) -> dict[str, Any]:
    """The baseline at the policy's S, rounded up and interpolated, and the paired bootstrap of the gap."""
    low, high = right[math.floor(patches)], right[math.ceil(patches)]
    share = patches - math.floor(patches)
    same = (1 - share) * low + share * high
    return {
        "accuracy_by_patches": {str(size): float(values.mean()) for size, values in right.items()},
        "at_same_patches": float(same.mean()),
        "at_patches_rounded_up": float(high.mean()),
        "gain": paired_bootstrap(policy_right, same),
        "gain_rounded_up": paired_bootstrap(policy_right, high),
    }


def paired_bootstrap(first: Tensor, second: Tensor) -> dict[str, float]:
    """Mean of first - second over images, its 95 % interval, and how often resampling finds no gain."""
    generator = torch.Generator().manual_seed(0)
    difference = (first - second).double()
    rows = torch.randint(len(difference), (RESAMPLES, len(difference)), generator=generator)
    means = difference[rows].mean(1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    no_gain = float((means <= 0).double().mean())
    return {"mean": float(difference.mean()), "low": low, "high": high, "share_without_gain": no_gain}


def _curve(bundle: Bundle, images: Images, utility: Tensor) -> list[dict[str, float]]:
    points = []
    for point in bundle.manifest.curve:
        bought = utility >= point.threshold
        points.append(
            {
                "threshold": point.threshold,
                "mean_patches": float(bought.double().sum(1).mean()),
                "accuracy": float(is_right(bundle, images, bought).mean()),
            }
        )
    return points
