"""The loop on one linear network, where every number can be followed."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.support.lab import tiny_lab
from training.run.lab import seed_everything
from training.run.loop import build_optimiser, learning_rate, train_stage
from training.run.recipe import Stage

STAGE = Stage(epochs=3, learning_rate=0.05, batch=6, weight_decay=0.0)


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))


def step_for(net):
    def step(batch):
        loss = F.cross_entropy(net(batch.lr), batch.labels)
        return loss, {"loss": loss, "progress": batch.progress}

    return step


def train(lab, net, config=STAGE, **options):
    train_stage(lab, "toy", {"net": net}, lab.learnt, config, step_for(net), **options)
    return net


def lines(lab):
    return [json.loads(line) for line in (lab.run.out / "metrics.jsonl").read_text().splitlines()]


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_learns_and_logs_each_epoch(tmp_path, optimiser):
    lab = tiny_lab(tmp_path)
    train(lab, network(), replace(STAGE, epochs=8, optimiser=optimiser))
    logged = lines(lab)
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
def test_trains_in_bf16_where_recipe_and_cpu_say_so(tmp_path, monkeypatch, wanted, instructions, computed):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    lab = tiny_lab(tmp_path)
    lab = replace(lab, recipe=replace(lab.recipe, bf16_on_cpu=wanted))
    net, seen = network(), set()
    net.register_forward_hook(lambda _net, _inputs, output: seen.add(output.dtype))
    train(lab, net)
    assert seen == {computed}


@pytest.mark.parametrize("changes", [{}, {"optimiser": "sgd"}, {"ema": 0.9}])
def test_a_stage_broken_off_and_resumed_ends_as_an_unbroken_one(tmp_path, changes):
    config = replace(STAGE, **changes)
    whole = train(tiny_lab(tmp_path / "whole"), network(), config)
    calls = 0

    def power_cut():
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_lab(tmp_path / "broken"), network(), config, after_epoch=power_cut)
    resumed = train(tiny_lab(tmp_path / "broken", resume=True), network(), config)
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in weights(whole).items())
    again = train(tiny_lab(tmp_path / "broken", resume=True), network(), config)
    assert all(torch.equal(again.state_dict()[name], value) for name, value in weights(whole).items())


def test_the_average_of_the_weights_is_kept(tmp_path):
    config = replace(STAGE, epochs=1, ema=0.5, batch=9)
    lab = tiny_lab(tmp_path)
    seen = []
    net = network()
    start = weights(net)["1.weight"]

    def step(batch):
        if seen:
            seen.append(weights(net)["1.weight"])
        else:
            seen.append(start)
        return step_for(net)(batch)

    live = nn.Sequential(*net)
    ends = []
    train_stage(
        lab,
        "toy",
        {"net": net},
        lab.learnt,
        config,
        step,
        after_epoch=lambda: ends.append(weights(live)["1.weight"]),
    )
    by_hand = 0.25 * start + 0.25 * seen[1] + 0.5 * ends[0]
    assert torch.allclose(weights(net)["1.weight"], by_hand)
    assert not torch.allclose(by_hand, ends[0])


def test_patience_keeps_the_best_epoch_and_stops(tmp_path):
    lab = tiny_lab(tmp_path)
    scores = iter([0.1, 0.9, 0.3, 0.4, 0.5])
    kept = []
    net = network()

    def validate():
        kept.append(weights(net))
        return next(scores)

    train(lab, net, replace(STAGE, epochs=5, patience=2), validate=validate)
    assert [line["validation"] for line in lines(lab)] == [0.1, 0.9, 0.3, 0.4]
    assert torch.equal(net.state_dict()["1.weight"], kept[1]["1.weight"])


def test_patience_without_a_validation_score_is_refused(tmp_path):
    with pytest.raises(ValueError, match="stage 'toy' has no validation score"):
        train(tiny_lab(tmp_path), network(), replace(STAGE, patience=2))


def test_without_patience_validation_is_not_asked(tmp_path):
    lab = tiny_lab(tmp_path)
    train(lab, network(), validate=lambda: pytest.fail("asked"))
    assert "validation" not in lines(lab)[0]


def test_only_named_networks_are_in_training_mode_and_frozen_weights_stay(tmp_path):
    lab = tiny_lab(tmp_path)
    first, second = network(), network()
    second[1].bias.requires_grad_(False)
    before = weights(second)
    modes = set()

    def step(batch):
        modes.add((first.training, second.training))
        loss = F.cross_entropy(first(batch.lr) + second(batch.lr), batch.labels)
        return loss, {}

    networks = {"first": first, "second": second}
    train_stage(lab, "toy", networks, lab.learnt, STAGE, step, train_mode=("first",))
    assert modes == {(True, False)}
    assert not first.training
    assert not second.training
    assert torch.equal(second[1].bias, before["1.bias"])
    assert not torch.equal(second[1].weight, before["1.weight"])


def test_only_matrices_decay():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimiser = build_optimiser([net], replace(STAGE, weight_decay=0.1))
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert decay[id(net[0].weight)] == 0.1
    assert {decay[id(p)] for p in (net[0].bias, net[1].weight, net[1].bias)} == {0.0}


def test_the_rate_rises_then_falls_to_zero():
    assert learning_rate(0.0, 1.0) == pytest.approx(0.05)
    assert learning_rate(0.15, 1.0) == pytest.approx(1.0)
    assert learning_rate(0.575, 1.0) == pytest.approx(0.5)
    assert math.isclose(learning_rate(1.0, 1.0), 0.0, abs_tol=1e-12)


def test_every_epoch_has_its_own_seed():
    draws = set()
    for words in ((0, "hr", 0), (0, "hr", 1), (0, "lr", 0), (1, "hr", 0)):
        generator = seed_everything(*words)
        draws.add((float(torch.rand(())), float(torch.rand((), generator=generator))))
    assert len(draws) == 4
    assert len({value for pair in draws for value in pair}) == 8
