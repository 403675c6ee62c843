"""PatchDrop, the paper's method: its two-stream classifier and the stages Pt, Ft-1 and Ft-2 (section 3.4)."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import Fill
from models.two_stream import TwoStreamClassifier
from training.methods.fine_tune import train_jointly
from training.methods.out_of_fold import Classifier, in_sample_ensemble
from training.methods.reinforce import train_policy
from training.run.evaluate import TilePredictor
from training.run.folder import Run
from training.run.recipe import Recipe
from training.run.seeds import seed_start
from training.run.splits import Splits

STAGES = ("pt", "ft1", "ft2")


@dataclass(frozen=True)
class Trained:
    """A policy with the classifier it was trained for."""

    policy: PolicyNetwork
    classifier: Classifier


def two_stream(hr: nn.Module, lr: nn.Module, lr_input: int) -> TwoStreamClassifier:
    """Build the paper's classifier: eq. 7 on zero-filled tiles, around a copy of `hr`."""
    # A copy: Ft changes the HR stream, and HR-CNN itself is measured and taught with afterwards.
    return mixed_streams(copy.deepcopy(hr), lr, lr_input, fill="zero", exponent=1.0)


def mixed_streams(
    hr: nn.Module, lr: nn.Module, lr_input: int, *, fill: Fill, exponent: float
) -> TwoStreamClassifier:
    """Build a classifier around both networks, the HR stream weighted by (S/16)^exponent."""
    made = TwoStreamClassifier(hr, lr, lr_input_size=lr_input, fill=fill, fusion_exponent=exponent)
    return made.eval()


def new_policy(run: Run, stage: str, backbone: str, input_size: int) -> PolicyNetwork:
    """Build the paper's policy, untrained: 16 independent sigmoids on the LR tile (eq. 6)."""
    seed_start(run.seed, stage)
    config = PolicyConfig(backbone=backbone, input_size=input_size, head="independent")
    return PolicyNetwork(config).to(memory_format=torch.channels_last).to(run.device)


def train_patchdrop(
    run: Run,
    splits: Splits,
    recipe: Recipe,
    classifier: Classifier,
    stages: tuple[str, ...] = STAGES,
    prefix: str = "",
) -> Iterator[tuple[str, Trained]]:
    """Train the stages one after the other and yield (stage, trained) after each.

    `prefix` keeps the checkpoints of several such trainings in one run apart.
    """
    # The policy is new in Pt only; Ft-1 and Ft-2 continue with it.
    policy = new_policy(run, f"{prefix}pt", recipe.policy_backbone, recipe.policy_input)
    for stage in stages:
        # Copies: what was yielded for the stage before is measured too and must stay as it is.
        policy, classifier = copy.deepcopy(policy), copy.deepcopy(classifier)
        config, name = recipe.stage(stage), f"{prefix}{stage}"
        if stage == "pt":
            ensemble = in_sample_ensemble(classifier, splits.images)
            train_policy(run, name, policy, ensemble, splits, config, hr_only=True)
        else:
            # Ft-1 is rewarded by the HR stream alone, Ft-2 by eq. 7.
            train_jointly(run, name, policy, classifier, splits, config, one_stream=stage == "ft1")
        yield stage, Trained(policy, classifier)


def served(stage: str, classifier: Classifier) -> TilePredictor:
    """Return how a stage's classifier answers: Pt and Ft-1 by the HR stream alone, Ft-2 by both."""

    def hr_alone(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        # Without eq. 7: the LR stream is disconnected in these stages.
        return torch.softmax(classifier.hr_logits(hr, lr, selected).float(), dim=1)

    def both(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        # None: the LR stream is asked here, as nobody has asked it before.
        return classifier.mixture(hr, lr, selected, None)

    return both if stage == "ft2" else hr_alone
