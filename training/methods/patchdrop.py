"""The paper, stage by stage: HR-CNN, LR-CNN, then PatchDrop's Pt, Ft-1 and Ft-2 (section 3.4)."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import Fill
from models.two_stream import TwoStreamClassifier
from training.methods.crossfit import Classifier, sole_judge
from training.methods.train_classifier import coarse_view, full_view, train_classifier
from training.methods.train_jointly import train_jointly
from training.methods.train_policy import train_policy
from training.run.evaluate import Predictor
from training.run.initial_weights import copy_matching
from training.run.lab import Lab, new_network, seed_start

STAGES = ("pt", "ft1", "ft2")


@dataclass(frozen=True)
class Trained:
    """A policy with the classifier it was trained for."""

    policy: PolicyNetwork
    classifier: Classifier


def train_hr_cnn(lab: Lab) -> nn.Module:
    """HR-CNN: whole sharp tiles."""
    recipe = lab.recipe
    network = new_network(
        lab, "hr", recipe.hr_backbone, len(lab.images.classes), pretrained=recipe.pretrained
    )
    return train_classifier(lab, "hr", network, full_view, lab.learnt, recipe.hr)


def train_lr_cnn(lab: Lab, hr: nn.Module) -> nn.Module:
    """LR-CNN: the upsampled LR tile, from the weights that the recipe's `lr_start` names."""
    recipe = lab.recipe
    network = new_lr_network(lab, "lr", hr)
    return train_classifier(lab, "lr", network, coarse_view(recipe.lr_input), lab.learnt, recipe.lr)


def new_lr_network(lab: Lab, stage: str, hr: nn.Module) -> nn.Module:
    """Where an LR classifier starts: HR weights as in the paper, ImageNet, or nothing."""
    recipe = lab.recipe
    pretrained = recipe.lr_start == "imagenet"
    network = new_network(lab, stage, recipe.lr_backbone, len(lab.images.classes), pretrained=pretrained)
    if recipe.lr_start == "hr":
        copy_matching(hr, network)
    return network


def two_stream(lab: Lab, hr: nn.Module, lr: nn.Module) -> TwoStreamClassifier:
    """Eq. 7 on zero-filled tiles: the paper's classifier, around a copy of `hr` that Ft may change."""
    return streams(lab, copy.deepcopy(hr), lr, fill="zero", exponent=1.0)


def streams(lab: Lab, hr: nn.Module, lr: nn.Module, *, fill: Fill, exponent: float) -> TwoStreamClassifier:
    """Both streams, around networks as they are, mixed with the HR stream's weight (S/16)^exponent."""
    size = lab.recipe.lr_input
    made = TwoStreamClassifier(hr, lr, lr_input_size=size, fill=fill, fusion_exponent=exponent)
    return made.to(lab.run.device).eval()


def new_policy(lab: Lab, stage: str) -> PolicyNetwork:
    """The paper's policy, untrained: 16 independent sigmoids on the LR tile."""
    recipe = lab.recipe
    seed_start(lab, stage)
    config = PolicyConfig(backbone=recipe.policy_backbone, input_size=recipe.policy_input, head="independent")
    return PolicyNetwork(config).to(memory_format=torch.channels_last).to(lab.run.device)


def train_patchdrop(
    lab: Lab, classifier: Classifier, stages: tuple[str, ...] = STAGES, prefix: str = ""
) -> Iterator[tuple[str, Trained]]:
    """Yield (stage, trained) after each stage; each goes on from copies of the one before.

    Pt and Ft-1 are rewarded by the HR stream alone, Ft-2 by eq. 7. `prefix` keeps the checkpoints of
    several such trainings in one run apart.
    """
    policy = new_policy(lab, f"{prefix}pt")
    for stage in stages:
        policy, classifier = copy.deepcopy(policy), copy.deepcopy(classifier)
        config = lab.recipe.stage(stage)
        if stage == "pt":
            judge = sole_judge(classifier, lab.images)
            train_policy(lab, f"{prefix}{stage}", policy, judge, config, hr_only=True)
        else:
            train_jointly(lab, f"{prefix}{stage}", policy, classifier, config, one_stream=stage == "ft1")
        yield stage, Trained(policy, classifier)


def served(stage: str, classifier: Classifier) -> Predictor:
    """How a stage's classifier answers: Pt and Ft-1 by the HR stream alone, Ft-2 by both."""

    def hr_alone(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        return torch.softmax(classifier.hr_logits(hr, lr, selected).float(), dim=1)

    def both(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        return classifier.mixture(hr, lr, selected, None)

    return both if stage == "ft2" else hr_alone
