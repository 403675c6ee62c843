"""Every row is measured on the test split, with the networks that its name says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import tiny_run
from training.methods.bagnet import REPEATS, WARM_UP
from training.methods.baselines import FIXED_V, fixed_masks
from training.methods.patchdrop import Trained
from training.paper import augmented, compared, timed
from training.paper import networks as networks_module
from training.paper.measure_rows import CURVE_SIZES, policy_row
from training.paper.networks import Networks
from training.product.choose import threshold_for

SHARES = (12 / 24, 8 / 24, 4 / 24)
"""Of each class in the test split: an answer that is always the same tells who gave it."""


class Says(nn.Module):
    """One class of every tile, whatever it is shown; in any network's or classifier's place."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def forward(self, tiles, *_others):
        return 20.0 * nn.functional.one_hot(torch.full((len(tiles),), self.label), 3).float()

    hr_logits = mixture = coarse = forward


class Looks(PolicyNetwork):
    """Wants a patch as much as its LR pixel is bright in the first band."""

    def __init__(self):
        super().__init__(PolicyConfig(backbone="resnet8", input_size=4, head="independent"))
        self.asked = 0

    def forward(self, lr, _coarse=None):
        self.asked += 1
        return lr[:, 0].transpose(1, 2).flatten(1)


def named(lab, **networks):
    """Networks of these names only."""
    return SimpleNamespace(run=lab.run, splits=lab.splits, recipe=lab.recipe, **networks)


@pytest.fixture
def lab(tmp_path):
    made = tiny_run(tmp_path, mean=(127.0,) * 3)
    labels = torch.tensor([0] * 12 + [1] * 8 + [2] * 4)
    test = made.splits.test
    return made.with_splits(test=replace(test, labels=labels, lr=test.lr // 2 + 60))


@pytest.mark.parametrize(
    ("rows", "own", "bought"),
    [
        (compared.lr_cnn, "lr", 0),
        (compared.hr_cnn, "hr", 16),
        (compared.srgan, "super_resolved", 0),
        (compared.kd, "student", 0),
        (compared.pcn, "coupled", 0),
        (timed.hr_cnn, "hr", 16),
        (timed.bagnet, "bagnet", 16),
        (augmented.augment_none, "hr", 16),
        (augmented.augment_cutout, "cutout", 16),
        (augmented.augment_patchdrop, "hard_positives", 16),
    ],
)
def test_a_row_without_a_choice_is_of_its_own_network(lab, rows, own, bought):
    names = ("hr", "lr", "super_resolved", "generator", "student", "coupled", "bagnet")
    names += ("cutout", "hard_positives")
    networks = named(lab, **{name: Says(0 if name == own else 2) for name in names})
    (row,) = rows(networks)
    assert (row.accuracy, row.mean_patches) == (SHARES[0], bought)


def test_a_policys_choices_are_of_the_test_split_its_thresholds_of_validation(lab):
    row = policy_row(named(lab), "patchdrop", "pt", Looks(), Says(1))
    placed, wanted = (
        (images.lr[:, 0].float() - 127) / 128
        for images in (
            replace(lab.splits.images, lr=lab.splits.images.lr[lab.splits.validation]),
            lab.splits.test,
        )
    )
    placed, wanted = (values.transpose(1, 2).flatten(1) for values in (placed, wanted))
    assert torch.equal(row.selected, wanted >= 0)
    bought = [float((wanted >= threshold_for(placed, size)).double().sum(1).mean()) for size in CURVE_SIZES]
    assert [patches for patches, _ in row.facts["curve"]] == pytest.approx(bought)
    assert bought != pytest.approx(CURVE_SIZES, rel=0.1)
    assert row.accuracy == SHARES[1]


def with_patchdrop(lab, stages, **networks):
    """Networks whose `tuned` says class 0 after ft1 and class 1 after ft2, and notes what it began with."""
    calls = []

    def tuned(name, size, stage, start, prefix=""):
        calls.append((f"{prefix}{name}", size, stage, start.label))
        return Says({"ft1": 0, "ft2": 1}[stage])

    trained = {stage: Trained(Looks(), Says(2)) for stage in stages}
    return named(lab, tuned=tuned, calls=calls, **networks), trained


def test_a_baseline_is_hr_cnn_as_it_is_then_tuned_stage_after_stage(lab):
    networks, trained = with_patchdrop(lab, ("pt", "ft1", "ft2"), streams=Says(2))
    networks.patchdrop = trained
    rows = list(compared.chooser("fixed_h")(networks))
    assert [row.stage for row in rows] == ["pt", "ft1", "ft2"]
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2], SHARES[0], SHARES[1]])
    size = int(rows[0].mean_patches)
    assert networks.calls == [("fixed_h", size, "ft1", 2), ("fixed_h", size, "ft2", 0)]


def test_bagnets_baselines_are_tuned_too_and_choosing_takes_its_time(lab):
    networks, trained = with_patchdrop(lab, ("pt", "ft1"), bagnet=Says(2))
    networks.bagnet_patchdrop, chosen = trained, []
    networks.chooser = lambda _name, size: (
        lambda lr: chosen.append(size) or fixed_masks(FIXED_V, size, len(lr))
    )
    rows = list(timed.bagnet_chooser("fixed_v")(networks))
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2], SHARES[0]])
    assert [call[0] for call in networks.calls] == ["bagnet_fixed_v"]
    assert len(chosen) == 2 * (WARM_UP + REPEATS)
    for policy in (one.policy for one in trained.values()):
        policy.asked = 0
    rows = list(timed.bagnet_patchdrop(networks))
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2]] * 2)
    assert [one.policy.asked for one in trained.values()] == [2 + WARM_UP + REPEATS] * 2  # test, validation


def test_the_product_its_rivals_and_the_oracle_share_one_classifier(lab):
    networks = named(lab, streams=Says(2))
    networks.chooser = lambda _name, size: lambda lr: fixed_masks(FIXED_V, size, len(lr))
    networks.product = SimpleNamespace(
        classifier=Says(0), policy=Looks(), chosen="values", validation={}, uncertainty={}
    )
    for rows in (compared.product, compared.oracle):
        (row,) = rows(networks)
        assert row.accuracy == SHARES[0]
    (row,) = compared.product(networks)
    curves = row.facts["same_classifier"]
    assert set(curves) == {"fixed_h", "fixed_v", "stochastic", "stn"}
    assert {accuracy for curve in curves.values() for _, accuracy in curve} == {SHARES[0]}
    assert set(row.facts["ends"].values()) == {SHARES[0]}
    assert row.facts["without_doubt"]["accuracy"] == SHARES[0]


def test_hard_positives_ask_the_policy_of_ft1(lab, monkeypatch):
    networks = Networks(*lab.parts)
    vars(networks)["patchdrop"] = {stage: Trained(stage, None) for stage in ("pt", "ft1", "ft2")}
    monkeypatch.setattr(networks_module, "train_with_hard_positives", lambda *given: given[-1])
    assert networks.hard_positives == "ft1"


def test_stn_buys_where_saliency_is_highest(lab):
    networks = Networks(*lab.parts)
    vars(networks)["saliency"] = SimpleNamespace(
        patch_saliency=lambda lr: torch.arange(16.0).repeat(len(lr), 1)
    )
    assert networks.chooser("stn", 3)(torch.zeros(1, 3, 4, 4)).nonzero()[:, 1].tolist() == [13, 14, 15]


@pytest.mark.parametrize(("stage", "one_stream"), [("ft1", True), ("ft2", False)])
def test_a_baseline_is_tuned_on_its_own_choices(lab, monkeypatch, stage, one_stream):
    given, options = [], {}
    monkeypatch.setattr(
        networks_module, "train_masked", lambda *rest, **named: given.extend(rest) or options.update(named)
    )
    start = Says(0)
    tuned = Networks(*lab.parts).tuned("fixed_v", 5, stage, start, "bagnet_")
    assert (given[1], options) == (f"bagnet_fixed_v_{stage}", {"one_stream": one_stream})
    assert given[2] is tuned is not start
    assert torch.equal(given[3](torch.zeros(2, 3, 4, 4)), fixed_masks(FIXED_V, 5, 2))
    assert given[5] == replace(lab.recipe.stage(stage), patience=0)
