"""Measurement of rows: a classifier on the test split, under a choice of patches for every image."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from models.grid import PATCHES
from models.policy import PolicyNetwork, utilities
from models.preprocess import upsample
from training.methods.baselines import blind_choices
from training.methods.fine_tune import Chooser
from training.methods.reinforce import greedy_actions
from training.paper.networks import Networks
from training.paper.rows import MeasuredRow
from training.product.choose import buying_threshold
from training.run.batches import batch_of
from training.run.evaluate import INFERENCE_BATCH, Coarse, TilePredictor, policy_logits, right_on
from training.run.splits import Splits

CURVE_SIZES = (1, 2, 4, 6, 8, 12)
"""Numbers of patches at which every curve is measured."""

Rows = Iterator[MeasuredRow]
"""Rows of one method, as they are measured."""


def plain_row(networks: Networks, method: str, predictor: TilePredictor, *, bought: bool) -> MeasuredRow:
    """Measure a method that buys all or nothing."""
    # bool (N, 16). Predictors of these methods ignore it; the row needs it for S.
    selected = torch.full((len(networks.splits.test.labels), PATCHES), bought)
    right = right_on_test(networks, predictor, selected)
    return MeasuredRow(method=method, stage="", right=right, selected=selected, facts={})


def policy_row(
    networks: Networks,
    method: str,
    stage: str,
    policy: PolicyNetwork,
    predictor: TilePredictor,
    coarse: Coarse | None = None,
) -> MeasuredRow:
    """Measure greedy choices at utility 0.5, and a curve whose thresholds are placed on validation."""
    splits = networks.splits
    logits = policy_logits(policy, splits.test, torch.arange(len(splits.test.labels)), coarse)
    selected = greedy_actions(utilities(logits))
    placed = policy_logits(policy, splits.images, splits.validation, coarse)
    # One threshold for all tiles: thresholds placed on test would give the policy the S it asks for.
    curve = []
    for size in CURVE_SIZES:
        bought = logits >= buying_threshold(placed, size)
        right = right_on_test(networks, predictor, bought)
        curve.append([float(bought.double().sum(1).mean()), float(right.mean())])
    right = right_on_test(networks, predictor, selected)
    return MeasuredRow(method=method, stage=stage, right=right, selected=selected, facts={"curve": curve})


def chooser_row(
    networks: Networks, method: str, name: str, stage: str, size: int, predictor: TilePredictor
) -> MeasuredRow:
    """Measure one of CHOOSERS at `size` patches, as a mean over draws if it is random."""
    draws = _draws(networks, name, size)
    # (draws, N) -> (N,): the share of draws with a correct label.
    right = torch.stack([right_on_test(networks, predictor, draw) for draw in draws]).mean(0)
    curve = chooser_curve(networks, name, predictor)
    return MeasuredRow(method=method, stage=stage, right=right, selected=draws[0], facts={"curve": curve})


def chooser_curve(networks: Networks, name: str, predictor: TilePredictor) -> list[list[float]]:
    """Measure the curve [[S, accuracy], ...] of one of CHOOSERS."""
    return [
        [float(size), _mean_accuracy(networks, predictor, _draws(networks, name, size))]
        for size in CURVE_SIZES
    ]


def sharp_predictor(network: nn.Module) -> TilePredictor:
    """Return the predictor that runs a network on whole HR tiles."""

    def predictor(hr: Tensor, _lr: Tensor, _selected: Tensor) -> Tensor:
        # In fp32: bf16 would round close probabilities to the same value.
        return torch.softmax(network(hr).float(), dim=1)

    return predictor


def coarse_predictor(network: nn.Module, lr_input: int) -> TilePredictor:
    """Return the predictor that runs a network on upsampled LR tiles."""

    def predictor(_hr: Tensor, lr: Tensor, _selected: Tensor) -> Tensor:
        return torch.softmax(network(upsample(lr, lr_input)).float(), dim=1)

    return predictor


def baseline_size(splits: Splits, policy: PolicyNetwork) -> int:
    """Return the policy's S on validation, rounded up in favour of the baselines as in the paper."""
    bought = greedy_actions(utilities(policy_logits(policy, splits.images, splits.validation)))
    # At least 1: beside a collapsed policy the baselines would have nothing to choose.
    return max(1, math.ceil(float(bought.double().sum(1).mean())))


def right_on_test(networks: Networks, predictor: TilePredictor, selected: Tensor) -> Tensor:
    """Return 1 per test image with a correct label under the choice `selected` bool (N, 16): float32 (N,)."""
    return right_on(predictor, networks.splits.test, selected, networks.run.device).float()


def _mean_accuracy(networks: Networks, predictor: TilePredictor, draws: Sequence[Tensor]) -> float:
    return sum(float(right_on_test(networks, predictor, draw).mean()) for draw in draws) / len(draws)


def _draws(networks: Networks, name: str, size: int) -> list[Tensor]:
    """Return a chooser's choices of the test split: several draws if it is random, otherwise one."""
    if name == "stn":  # the only one of CHOOSERS that reads the tile
        return [_chosen(networks, networks.chooser(name, size))]
    return blind_choices(name, size, len(networks.splits.test.labels))


@torch.inference_mode()
def _chosen(networks: Networks, chooser: Chooser) -> Tensor:
    test, device = networks.splits.test, networks.run.device
    parts = torch.split(torch.arange(len(test.labels)), INFERENCE_BATCH)
    # In parts: the tiles of a whole test split do not fit a GPU. [1] is the LR tile.
    return torch.cat([chooser(batch_of(test, part, device)[1]).cpu() for part in parts])
