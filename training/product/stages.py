"""The product: one classifier for every number of patches, and a policy that predicts each patch's value.

The HR stream is LR-filled and mask-trained, beside the LR stream. An out-of-fold ensemble predicts the labels
under many choices of patches. The policy is fitted to these predictions by value regression, and optionally
polished by policy gradient. The policy to keep, and every other choice that no gradient makes, is decided on
validation or out of fold. On large data sets, where the classifier cannot memorise the training images,
in-sample labels work better.
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from models.policy import PolicyConfig, PolicyNetwork
from models.two_stream import TwoStreamClassifier
from training.data.held_out import fold_of
from training.methods.classifiers import coarse_view, filled_view, new_lr_network, train_classifier
from training.methods.out_of_fold import AnswerTable, Ensemble, answer_table, in_sample_ensemble
from training.methods.patchdrop import mixed_streams
from training.methods.reinforce import train_policy
from training.product import choose
from training.product.train_values import train_values
from training.run.folder import Run
from training.run.initial_weights import copy_matching, new_network
from training.run.recipe import Recipe
from training.run.seeds import seed_start
from training.run.splits import Splits


@dataclass(frozen=True, kw_only=True)
class Product:
    """A trained classifier, the candidate policies for it, and the scores that decide between them."""

    classifier: TwoStreamClassifier
    candidates: dict[str, PolicyNetwork]
    chosen: str
    """Name of the candidate that is best on validation."""
    validation: dict[str, choose.Score]
    """Scores by candidate, each with its best exponent of label uncertainty."""
    uncertainty: dict[float, choose.Score]
    """Scores of the chosen candidate by exponent of label uncertainty."""
    ensemble: Ensemble
    """The classifiers whose predictions taught the policies."""

    @property
    def policy(self) -> PolicyNetwork:
        """The chosen policy."""
        return self.candidates[self.chosen]


def train_product(run: Run, splits: Splits, recipe: Recipe, hr: nn.Module, lr: nn.Module) -> Product:
    """Train every stage that the product adds to HR-CNN and LR-CNN."""
    # A copy: HR-CNN itself stays frozen and is measured as a row of its own.
    filled = copy.deepcopy(hr).requires_grad_(True)
    view, config = filled_view(recipe.fill), recipe.stage("filled")
    train_classifier(run, "filled", filled, view, splits.to_learn, config)
    ensemble = train_ensemble(run, splits, recipe, filled, lr)
    images, validation = splits.images, splits.validation
    table = answer_table(run, "table", ensemble, images, splits.learnt, recipe.table_masks)
    unseen = table
    if recipe.folds == 1:
        # A single classifier has memorised its training images: ask about images it has not seen.
        unseen = answer_table(run, "table_unseen", ensemble, images, validation, recipe.table_masks)
    exponent = choose.fusion_exponent(unseen)
    # One exponent for all: the polish is then rewarded by the mixture that is served.
    for member in ensemble.classifiers:
        member.fusion_exponent = exponent
    classifier = mixed_streams(filled, lr, recipe.lr_input, fill=recipe.fill, exponent=exponent)
    candidates = train_policies(run, splits, recipe, classifier, ensemble, table)
    weighed = {
        name: choose.weigh_uncertainty(policy, classifier, images, validation)
        for name, policy in candidates.items()
    }
    # Each candidate is compared at its own best exponent.
    scores = {name: max(by_exponent.values()) for name, by_exponent in weighed.items()}
    best = max(scores, key=lambda name: scores[name])
    # After the choice: moving the operating point changes no ranking, hence no score.
    for policy in candidates.values():
        choose.place_operating_point(policy, images, validation, recipe.target_patches, classifier.coarse)
    return Product(
        classifier=classifier,
        candidates=candidates,
        chosen=best,
        validation=scores,
        uncertainty=weighed[best],
        ensemble=ensemble,
    )


def train_ensemble(run: Run, splits: Splits, recipe: Recipe, filled: nn.Module, lr: nn.Module) -> Ensemble:
    """Train one two-stream classifier per fold, none from weights that have seen the fold.

    With a single fold it is the product's own classifier, which has trained on the images it labels.
    """
    if recipe.folds == 1:
        own = mixed_streams(filled, lr, recipe.lr_input, fill=recipe.fill, exponent=1.0)
        return in_sample_ensemble(own, splits.images)
    fold = fold_of(splits.images, splits.learnt, recipe.folds, run.seed)
    classes, classifiers = len(splits.images.classes), []
    for number in range(recipe.folds):
        # (M,) -> the indices outside this fold; the fold itself must stay unseen.
        others = replace(splits.to_learn, indices=splits.learnt[fold[splits.learnt] != number])
        name = f"fold{number}"
        # From ImageNet or random weights, never from HR-CNN: it has seen the fold.
        hr_part = new_network(run, name, recipe.hr_backbone, classes, pretrained=recipe.pretrained)
        train_classifier(run, name, hr_part, filled_view(recipe.fill), others, recipe.stage("fold"))
        lr_part = new_lr_network(run, f"{name}_lr", recipe, hr_part, classes)
        view = coarse_view(recipe.lr_input)
        train_classifier(run, f"{name}_lr", lr_part, view, others, recipe.stage("fold_lr"))
        classifiers.append(mixed_streams(hr_part, lr_part, recipe.lr_input, fill=recipe.fill, exponent=1.0))
    return Ensemble(classifiers, fold)


def train_policies(
    run: Run,
    splits: Splits,
    recipe: Recipe,
    classifier: TwoStreamClassifier,
    ensemble: Ensemble,
    table: AnswerTable,
) -> dict[str, PolicyNetwork]:
    """Train the candidates: value regression, and its polish by policy gradient if the recipe has one."""
    values = new_value_policy(run, "values", recipe, classifier.lr)
    exponent, config = classifier.fusion_exponent, recipe.stage("values")
    train_values(run, "values", values, table, exponent, splits.to_learn, config)
    candidates = {"values": values}
    if recipe.polish is not None:
        # REINFORCE starts from the operating point: with saturated utilities it would draw no other choice.
        choose.place_operating_point(values, splits.images, splits.learnt, recipe.start_patches)
        polished = copy.deepcopy(values)  # value regression stays a candidate
        train_policy(run, "polish", polished, ensemble, splits, recipe.polish, hr_only=False, polish=True)
        candidates["polish"] = polished
    # Only now: the stages train on one random symmetry at a time, and service averages over several.
    for policy in candidates.values():
        policy.config = replace(policy.config, views=recipe.policy_views)
    return candidates


def new_value_policy(run: Run, stage: str, recipe: Recipe, lr: nn.Module) -> PolicyNetwork:
    """Initialise the policy's backbone from the LR classifier."""
    # A tile is worth buying where the LR classifier is uncertain, so its features are a good start.
    seed_start(run.seed, stage)
    policy = PolicyNetwork(PolicyConfig(backbone=recipe.policy_backbone, input_size=recipe.policy_input))
    copy_matching(lr, policy.backbone)
    return policy.to(memory_format=torch.channels_last).to(run.device)
