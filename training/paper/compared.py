"""The rows of Tables 1, 2 and 4: every method that the paper compares, the product, and an upper bound."""

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
from training.paper.rows import MeasuredRow
from training.product import choose
from training.product.stages import Product
from training.run.evaluate import TilePredictor

ORACLE_SIZES = (1, 2, 4, 6, 8)
"""Numbers of patches that the oracle is measured at."""


def lr_cnn(networks: Networks) -> Rows:
    """Measure LR-CNN."""
    yield plain_row(networks, "lr_cnn", coarse_predictor(networks.lr, networks.recipe.lr_input), bought=False)


def hr_cnn(networks: Networks) -> Rows:
    """Measure HR-CNN."""
    yield plain_row(networks, "hr_cnn", sharp_predictor(networks.hr), bought=True)


def srgan(networks: Networks) -> Rows:
    """Measure SRGAN: super-resolved LR, classified by a network trained on it."""
    predictor = super_resolved_predictor(networks.generator, networks.super_resolved)
    yield plain_row(networks, "srgan", predictor, bought=False)


def kd(networks: Networks) -> Rows:
    """Measure KD: the LR student of the HR teacher."""
    yield plain_row(
        networks, "kd", coarse_predictor(networks.student, networks.recipe.lr_input), bought=False
    )


def pcn(networks: Networks) -> Rows:
    """Measure PCN: the LR branch of the coupled pair."""
    yield plain_row(
        networks, "pcn", coarse_predictor(networks.coupled, networks.recipe.lr_input), bought=False
    )


def patchdrop(networks: Networks) -> Rows:
    """Measure the paper's three stages, each with its curve over thresholds."""
    for stage, trained in networks.patchdrop.items():
        predictor = served(stage, trained.classifier)  # Pt and Ft-1 predict without the LR stream
        yield policy_row(networks, "patchdrop", stage, trained.policy, predictor)


def chooser(method: str) -> Callable[[Networks], Rows]:
    """Return the measurement of one of CHOOSERS: with HR-CNN, then fine-tuned, then with the LR stream."""

    def rows(networks: Networks) -> Rows:
        # Each stage starts from the last one's classifier, as PatchDrop's stages do.
        classifier: Classifier = networks.streams
        for stage, trained in networks.patchdrop.items():
            # A whole number of patches: these baselines buy equally many of every tile.
            size = baseline_size(networks.splits, trained.policy)
            if stage != "pt":
                classifier = networks.tuned(method, size, stage, classifier)
            yield chooser_row(networks, method, method, stage, size, served(stage, classifier))

    return rows


def product(networks: Networks) -> Rows:
    """Measure the product's policy, and the baselines' choices under the same classifier."""
    made = networks.product
    row = policy_row(networks, "product", "", made.policy, made.classifier, made.classifier.coarse)
    # Under one classifier the curves differ only in which patches are bought.
    same = {
        name: chooser_curve(networks, name, made.classifier)
        for name in CHOOSERS
        # STN needs a training of its own, which a recipe may leave out.
        if name != "stn" or networks.recipe.stn is not None
    }
    # S = 0 must equal LR-CNN and S = 16 come near HR-CNN; the report prints both.
    ends = {str(size): _accuracy_at(networks, made.classifier, size) for size in (0, PATCHES)}
    facts = {
        "same_classifier": same,
        "ends": ends,
        "chosen": made.chosen,
        "candidates": {name: score.accuracy for name, score in made.validation.items()},
        # These three keys are older than the term label uncertainty; saved rows have them.
        "doubt_exponent": made.policy.config.uncertainty_exponent,
        "doubt": {f"{exponent:g}": score.accuracy for exponent, score in made.uncertainty.items()},
        "without_doubt": _without_uncertainty(networks, made),
    }
    yield replace(row, facts=row.facts | facts)


def _without_uncertainty(networks: Networks, made: Product) -> dict[str, Any]:
    """Measure the same policy for the same target without label uncertainty."""
    splits, target = networks.splits, networks.recipe.target_patches
    policy = copy.deepcopy(made.policy)
    policy.config = replace(policy.config, uncertainty_exponent=0.0)
    # The exponent moved the logits: without placing it again, the policy would buy another S.
    choose.place_operating_point(policy, splits.images, splits.validation, target)
    row = policy_row(networks, "product", "", policy, made.classifier)
    return {"accuracy": row.accuracy, "mean_patches": row.mean_patches, **row.facts}


def oracle(networks: Networks) -> Rows:
    """Measure greedy choices that know the label, under the product's classifier: an upper bound."""
    test, classifier = networks.splits.test, networks.product.classifier
    everything = torch.arange(len(test.labels))
    masks = oracle_masks(classifier, test, everything, ORACLE_SIZES, networks.run.device)
    rights = {size: right_on_test(networks, classifier, mask) for size, mask in masks.items()}
    # The table's cell is at the size nearest to what the product buys.
    size = min(masks, key=lambda size: abs(size - networks.recipe.target_patches))
    curve = [[float(s), float(right.mean())] for s, right in rights.items()]
    yield MeasuredRow(
        method="oracle", stage="", right=rights[size], selected=masks[size], facts={"curve": curve}
    )


def augment_none(networks: Networks) -> Rows:
    """Measure HR-CNN with only the recipe's own augmentation (Table 4)."""
    yield plain_row(networks, "augment_none", sharp_predictor(networks.hr), bought=True)


def augment_cutout(networks: Networks) -> Rows:
    """Measure HR-CNN trained with CutOut (Table 4)."""
    yield plain_row(networks, "augment_cutout", sharp_predictor(networks.cutout), bought=True)


def augment_patchdrop(networks: Networks) -> Rows:
    """Measure HR-CNN trained with conditional hard positives (Table 4)."""
    yield plain_row(networks, "augment_patchdrop", sharp_predictor(networks.hard_positives), bought=True)


def _accuracy_at(networks: Networks, predictor: TilePredictor, size: int) -> float:
    # Used for 0 and 16 patches only, where the order of patches does not matter.
    selected = torch.zeros(len(networks.splits.test.labels), PATCHES).bool()
    selected[:, :size] = True
    return float(right_on_test(networks, predictor, selected).mean())
