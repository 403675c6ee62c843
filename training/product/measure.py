"""Measurement of a bundle: its greedy policy, its curve, and the baselines at the same classifier and S."""

import math
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from models.bundle import ClassifyBundle
from models.grid import PATCHES
from models.policy import utilities
from training.data.images import ImageSource
from training.methods.baselines import blind_choices
from training.run.evaluate import paired_bootstrap, policy_logits, right_on

CURVE_PATCHES = (1, 2, 3, 4, 5, 6, 8, 12)
"""Mean numbers of patches at which the thresholds of a curve are placed."""
TABLE_PATCHES = (1, 2, 4, 6, 8)
"""Numbers of patches at which the card lists the baselines."""


def measure(bundle: ClassifyBundle, images: ImageSource) -> dict[str, Any]:
    """Measure all figures of the card on one split; the result is JSON-serialisable."""
    # The layout that service uses: another one rounds differently, and the card must be reproducible.
    for network in (bundle.policy, bundle.classifier):
        network.to(memory_format=torch.channels_last)
    count = len(images.labels)
    logits = policy_logits(bundle.policy, images, torch.arange(count), bundle.classifier.coarse)
    utility = utilities(logits)
    bought = utility >= bundle.manifest.threshold
    patches = float(bought.double().sum(1).mean())
    policy_right = _right(bundle, images, bought)
    # The whole numbers around the policy's S, between which the baselines are interpolated.
    sizes = sorted({math.floor(patches), math.ceil(patches), *TABLE_PATCHES})
    baselines = {
        name: _baseline(bundle, images, name, sizes) for name in ("fixed_h", "fixed_v", "stochastic")
    }
    # The two ends, with all 16 patches bought and with none: bool (N, 16).
    everything, nothing = torch.ones(count, PATCHES).bool(), torch.zeros(count, PATCHES).bool()
    return {
        "images": count,
        "data_digest": images.digest,
        "policy": {
            **_summary(policy_right),
            "mean_patches": patches,
            "images_by_patches": torch.bincount(bought.sum(1), minlength=PATCHES + 1).tolist(),
            # One for all images: the policy has collapsed to a fixed mask.
            "unique_choices": len(torch.unique(bought, dim=0)),
        },
        "lr_only": _summary(_right(bundle, images, nothing)),
        "all_patches": _summary(_right(bundle, images, everything)),
        "baselines": {name: _against(policy_right, right, patches) for name, right in baselines.items()},
        "curve": _curve(bundle, images, utility),
    }


def _right(bundle: ClassifyBundle, images: ImageSource, selected: Tensor) -> Tensor:
    return right_on(bundle.classifier, images, selected, bundle.policy.shift.device)


def _summary(right: Tensor) -> dict[str, float]:
    accuracy = float(right.mean())
    # Binomial: each image is one draw.
    return {"accuracy": accuracy, "standard_error": math.sqrt(accuracy * (1 - accuracy) / len(right))}


def _baseline(bundle: ClassifyBundle, images: ImageSource, name: str, sizes: list[int]) -> dict[int, Tensor]:
    """Return by number of patches how often each image is classified correctly (N,)."""
    count = len(images.labels)
    result = {}
    for size in tqdm(sizes, desc=f"measuring {name}", leave=False, mininterval=5):
        draws = blind_choices(name, size, count)
        # (draws, N) -> (N,): Stochastic has several draws, the fixed orders one.
        result[size] = torch.stack([_right(bundle, images, draw) for draw in draws]).mean(0)
    return result


def _against(policy_right: Tensor, right: dict[int, Tensor], patches: float) -> dict[str, Any]:
    """Compare the policy with a baseline at its S, interpolated and rounded up, by paired bootstrap."""
    low, high = right[math.floor(patches)], right[math.ceil(patches)]
    share = patches - math.floor(patches)
    # Per image, so that the bootstrap can resample the interpolated baseline too.
    same = (1 - share) * low + share * high
    return {
        "accuracy_by_patches": {str(size): float(values.mean()) for size, values in right.items()},
        "at_same_patches": float(same.mean()),
        "at_patches_rounded_up": float(high.mean()),
        "gain": paired_bootstrap(policy_right, same),
        "gain_rounded_up": paired_bootstrap(policy_right, high),
    }


def _curve(bundle: ClassifyBundle, images: ImageSource, utility: Tensor) -> list[dict[str, float]]:
    points = []
    for point in tqdm(bundle.manifest.curve, desc="measuring the curve", leave=False, mininterval=5):
        bought = utility >= point.threshold  # as service buys: at the threshold itself too
        points.append(
            {
                "threshold": point.threshold,
                "mean_patches": float(bought.double().sum(1).mean()),
                "accuracy": float(_right(bundle, images, bought).mean()),
            }
        )
    return points
