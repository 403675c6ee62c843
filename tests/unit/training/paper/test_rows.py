"""Rows are measured on the test split with the networks that their names state."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.fixed_orders import FIXED_V
from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import Fill
from tests.support.training import TinyRun, tiny_run
from training.data.images import Images
from training.methods.bagnet import REPEATS, WARM_UP
from training.methods.baselines import fixed_masks
from training.methods.fine_tune import Chooser
from training.methods.out_of_fold import Classifier
from training.methods.patchdrop import Trained
from training.paper import compared, timed
from training.paper import networks as networks_module
from training.paper.measure_rows import CURVE_SIZES, Rows, baseline_size, policy_row
from training.paper.networks import Networks
from training.product.choose import buying_threshold

SHARES = (12 / 24, 8 / 24, 4 / 24)
"""Share of each class in the test split, so that a constant prediction identifies its network."""


class Says(nn.Module):
    """A network or classifier that predicts one class for every tile."""

    hr: nn.Module
    fill: Fill = "lr"
    fusion_exponent: float = 1.0

    def __init__(self, label: int) -> None:
        super().__init__()
        self.label = label

    def forward(self, tiles: Tensor, *_others: Tensor | None) -> Tensor:
        return 20.0 * nn.functional.one_hot(torch.full((len(tiles),), self.label), 3).float()

    hr_logits = mixture = coarse = forward


class Looks(PolicyNetwork):
    """A policy whose logit of a patch is the brightness of its LR pixel in the first band."""

    def __init__(self) -> None:
        super().__init__(PolicyConfig(backbone="resnet8", input_size=4, head="independent"))
        self.asked = 0

    def forward(self, lr: Tensor, _coarse: Tensor | None = None) -> Tensor:
        self.asked += 1
        return lr[:, 0].transpose(1, 2).flatten(1)


def named(tiny: TinyRun, **networks: Any) -> Any:
    """Return a substitute for Networks that has only these networks."""
    return SimpleNamespace(run=tiny.run, splits=tiny.splits, recipe=tiny.recipe, **networks)


@pytest.fixture
def tiny(tmp_path: Path) -> TinyRun:
    made = tiny_run(tmp_path, mean=(127.0,) * 3)
    labels = torch.tensor([0] * 12 + [1] * 8 + [2] * 4)
    test = made.splits.test
    assert isinstance(test, Images)
    return made.with_splits(test=replace(test, labels=labels, lr=test.lr // 2 + 60))


@pytest.mark.parametrize(
    ("rows", "own", "bought"),
    [
        (compared.lr_cnn, "lr", 0),
        (compared.hr_cnn, "hr", 16),
        (compared.srgan, "super_resolved", 0),
        (compared.kd, "student", 0),
        (compared.pcn, "coupled", 0),
        (timed.timed_hr_cnn, "hr", 16),
        (timed.bagnet, "bagnet", 16),
        (compared.augment_none, "hr", 16),
        (compared.augment_cutout, "cutout", 16),
        (compared.augment_patchdrop, "hard_positives", 16),
    ],
)
def test_row_without_a_choice_measures_its_own_network(
    tiny: TinyRun, rows: Callable[[Networks], Rows], own: str, bought: int
) -> None:
    names = ["hr", "lr", "super_resolved", "generator", "student", "coupled", "bagnet"]
    names += ["cutout", "hard_positives"]
    networks = named(tiny, **{name: Says(0 if name == own else 2) for name in names})
    (row,) = rows(networks)
    assert (row.accuracy, row.mean_patches) == (SHARES[0], bought)


def test_policy_row_chooses_on_test_with_thresholds_of_validation(tiny: TinyRun) -> None:
    row = policy_row(named(tiny), "patchdrop", "pt", Looks(), Says(1))
    everything = torch.arange(len(tiny.splits.test.labels))
    shown = (
        tiny.splits.images.pixels(tiny.splits.validation)[1],
        tiny.splits.test.pixels(everything)[1],
    )
    # (B, 3, row, col) -> (B, 16), down the columns.
    placed, wanted = (((lr[:, 0].float() - 127) / 128).transpose(1, 2).flatten(1) for lr in shown)
    assert torch.equal(row.selected, wanted >= 0)
    bought = [
        float((wanted >= buying_threshold(placed, size)).double().sum(1).mean()) for size in CURVE_SIZES
    ]
    assert [patches for patches, _ in row.facts["curve"]] == pytest.approx(bought)
    assert bought != pytest.approx(CURVE_SIZES, rel=0.1)
    assert row.accuracy == SHARES[1]


def with_patchdrop(tiny: TinyRun, stages: tuple[str, ...], **networks: Any) -> tuple[Any, dict[str, Trained]]:
    """Return networks whose `tuned` predicts class 0 after ft1 and 1 after ft2, and records its calls."""
    calls: list[tuple[str, int, str, int]] = []

    def tuned(name: str, size: int, stage: str, start: Says, prefix: str = "") -> Says:
        calls.append((f"{prefix}{name}", size, stage, start.label))
        return Says({"ft1": 0, "ft2": 1}[stage])

    trained = {stage: Trained(Looks(), Says(2)) for stage in stages}
    return named(tiny, tuned=tuned, calls=calls, **networks), trained


def test_chooser_rows_start_from_hr_cnn_and_tune_stage_by_stage(tiny: TinyRun) -> None:
    networks, trained = with_patchdrop(tiny, ("pt", "ft1", "ft2"), streams=Says(2))
    networks.patchdrop = trained
    rows = list(compared.chooser("fixed_h")(networks))
    assert [row.stage for row in rows] == ["pt", "ft1", "ft2"]
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2], SHARES[0], SHARES[1]])
    size = int(rows[0].mean_patches)
    assert networks.calls == [("fixed_h", size, "ft1", 2), ("fixed_h", size, "ft2", 0)]


def test_bagnet_rows_are_tuned_and_time_the_choice_of_patches(tiny: TinyRun) -> None:
    networks, trained = with_patchdrop(tiny, ("pt", "ft1"), bagnet=Says(2))
    networks.bagnet_patchdrop = trained
    chosen: list[int] = []

    def chooser(_name: str, size: int) -> Chooser:
        def choose(lr: Tensor) -> Tensor:
            chosen.append(size)
            return fixed_masks(FIXED_V, size, len(lr))

        return choose

    networks.chooser = chooser
    rows = list(timed.bagnet_chooser("fixed_v")(networks))
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2], SHARES[0]])
    assert [call[0] for call in networks.calls] == ["bagnet_fixed_v"]
    assert len(chosen) == 2 * (WARM_UP + REPEATS)
    policies = [one.policy for one in trained.values() if isinstance(one.policy, Looks)]
    for policy in policies:
        policy.asked = 0
    rows = list(timed.bagnet_patchdrop(networks))
    assert [row.accuracy for row in rows] == pytest.approx([SHARES[2]] * 2)
    assert [policy.asked for policy in policies] == [2 + WARM_UP + REPEATS] * 2  # 2: test and validation


def test_product_row_its_baselines_and_the_oracle_share_one_classifier(tiny: TinyRun) -> None:
    networks = named(tiny, streams=Says(2))
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


def test_hard_positives_use_the_policy_of_ft1(tiny: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = Networks(*tiny.parts)
    trained = {stage: Trained(Looks(), Says(0)) for stage in ("pt", "ft1", "ft2")}
    vars(networks)["patchdrop"] = trained
    monkeypatch.setattr(networks_module, "train_with_hard_positives", lambda *given: given[-1])
    assert networks.hard_positives is trained["ft1"].policy


def test_stn_chooser_buys_the_patches_of_highest_saliency(tiny: TinyRun) -> None:
    networks = Networks(*tiny.parts)
    vars(networks)["saliency"] = SimpleNamespace(
        patch_saliency=lambda lr: torch.arange(16.0).repeat(len(lr), 1)
    )
    assert networks.chooser("stn", 3)(torch.zeros(1, 3, 4, 4)).nonzero()[:, 1].tolist() == [13, 14, 15]


@pytest.mark.parametrize(("stage", "one_stream"), [("ft1", True), ("ft2", False)])
def test_tuned_trains_a_copy_on_the_choices_of_its_baseline(
    tiny: TinyRun, monkeypatch: pytest.MonkeyPatch, stage: str, one_stream: bool
) -> None:
    given: list[Any] = []
    options: dict[str, object] = {}

    def train_masked(*rest: object, **named: object) -> None:
        given.extend(rest)
        options.update(named)

    monkeypatch.setattr(networks_module, "train_masked", train_masked)
    start: Classifier = Says(0)
    tuned = Networks(*tiny.parts).tuned("fixed_v", 5, stage, start, "bagnet_")
    assert (given[1], options) == (f"bagnet_fixed_v_{stage}", {"one_stream": one_stream})
    assert given[2] is tuned is not start
    assert torch.equal(given[3](torch.zeros(2, 3, 4, 4)), fixed_masks(FIXED_V, 5, 2))
    assert given[5] == replace(tiny.recipe.stage(stage), patience=0)


@pytest.mark.parametrize(("bought", "size"), [(1, 3), (0, 2)])
def test_baseline_size_is_the_policys_rounded_up(
    tiny: TinyRun, monkeypatch: pytest.MonkeyPatch, bought: int, size: int
) -> None:
    logits = torch.full((6, 16), -1.0)
    logits[:, :2] = 1.0
    logits[:bought, 2] = 1.0  # one tile of six buys a third patch: 2.17 on average
    monkeypatch.setattr("training.paper.measure_rows.policy_logits", lambda *_arguments: logits)
    assert baseline_size(tiny.splits, Looks()) == size
