"""How much the LR stream's doubt counts, chosen on validation."""

from dataclasses import replace

import pytest
import torch

from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import tiny_run
from training.product import choose
from training.run.evaluate import policy_logits


class Streams:
    """Right wherever anything was bought; the free label of class 0 is sure, of the others it is not."""

    def __init__(self, *, honest: bool) -> None:
        self.honest = honest

    def coarse(self, lr):
        label = lr.mean((2, 3)).argmax(1)
        right = (label == 0) == self.honest
        confidence = torch.where(label == 0, 0.98, 0.4).unsqueeze(1)
        said = torch.nn.functional.one_hot(torch.where(right, label, (label + 1) % 3), 3)
        return torch.where(said == 1, confidence, (1 - confidence) / 2)

    def __call__(self, _hr, lr, selected):
        label = torch.nn.functional.one_hot(lr.mean((2, 3)).argmax(1), 3).float()
        return torch.where(selected.any(1).unsqueeze(1), label, self.coarse(lr))


@pytest.fixture
def lab(tmp_path):
    return tiny_run(tmp_path)


def validation(lab):
    return lab.splits.images, lab.splits.validation


@pytest.fixture
def policy(monkeypatch):
    """Hopes most of class 0, all of whose patches are alike to it."""
    made = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8))

    def saving_and_reach(lr):
        return 3.0 * (lr.mean((2, 3)).argmax(1) == 0), torch.full((len(lr), 16), 0.2)

    monkeypatch.setattr(made, "saving_and_reach", saving_and_reach)
    return made


def test_honest_doubt_is_weighed(policy, lab):
    found = choose.weigh_uncertainty(policy, Streams(honest=True), *validation(lab))
    assert tuple(found) == choose.UNCERTAINTY_EXPONENTS
    chosen = policy.config.uncertainty_exponent
    assert chosen >= 1
    assert found[chosen] == max(found.values())
    assert found[chosen].accuracy == 1.0 > found[0.0].accuracy
    assert (
        choose.score(policy, Streams(honest=True), *validation(lab), Streams(honest=True).coarse)
        == found[chosen]
    )


def test_doubt_that_misleads_is_left_out(policy, lab):
    choose.weigh_uncertainty(policy, Streams(honest=False), *validation(lab))
    assert policy.config.uncertainty_exponent == 0


@pytest.mark.parametrize("patches", [3.0, 8.0])
def test_the_operating_point_counts_doubt(policy, lab, patches):
    policy.config = replace(policy.config, uncertainty_exponent=1.0)
    coarse = Streams(honest=True).coarse
    before = policy_logits(policy, lab.splits.images, lab.splits.validation, coarse)
    choose.place_operating_point(policy, *validation(lab), patches, coarse)
    placed = policy_logits(policy, lab.splits.images, lab.splits.validation, coarse)
    wanted = before >= choose.threshold_for(before, patches)
    assert torch.equal(placed >= 0, wanted)
