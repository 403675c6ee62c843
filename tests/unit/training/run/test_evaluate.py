"""Predictions on a split, and what `measure` makes of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import CPU, tiny_images, write_data
from training.data.layouts import open_splits
from training.product.measure import measure
from training.run import evaluate
from training.run.evaluate import predict


def test_predict_keeps_the_order_for_any_batch_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_splits("folders", write_data(tmp_path / "data"), 16, 4) as (images, _):
        pass
    indices = torch.randperm(24, generator=torch.Generator().manual_seed(0))[:21]
    selected = torch.rand(21, 16, generator=torch.Generator().manual_seed(1)) < 0.5
    sizes: list[int] = []

    def predictor(hr: Tensor, lr: Tensor, bought: Tensor) -> Tensor:
        sizes.append(len(hr))
        return torch.cat([hr.mean((2, 3)), lr.mean((2, 3)), bought.float()], 1)

    together = predict(predictor, images, indices, selected, CPU)
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 16 * 16 * 5)
    apart = predict(predictor, images, indices, selected, CPU)
    assert sizes == [21, 5, 4, 4, 4, 4]
    assert torch.equal(apart, together)
    assert torch.equal(apart[:, 6:], selected.float())


class Wants(PolicyNetwork):
    """A policy that wants patches 0 to 2 of every tile, and 3 too where the first band is the brightest."""

    def __init__(self) -> None:
        super().__init__(PolicyConfig(backbone="resnet8", input_size=4))

    def forward(self, lr: Tensor, _coarse: Tensor | None = None) -> Tensor:
        bright = lr.mean((2, 3)).argmax(1) == 0
        return torch.where(torch.arange(16) < 3 + bright.long().unsqueeze(1), 1.0, -1.0)


class Tells(nn.Module):
    """The class of tiny_images where patch 10, the fourth of Fixed-H, is bought; else another."""

    def coarse(self, lr: Tensor) -> Tensor:
        return torch.full((len(lr), 3), 1 / 3)

    def forward(self, _hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        label = lr.mean((2, 3)).argmax(1)
        return nn.functional.one_hot(torch.where(selected[:, 10], label, (label + 1) % 3), 3).float()


def test_measure_compares_blind_choices_at_the_policys_own_s() -> None:
    manifest = SimpleNamespace(threshold=0.5, curve=())
    bundle: Any = SimpleNamespace(policy=Wants(), classifier=Tells(), manifest=manifest)
    measured = measure(bundle, tiny_images())
    assert measured["policy"]["mean_patches"] == pytest.approx(3 + 1 / 3)
    assert measured["policy"]["accuracy"] == measured["lr_only"]["accuracy"] == 0.0
    assert measured["all_patches"]["accuracy"] == 1.0
    against = measured["baselines"]["fixed_h"]
    assert against["at_same_patches"] == pytest.approx(1 / 3)
    assert against["at_patches_rounded_up"] == 1.0
    assert (against["gain"]["mean"], against["gain_rounded_up"]["mean"]) == pytest.approx((-1 / 3, -1.0))
