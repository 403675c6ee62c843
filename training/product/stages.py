"""The product: one classifier for every number of patches, and a policy that says what each is worth.

An LR-filled, mask-trained HR stream beside the LR stream; cross-fitted classifiers that say what
choices of patches are worth; value regression, then perhaps a polish by policy gradient. Which policy
is kept, and every other choice that no gradient makes, is decided on validation or out of fold. Where
images are many enough not to be learnt by heart, a single judge that has seen them may teach more.
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from models.policy import PolicyConfig, PolicyNetwork
from models.two_stream import TwoStreamClassifier
from training.data.images import fold_of
from training.methods.crossfit import Jury, Table, ask, sole_judge
from training.methods.patchdrop import new_lr_network, streams
from training.methods.train_classifier import coarse_view, filled_view, train_classifier
from training.methods.train_policy import train_policy
from training.product import choose
from training.product.train_values import train_values
from training.run.initial_weights import copy_matching
from training.run.lab import Lab, new_network, seed_start


@dataclass(frozen=True, kw_only=True)
class Product:
    """One classifier, the candidate policies for it, and how the choice between them went."""

    classifier: TwoStreamClassifier
    candidates: dict[str, PolicyNetwork]
    chosen: str
    """The candidate that is best on validation."""
    validation: dict[str, choose.Score]
    """By candidate, each with the exponent of doubt that is best for it."""
    doubt: dict[float, choose.Score]
    """Of the chosen one, by exponent of the LR stream's doubt."""
    jury: Jury

    @property
    def policy(self) -> PolicyNetwork:
        """The chosen one."""
        return self.candidates[self.chosen]


def train_product(lab: Lab, hr: nn.Module, lr: nn.Module) -> Product:
    """Train everything that the product adds to HR-CNN and LR-CNN."""
    recipe = lab.recipe
    filled = copy.deepcopy(hr).requires_grad_(True)
    train_classifier(lab, "filled", filled, filled_view(recipe.fill), lab.learnt, recipe.stage("filled"))
    jury = train_jury(lab, filled, lr)
    table = ask(lab, "table", jury, lab.learnt)
    # The sole judge of one fold knows these images by heart: how far to trust it is asked of others.
    unseen = table if recipe.folds > 1 else ask(lab, "table_unseen", jury, lab.validation)
    exponent = choose.fusion_exponent(unseen)
    for juror in jury.classifiers:
        juror.fusion_exponent = exponent
    classifier = streams(lab, filled, lr, fill=recipe.fill, exponent=exponent)
    candidates = train_policies(lab, classifier, jury, table)
    weighed = {name: choose.weigh_doubt(policy, classifier, lab) for name, policy in candidates.items()}
    scores = {name: max(by_exponent.values()) for name, by_exponent in weighed.items()}
    best = max(scores, key=lambda name: scores[name])
    for policy in candidates.values():
        choose.place_operating_point(policy, lab, lab.validation, recipe.target_patches, classifier.coarse)
    return Product(
        classifier=classifier,
        candidates=candidates,
        chosen=best,
        validation=scores,
        doubt=weighed[best],
        jury=jury,
    )


def train_jury(lab: Lab, filled: nn.Module, lr: nn.Module) -> Jury:
    """One two-stream classifier per fold, none from weights that have seen the fold.

    With a single fold the product's own classifier, which has learnt the images that it judges.
    """
    recipe, classes = lab.recipe, len(lab.images.classes)
    if recipe.folds == 1:
        return sole_judge(streams(lab, filled, lr, fill=recipe.fill, exponent=1.0), lab.images)
    fold = fold_of(lab.images, lab.learnt, recipe.folds, lab.run.seed)
    jurors = []
    for number in range(recipe.folds):
        others = lab.learnt[fold[lab.learnt] != number]
        name = f"fold{number}"
        hr_part = new_network(lab, name, recipe.hr_backbone, classes, pretrained=recipe.pretrained)
        train_classifier(lab, name, hr_part, filled_view(recipe.fill), others, recipe.stage("fold"))
        lr_part = new_lr_network(lab, f"{name}_lr", hr_part)
        view = coarse_view(recipe.lr_input)
        train_classifier(lab, f"{name}_lr", lr_part, view, others, recipe.stage("fold_lr"))
        jurors.append(streams(lab, hr_part, lr_part, fill=recipe.fill, exponent=1.0))
    return Jury(jurors, fold)


def train_policies(
    lab: Lab, classifier: TwoStreamClassifier, jury: Jury, table: Table
) -> dict[str, PolicyNetwork]:
    """The candidates: value regression, and its polish by policy gradient if the recipe has one."""
    recipe = lab.recipe
    values = new_value_policy(lab, "values", classifier.lr)
    train_values(lab, "values", values, table, classifier.fusion_exponent, recipe.stage("values"))
    candidates = {"values": values}
    if recipe.polish is not None:
        choose.place_operating_point(values, lab, lab.learnt, recipe.start_patches)
        polished = copy.deepcopy(values)
        train_policy(lab, "polish", polished, jury, recipe.polish, hr_only=False, polish=True)
        candidates["polish"] = polished
    for policy in candidates.values():
        policy.config = replace(policy.config, views=recipe.policy_views)
    return candidates


def new_value_policy(lab: Lab, stage: str, lr: nn.Module) -> PolicyNetwork:
    """Where value regression starts: with the eyes of the LR classifier.

    Where that is unsure is what makes a tile worth buying.
    """
    seed_start(lab, stage)
    config = PolicyConfig(backbone=lab.recipe.policy_backbone, input_size=lab.recipe.policy_input)
    policy = PolicyNetwork(config)
    copy_matching(lr, policy.backbone)
    return policy.to(memory_format=torch.channels_last).to(lab.run.device)
