"""From trained networks to rows: who bought what, and whose label was right."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models.grid import PATCHES
from models.policy import PolicyNetwork, utilities
from models.preprocess import upsample
from training import choose
from training.bagnet import milliseconds_per_image
from training.baselines.super_resolution import super_resolved_predictor
from training.batches import batch_of
from training.crossfit import Classifier
from training.evaluate import ANSWERED_AT_ONCE, Coarse, Predictor, policy_logits, right_on
from training.lab import Lab
from training.measure import blind_choices
from training.oracle import oracle_masks
from training.patchdrop import served
from training.product import Product
from training.reinforce import greedy_actions
from training.tables.networks import CHOOSERS, Networks
from training.tables.rows import Row
from training.train_masked import Chooser

CURVE_SIZES = (1, 2, 4, 6, 8, 12)
ORACLE_SIZES = (1, 2, 4, 6, 8)
SPEED_IMAGES = 64

Rows = Iterator[Row]


def lr_cnn(networks: Networks) -> Rows:
    """LR-CNN."""
    yield _plain(networks.lab, "lr_cnn", _coarse(networks.lab, networks.lr), bought=False)


def hr_cnn(networks: Networks) -> Rows:
    """HR-CNN."""
    yield _plain(networks.lab, "hr_cnn", sharp(networks.hr), bought=True)


def srgan(networks: Networks) -> Rows:
    """Super-resolved LR, classified by a network that learnt from it."""
    predictor = super_resolved_predictor(networks.generator, networks.super_resolved)
    yield _plain(networks.lab, "srgan", predictor, bought=False)


def kd(networks: Networks) -> Rows:
    """LR student of the HR teacher."""
    yield _plain(networks.lab, "kd", _coarse(networks.lab, networks.student), bought=False)


def pcn(networks: Networks) -> Rows:
    """LR branch of the coupled pair."""
    yield _plain(networks.lab, "pcn", _coarse(networks.lab, networks.coupled), bought=False)


def patchdrop(networks: Networks) -> Rows:
    """The paper's three stages, each with its curve over thresholds."""
    for stage, trained in networks.patchdrop.items():
        predictor = served(stage, trained.classifier)
        yield _policy_row(networks.lab, "patchdrop", stage, trained.policy, predictor)


def chooser(method: str) -> Callable[[Networks], Rows]:
    """Rows of one of CHOOSERS: HR-CNN as it is, then fine-tuned, then with the LR stream."""

    def rows(networks: Networks) -> Rows:
        classifier: Classifier = networks.streams
        for stage, trained in networks.patchdrop.items():
            size = baseline_size(networks.lab, trained.policy)
            if stage != "pt":
                classifier = networks.tuned(method, size, stage, classifier)
            yield _chooser_row(networks, method, method, stage, size, served(stage, classifier))

    return rows


def product(networks: Networks) -> Rows:
    """The product's policy, and the baselines' choices under the very same classifier."""
    made = networks.product
    row = _policy_row(networks.lab, "product", "", made.policy, made.classifier, made.classifier.coarse)
    same = {
        name: _curve_of(networks, name, made.classifier)
        for name in CHOOSERS
        if name != "stn" or networks.lab.recipe.stn is not None
    }
    ends = {str(size): _accuracy_at(networks.lab, made.classifier, size) for size in (0, PATCHES)}
    facts = {
        "same_classifier": same,
        "ends": ends,
        "chosen": made.chosen,
        "candidates": {name: score.accuracy for name, score in made.validation.items()},
        "doubt_exponent": made.policy.config.doubt_exponent,
        "doubt": {f"{exponent:g}": score.accuracy for exponent, score in made.doubt.items()},
        "without_doubt": _without_doubt(networks.lab, made),
    }
    yield Row(method=row.method, stage="", right=row.right, selected=row.selected, facts=row.facts | facts)


def _without_doubt(lab: Lab, made: Product) -> dict[str, Any]:
    """The same policy for the same target, its LR stream's doubt left out."""
    policy = copy.deepcopy(made.policy)
    policy.config = replace(policy.config, doubt_exponent=0.0)
    choose.place_operating_point(policy, lab, lab.validation, lab.recipe.target_patches)
    row = _policy_row(lab, "product", "", policy, made.classifier)
    return {"accuracy": row.accuracy, "mean_patches": row.mean_patches, **row.facts}


def oracle(networks: Networks) -> Rows:
    """Greedy choices that know the label, under the product's classifier: an upper bound."""
    lab, classifier = networks.lab, networks.product.classifier
    everything = torch.arange(len(lab.test.labels))
    masks = oracle_masks(classifier, lab.test, everything, ORACLE_SIZES, lab.run.device)
    rights = {size: _right(lab, classifier, mask) for size, mask in masks.items()}
    size = min(masks, key=lambda size: abs(size - lab.recipe.target_patches))
    curve = [[float(s), float(right.mean())] for s, right in rights.items()]
    yield Row(method="oracle", stage="", right=rights[size], selected=masks[size], facts={"curve": curve})


def bagnet(networks: Networks) -> Rows:
    """BagNet on every patch."""
    yield _timed(networks.lab, _plain(networks.lab, "bagnet", networks.bagnet, bought=True), networks.bagnet)


def timed_hr_cnn(networks: Networks) -> Rows:
    """HR-CNN with its run time, for Table 3."""
    for row in hr_cnn(networks):
        yield _timed(networks.lab, row, sharp(networks.hr))


def bagnet_chooser(name: str) -> Callable[[Networks], Rows]:
    """Rows of one of CHOOSERS with BagNet in HR-CNN's place."""

    def rows(networks: Networks) -> Rows:
        classifier: Classifier = networks.bagnet
        for stage, trained in networks.bagnet_patchdrop.items():
            size = baseline_size(networks.lab, trained.policy)
            if stage != "pt":
                classifier = networks.tuned(name, size, stage, classifier, "bagnet_")
            predictor = served(stage, classifier)
            row = _chooser_row(networks, f"bagnet_{name}", name, stage, size, predictor)
            yield _timed(networks.lab, row, after(networks.chooser(name, size), predictor))

    return rows


def bagnet_patchdrop(networks: Networks) -> Rows:
    """PatchDrop on BagNet."""
    for stage, trained in networks.bagnet_patchdrop.items():
        predictor = served(stage, trained.classifier)
        row = _policy_row(networks.lab, "bagnet_patchdrop", stage, trained.policy, predictor)

        yield _timed(networks.lab, row, after(trained.policy, predictor))


def augment_none(networks: Networks) -> Rows:
    """HR-CNN with the recipe's own augmentation only."""
    yield _plain(networks.lab, "augment_none", sharp(networks.hr), bought=True)


def augment_cutout(networks: Networks) -> Rows:
    """HR-CNN with CutOut."""
    yield _plain(networks.lab, "augment_cutout", sharp(networks.cutout), bought=True)


def augment_patchdrop(networks: Networks) -> Rows:
    """HR-CNN with conditional hard positives."""
    yield _plain(networks.lab, "augment_patchdrop", sharp(networks.hard_positives), bought=True)


def sharp(network: nn.Module) -> Predictor:
    """A network on whole sharp tiles."""

    def predictor(hr: Tensor, _lr: Tensor, _selected: Tensor) -> Tensor:
        return torch.softmax(network(hr).float(), dim=1)

    return predictor


def after(choose: Callable[[Tensor], Tensor], predictor: Predictor) -> Predictor:
    """The same answers, but choosing is run first: its time counts."""

    def both(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        choose(lr)
        return predictor(hr, lr, selected)

    return both


def baseline_size(lab: Lab, policy: PolicyNetwork) -> int:
    """The policy's S on validation, rounded up in the baselines' favour as the paper does."""
    bought = greedy_actions(utilities(policy_logits(policy, lab.images, lab.validation)))
    return max(1, math.ceil(float(bought.double().sum(1).mean())))


def _coarse(lab: Lab, network: nn.Module) -> Predictor:
    def predictor(_hr: Tensor, lr: Tensor, _selected: Tensor) -> Tensor:
        return torch.softmax(network(upsample(lr, lab.recipe.lr_input)).float(), dim=1)

    return predictor


def _right(lab: Lab, predictor: Predictor, selected: Tensor) -> Tensor:
    return right_on(predictor, lab.test, selected, lab.run.device).float()


def _plain(lab: Lab, method: str, predictor: Predictor, *, bought: bool) -> Row:
    selected = torch.full((len(lab.test.labels), PATCHES), bought)
    right = _right(lab, predictor, selected)
    return Row(method=method, stage="", right=right, selected=selected, facts={})


def _accuracy_at(lab: Lab, predictor: Predictor, size: int) -> float:
    selected = torch.zeros(len(lab.test.labels), PATCHES).bool()
    selected[:, :size] = True
    return float(_right(lab, predictor, selected).mean())


def _policy_row(
    lab: Lab,
    method: str,
    stage: str,
    policy: PolicyNetwork,
    predictor: Predictor,
    coarse: Coarse | None = None,
) -> Row:
    """Greedy choices at utility 0.5; the curve's thresholds are placed on validation."""
    logits = policy_logits(policy, lab.test, torch.arange(len(lab.test.labels)), coarse)
    selected = greedy_actions(utilities(logits))
    placed = policy_logits(policy, lab.images, lab.validation, coarse)
    curve = []
    for size in CURVE_SIZES:
        bought = logits >= choose.threshold_for(placed, size)
        right = _right(lab, predictor, bought)
        curve.append([float(bought.double().sum(1).mean()), float(right.mean())])
    right = _right(lab, predictor, selected)
    return Row(method=method, stage=stage, right=right, selected=selected, facts={"curve": curve})


def _chooser_row(
    networks: Networks, method: str, name: str, stage: str, size: int, predictor: Predictor
) -> Row:
    draws = _draws(networks, name, size)
    right = torch.stack([_right(networks.lab, predictor, draw) for draw in draws]).mean(0)
    curve = _curve_of(networks, name, predictor)
    return Row(method=method, stage=stage, right=right, selected=draws[0], facts={"curve": curve})


def _curve_of(networks: Networks, name: str, predictor: Predictor) -> list[list[float]]:
    return [
        [float(size), _mean_accuracy(networks.lab, predictor, _draws(networks, name, size))]
        for size in CURVE_SIZES
    ]


def _mean_accuracy(lab: Lab, predictor: Predictor, draws: Sequence[Tensor]) -> float:
    return sum(float(_right(lab, predictor, draw).mean()) for draw in draws) / len(draws)


def _draws(networks: Networks, name: str, size: int) -> list[Tensor]:
    """What a chooser buys of the test split: several draws if it is random, one if not."""
    if name == "stn":
        return [_chosen(networks.lab, networks.chooser(name, size))]
    return blind_choices(name, size, len(networks.lab.test.labels))


@torch.inference_mode()
def _chosen(lab: Lab, chooser: Chooser) -> Tensor:
    parts = torch.split(torch.arange(len(lab.test.labels)), ANSWERED_AT_ONCE)
    return torch.cat([chooser(batch_of(lab.test, part, lab.run.device)[1]).cpu() for part in parts])


def _timed(lab: Lab, row: Row, predictor: Predictor) -> Row:
    times = milliseconds_per_image(predictor, lab.test, row.selected[:SPEED_IMAGES], lab.run.device)
    return Row(
        method=row.method,
        stage=row.stage,
        right=row.right,
        selected=row.selected,
        facts=row.facts | {"milliseconds": times},
    )
