"""The rows of Tables 1 and 2: every method that the paper compares, the product, and an upper bound."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from models.grid import PATCHES
from training.methods.out_of_fold import Classifier
from training.methods.patchdrop import served
from training.methods.super_resolution import super_resolved_predictor
from training.paper.measure_rows import (
    Rows,
    baseline_size,
    chooser_curve,
    chooser_row,
    coarse_predictor,
    plain_row,
    policy_row,
    right_on_test,
    sharp_predictor,
)
from training.paper.networks import CHOOSERS, Networks
from training.paper.oracle import oracle_masks
from training.paper.rows import Row
from training.product import choose
from training.product.stages import Product
from training.run.evaluate import TilePredictor

ORACLE_SIZES = (1, 2, 4, 6, 8)


def lr_cnn(networks: Networks) -> Rows:
    """LR-CNN."""
    yield plain_row(networks, "lr_cnn", coarse_predictor(networks.lr, networks.recipe.lr_input), bought=False)


def hr_cnn(networks: Networks) -> Rows:
    """HR-CNN."""
    yield plain_row(networks, "hr_cnn", sharp_predictor(networks.hr), bought=True)


def srgan(networks: Networks) -> Rows:
    """Super-resolved LR, classified by a network that learnt from it."""
    predictor = super_resolved_predictor(networks.generator, networks.super_resolved)
    yield plain_row(networks, "srgan", predictor, bought=False)


def kd(networks: Networks) -> Rows:
    """LR student of the HR teacher."""
    yield plain_row(
        networks, "kd", coarse_predictor(networks.student, networks.recipe.lr_input), bought=False
    )


def pcn(networks: Networks) -> Rows:
    """LR branch of the coupled pair."""
    yield plain_row(
        networks, "pcn", coarse_predictor(networks.coupled, networks.recipe.lr_input), bought=False
    )


def patchdrop(networks: Networks) -> Rows:
    """The paper's three stages, each with its curve over thresholds."""
    for stage, trained in networks.patchdrop.items():
        predictor = served(stage, trained.classifier)
        yield policy_row(networks, "patchdrop", stage, trained.policy, predictor)


def chooser(method: str) -> Callable[[Networks], Rows]:
    """Rows of one of CHOOSERS: HR-CNN as it is, then fine-tuned, then with the LR stream."""

    def rows(networks: Networks) -> Rows:
        classifier: Classifier = networks.streams
        for stage, trained in networks.patchdrop.items():
            size = baseline_size(networks.splits, trained.policy)
            if stage != "pt":
                classifier = networks.tuned(method, size, stage, classifier)
            yield chooser_row(networks, method, method, stage, size, served(stage, classifier))

    return rows


def product(networks: Networks) -> Rows:
    """The product's policy, and the baselines' choices under the very same classifier."""
    made = networks.product
    row = policy_row(networks, "product", "", made.policy, made.classifier, made.classifier.coarse)
    same = {
        name: chooser_curve(networks, name, made.classifier)
        for name in CHOOSERS
        if name != "stn" or networks.recipe.stn is not None
    }
    ends = {str(size): _accuracy_at(networks, made.classifier, size) for size in (0, PATCHES)}
    facts = {
        "same_classifier": same,
        "ends": ends,
        "chosen": made.chosen,
        "candidates": {name: score.accuracy for name, score in made.validation.items()},
        "doubt_exponent": made.policy.config.uncertainty_exponent,
        "doubt": {f"{exponent:g}": score.accuracy for exponent, score in made.uncertainty.items()},
        "without_doubt": _without_uncertainty(networks, made),
    }
    yield replace(row, facts=row.facts | facts)


def _without_uncertainty(networks: Networks, made: Product) -> dict[str, Any]:
    """Measure the same policy for the same target without the LR stream's uncertainty."""
    splits, target = networks.splits, networks.recipe.target_patches
    policy = copy.deepcopy(made.policy)
    policy.config = replace(policy.config, uncertainty_exponent=0.0)
    choose.place_operating_point(policy, splits.images, splits.validation, target)
    row = policy_row(networks, "product", "", policy, made.classifier)
    return {"accuracy": row.accuracy, "mean_patches": row.mean_patches, **row.facts}


def oracle(networks: Networks) -> Rows:
    """Greedy choices that know the label, under the product's classifier: an upper bound."""
    test, classifier = networks.splits.test, networks.product.classifier
    everything = torch.arange(len(test.labels))
    masks = oracle_masks(classifier, test, everything, ORACLE_SIZES, networks.run.device)
    rights = {size: right_on_test(networks, classifier, mask) for size, mask in masks.items()}
    size = min(masks, key=lambda size: abs(size - networks.recipe.target_patches))
    curve = [[float(s), float(right.mean())] for s, right in rights.items()]
    yield Row(method="oracle", stage="", right=rights[size], selected=masks[size], facts={"curve": curve})


def _accuracy_at(networks: Networks, predictor: TilePredictor, size: int) -> float:
    selected = torch.zeros(len(networks.splits.test.labels), PATCHES).bool()
    selected[:, :size] = True
    return float(right_on_test(networks, predictor, selected).mean())
