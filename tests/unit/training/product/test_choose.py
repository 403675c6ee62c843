"""Choices on validation: thresholds, the fusion exponent, and the exponent of label uncertainty."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import TinyRun, tiny_run
from training.data.images import ImageSource
from training.methods.out_of_fold import AnswerTable
from training.product import choose
from training.product.choose import buying_threshold, fusion_exponent
from training.run.evaluate import policy_logits


@pytest.mark.parametrize("patches", [1.0, 3.5, 12.0])
def test_threshold_for_buys_the_requested_mean_number(patches: float) -> None:
    values = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
    assert (values >= buying_threshold(values, patches)).sum(1).double().mean().item() == patches


def test_fusion_exponent_counts_choices_of_one_to_eight_patches() -> None:
    """Two images of 4 patches want an exponent of at most 0.42, ten images of 9 one of at least 1.2."""
    few = torch.arange(12) < 2
    masks = (torch.arange(16) < torch.where(few, 4, 9).unsqueeze(1)).unsqueeze(1)
    hr = torch.where(few.unsqueeze(1), torch.tensor([0.9, 0.1]), torch.tensor([0.0, 1.0]))
    lr = torch.where(few.unsqueeze(1), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    labels = torch.zeros(12, dtype=torch.int64)
    table = AnswerTable(indices=torch.arange(12), masks=masks, hr=hr.unsqueeze(1), lr=lr, labels=labels)
    assert fusion_exponent(table) <= 0.42


class Streams:
    """A classifier that is correct after any purchase, and confident of the free label of class 0 only."""

    def __init__(self, *, honest: bool) -> None:
        self.honest = honest

    def coarse(self, lr: Tensor) -> Tensor:
        label = lr.mean((2, 3)).argmax(1)
        right = (label == 0) == self.honest
        confidence = torch.where(label == 0, 0.98, 0.4).unsqueeze(1)
        said = torch.nn.functional.one_hot(torch.where(right, label, (label + 1) % 3), 3)
        return torch.where(said == 1, confidence, (1 - confidence) / 2)

    def __call__(self, _hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        label = torch.nn.functional.one_hot(lr.mean((2, 3)).argmax(1), 3).float()
        return torch.where(selected.any(1).unsqueeze(1), label, self.coarse(lr))


@pytest.fixture
def tiny(tmp_path: Path) -> TinyRun:
    return tiny_run(tmp_path)


def validation(tiny: TinyRun) -> tuple[ImageSource, Tensor]:
    return tiny.splits.images, tiny.splits.validation


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> PolicyNetwork:
    """Make a policy that predicts the largest saving for class 0, equal for all its patches."""
    made = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8))

    def saving_and_reach(lr: Tensor) -> tuple[Tensor, Tensor]:
        return 3.0 * (lr.mean((2, 3)).argmax(1) == 0), torch.full((len(lr), 16), 0.2)

    monkeypatch.setattr(made, "saving_and_reach", saving_and_reach)
    return made


def test_weigh_uncertainty_uses_an_honest_uncertainty(policy: PolicyNetwork, tiny: TinyRun) -> None:
    streams: Any = Streams(honest=True)
    found = choose.weigh_uncertainty(policy, streams, *validation(tiny))
    assert tuple(found) == choose.UNCERTAINTY_EXPONENTS
    chosen = policy.config.uncertainty_exponent
    assert chosen >= 1
    assert found[chosen] == max(found.values())
    assert found[chosen].accuracy == 1.0 > found[0.0].accuracy
    assert choose.score(policy, streams, *validation(tiny), streams.coarse) == found[chosen]


def test_weigh_uncertainty_ignores_a_misleading_uncertainty(policy: PolicyNetwork, tiny: TinyRun) -> None:
    streams: Any = Streams(honest=False)
    choose.weigh_uncertainty(policy, streams, *validation(tiny))
    assert policy.config.uncertainty_exponent == 0


@pytest.mark.parametrize("patches", [3.0, 8.0])
def test_place_operating_point_includes_label_uncertainty(
    policy: PolicyNetwork, tiny: TinyRun, patches: float
) -> None:
    policy.config = replace(policy.config, uncertainty_exponent=1.0)
    coarse = Streams(honest=True).coarse
    before = policy_logits(policy, tiny.splits.images, tiny.splits.validation, coarse)
    choose.place_operating_point(policy, *validation(tiny), patches, coarse)
    placed = policy_logits(policy, tiny.splits.images, tiny.splits.validation, coarse)
    wanted = before >= choose.buying_threshold(before, patches)
    assert torch.equal(placed >= 0, wanted)
