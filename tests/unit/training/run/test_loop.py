"""The training loop on one linear network, where every number can be followed."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.training import TinyRun, tiny_run
from training.run.batches import Batch
from training.run.loop import Step, build_optimiser, learning_rate, train_stage
from training.run.recipe import Stage
from training.run.seeds import seed_epoch

STAGE = Stage(epochs=3, learning_rate=0.05, batch=6, weight_decay=0.0)
WEIGHT, BIAS = "1.weight", "1.bias"


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))


def step_for(net: nn.Module) -> Step[Batch]:
    def step(batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        loss = F.cross_entropy(net(batch.lr), batch.labels)
        return loss, {"loss": loss, "progress": batch.progress}

    return step


def train(tiny: TinyRun, net: nn.Module, config: Stage = STAGE, **options: Any) -> nn.Module:
    train_stage(tiny.run, "toy", {"net": net}, tiny.data, config, step_for(net), **options)
    return net


def lines(tiny: TinyRun) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tiny.run.out / "metrics.jsonl").read_text().splitlines()]


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_train_stage_learns_and_logs_each_epoch(tmp_path: Path, optimiser: Any) -> None:
    tiny = tiny_run(tmp_path)
    train(tiny, network(), replace(STAGE, epochs=8, optimiser=optimiser))
    logged = lines(tiny)
    assert [line["epoch"] for line in logged] == list(range(8))
    assert logged[-1]["loss"] < 0.5 * logged[0]["loss"]
    assert logged[0]["progress"] == pytest.approx((0 + 1 / 24 + 2 / 24) / 3)
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize(
    ("wanted", "instructions", "computed"),
    [
        (True, {"avx512_bf16": True}, torch.bfloat16),
        (True, {"avx512_bf16": False}, torch.float32),
        (False, {"avx512_bf16": True}, torch.float32),
    ],
)
def test_train_stage_uses_bf16_where_run_and_cpu_allow_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: bool,
    instructions: dict[str, bool],
    computed: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    tiny = tiny_run(tmp_path, bf16_on_cpu=wanted)
    net, seen = network(), set()
    net.register_forward_hook(lambda _net, _inputs, output: seen.add(output.dtype))
    train(tiny, net)
    assert seen == {computed}


@pytest.mark.parametrize("changes", [{}, {"optimiser": "sgd"}, {"ema": 0.9}])
def test_train_stage_resumed_ends_as_an_unbroken_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = replace(STAGE, **changes)
    whole = train(tiny_run(tmp_path / "whole"), network(), config)
    calls = 0

    def power_cut() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_run(tmp_path / "broken"), network(), config, after_epoch=power_cut)
    resumed = train(tiny_run(tmp_path / "broken", resume=True), network(), config)
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in weights(whole).items())
    again = train(tiny_run(tmp_path / "broken", resume=True), network(), config)
    assert all(torch.equal(again.state_dict()[name], value) for name, value in weights(whole).items())


def test_train_stage_keeps_the_average_of_the_weights(tmp_path: Path) -> None:
    config = replace(STAGE, epochs=1, ema=0.5, batch=9)
    tiny, net = tiny_run(tmp_path), network()
    seen: list[Tensor] = []
    start = weights(net)[WEIGHT]

    def step(batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        seen.append(weights(net)[WEIGHT] if seen else start)
        return step_for(net)(batch)

    live = nn.Sequential(*net)
    ends: list[Tensor] = []

    def note() -> None:
        ends.append(weights(live)[WEIGHT])

    train_stage(tiny.run, "toy", {"net": net}, tiny.data, config, step, after_epoch=note)
    by_hand = 0.25 * start + 0.25 * seen[1] + 0.5 * ends[0]
    assert torch.allclose(weights(net)[WEIGHT], by_hand)
    assert not torch.allclose(by_hand, ends[0])


def test_train_stage_with_patience_keeps_the_best_epoch_and_stops(tmp_path: Path) -> None:
    tiny, net = tiny_run(tmp_path), network()
    scores = iter([0.1, 0.9, 0.3, 0.4, 0.5])
    kept: list[dict[str, Tensor]] = []

    def validate() -> float:
        kept.append(weights(net))
        return next(scores)

    train(tiny, net, replace(STAGE, epochs=5, patience=2), validate=validate)
    assert [line["validation"] for line in lines(tiny)] == [0.1, 0.9, 0.3, 0.4]
    assert torch.equal(net.state_dict()[WEIGHT], kept[1][WEIGHT])


def test_train_stage_refuses_patience_without_a_validation_score(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Stage 'toy' has no validation score"):
        train(tiny_run(tmp_path), network(), replace(STAGE, patience=2))


def test_train_stage_without_patience_does_not_validate(tmp_path: Path) -> None:
    tiny = tiny_run(tmp_path)
    train(tiny, network(), validate=lambda: pytest.fail("asked"))
    assert "validation" not in lines(tiny)[0]


def test_train_stage_sets_training_mode_by_name_and_leaves_frozen_weights(tmp_path: Path) -> None:
    tiny = tiny_run(tmp_path)
    first, second = network(), network()
    second.get_parameter(BIAS).requires_grad_(False)
    before = weights(second)
    modes: set[tuple[bool, bool]] = set()

    def step(batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        modes.add((first.training, second.training))
        return F.cross_entropy(first(batch.lr) + second(batch.lr), batch.labels), {}

    networks = {"first": first, "second": second}
    train_stage(tiny.run, "toy", networks, tiny.data, STAGE, step, train_mode=("first",))
    assert modes == {(True, False)}
    assert [net.training for net in networks.values()] == [False, False]
    assert torch.equal(second.get_parameter(BIAS), before[BIAS])
    assert not torch.equal(second.get_parameter(WEIGHT), before[WEIGHT])


def test_build_optimiser_decays_matrices_only() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimiser = build_optimiser([net], replace(STAGE, weight_decay=0.1))
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    found = {name: decay[id(parameter)] for name, parameter in net.named_parameters()}
    assert found == {"0.weight": 0.1, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0}


def test_learning_rate_rises_then_falls_to_zero() -> None:
    assert learning_rate(0.0, 1.0) == pytest.approx(0.05)
    assert learning_rate(0.15, 1.0) == pytest.approx(1.0)
    assert learning_rate(0.575, 1.0) == pytest.approx(0.5)
    assert math.isclose(learning_rate(1.0, 1.0), 0.0, abs_tol=1e-12)


def test_seed_epoch_differs_by_seed_stage_and_epoch() -> None:
    draws = set()
    for seed, stage, epoch in ((0, "hr", 0), (0, "hr", 1), (0, "lr", 0), (1, "hr", 0)):
        generator = seed_epoch(seed, stage, epoch)
        draws.add((float(torch.rand(())), float(torch.rand((), generator=generator))))
    assert len(draws) == 4
    assert len({value for pair in draws for value in pair}) == 8
