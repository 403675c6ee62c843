"""Pt, the product's polish and the baselines, on tiny images: what each learns from, and what moves."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.two_stream import TwoStreamClassifier
from tests.support.training import TinyRun, WantsPatch5, head, tiny_run
from training.methods import fine_tune
from training.methods.classifiers import train_hr_cnn, train_lr_cnn
from training.methods.fine_tune import train_masked
from training.methods.masks import top_masks
from training.methods.out_of_fold import in_sample_ensemble
from training.methods.patchdrop import new_policy, train_patchdrop, two_stream
from training.methods.reinforce import greedy_reward, train_policy
from training.run.batches import Batch, batch_of

HrAndLr = tuple[nn.Module, nn.Module]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> HrAndLr:
    tiny = tiny_run(tmp_path_factory.mktemp("policy"))
    hr = train_hr_cnn(tiny.run, tiny.data, tiny.recipe)
    return hr, train_lr_cnn(tiny.run, tiny.data, tiny.recipe, hr)


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def with_other_bias(lr: nn.Module) -> nn.Module:
    """Copy the network so that it answers differently."""
    other = copy.deepcopy(lr)
    with torch.no_grad():
        other.get_parameter("head.bias").add_(torch.tensor([9.0, 0.0, -9.0]))
    return other


@pytest.mark.parametrize("polish", [False, True])
def test_train_policy_rewards_labels_in_pt_and_probabilities_in_the_polish(
    tmp_path: Path, networks: HrAndLr, polish: bool
) -> None:
    tiny = tiny_run(tmp_path, augmentation="none")
    images, learnt = tiny.splits.images, tiny.splits.learnt
    ensemble, policy = in_sample_ensemble(two_stream(*networks, 8), images), WantsPatch5(1.0)
    hr, lr, labels = batch_of(images, learnt, tiny.run.device)
    batch = Batch(hr=hr, lr=lr, labels=labels, chosen=learnt, progress=0.0, symmetry=0)
    answers = ensemble.probabilities(batch, policy(lr) > 0, None)
    right = answers.argmax(1) == labels
    chance = float(answers[right].amax(1).mean())
    still = replace(tiny.recipe.stage("polish"), epochs=1, batch=18, learning_rate=0.0, sigma=0.5)
    splits = replace(tiny.splits, learnt=learnt[right])
    train_policy(tiny.run, "policy", policy, ensemble, splits, still, hr_only=True, polish=polish)
    won = 1 - 1 / 16**2  # one patch
    expected = chance * won - (1 - chance) * 0.5 if polish else won
    assert logged(tmp_path)[0]["reward_greedy"] == pytest.approx(expected, abs=0.01)
    assert chance < 0.9


@pytest.mark.parametrize("polish", [False, True])
def test_train_policy_freezes_batch_norms_in_the_polish_only(
    tmp_path: Path, networks: HrAndLr, polish: bool
) -> None:
    tiny = tiny_run(tmp_path)
    ensemble = in_sample_ensemble(two_stream(*networks, 8), tiny.splits.images)
    policy = new_policy(tiny.run, "policy", "resnet8", 8)
    before = copy.deepcopy(policy)
    config = tiny.recipe.stage("polish")
    train_policy(tiny.run, "policy", policy, ensemble, tiny.splits, config, hr_only=False, polish=polish)
    means = [network.backbone.get_buffer("stem.1.running_mean") for network in (before, policy)]
    assert torch.equal(*means) == polish
    assert not torch.equal(head(before.backbone), head(policy.backbone))


@pytest.mark.parametrize("hr_only", [True, False])
def test_train_policy_with_hr_only_does_not_ask_the_lr_stream(
    tmp_path: Path, networks: HrAndLr, hr_only: bool
) -> None:
    hr, lr = networks
    ends = []
    for number, stream in enumerate((lr, with_other_bias(lr))):
        tiny = tiny_run(tmp_path / str(number))
        ensemble = in_sample_ensemble(two_stream(hr, stream, 8), tiny.splits.images)
        policy = new_policy(tiny.run, "pt", "resnet8", 8)
        config = tiny.recipe.stage("pt")
        train_policy(tiny.run, "pt", policy, ensemble, tiny.splits, config, hr_only=hr_only)
        ends.append(head(policy.backbone))
    assert torch.equal(*ends) == hr_only


@pytest.mark.parametrize(("start", "alike"), [("hr", True), ("scratch", False)])
def test_train_lr_cnn_starts_where_the_recipe_says(
    tmp_path: Path, networks: HrAndLr, start: str, alike: bool
) -> None:
    tiny = tiny_run(tmp_path, lr_start=start)
    recipe = replace(tiny.recipe, lr=replace(tiny.recipe.lr, epochs=1, learning_rate=0.0))
    hr, _ = networks
    assert torch.equal(head(train_lr_cnn(tiny.run, tiny.data, recipe, hr)), head(hr)) == alike


def test_train_patchdrop_with_patience_keeps_the_best_greedy_reward(
    tmp_path: Path, networks: HrAndLr
) -> None:
    tiny = tiny_run(tmp_path)
    patient = replace(tiny.recipe.stage("pt"), epochs=4, patience=4, learning_rate=0.05)
    tiny, streams = tiny.with_recipe(pt=patient), two_stream(*networks, 8)
    (_, trained), *_ = train_patchdrop(*tiny.parts, streams, ("pt",))
    scores = [line["validation"] for line in logged(tmp_path) if "validation" in line]
    assert len(scores) == 4
    kept = greedy_reward(
        trained.policy, streams, tiny.splits.images, tiny.splits.validation, patient.sigma, hr_only=True
    )
    assert kept == pytest.approx(max(scores))


def brightest(lr: Tensor) -> Tensor:
    """Choose the five brightest patches of each tile."""
    return top_masks(lr.mean(1).transpose(1, 2).flatten(1), 5)


@pytest.mark.parametrize("one_stream", [True, False])
def test_train_masked_learns_from_the_baselines_own_choices(
    tmp_path: Path, networks: HrAndLr, monkeypatch: pytest.MonkeyPatch, one_stream: bool
) -> None:
    tiny, classifier = tiny_run(tmp_path), two_stream(*networks, 8)
    given: list[tuple[Any, ...]] = []
    loss_of = fine_tune.classifier_loss

    def note(*parts: Any) -> Tensor:
        given.append(parts)
        return loss_of(*parts)

    monkeypatch.setattr(fine_tune, "classifier_loss", note)
    before = head(classifier.hr).clone()
    masked(tiny, classifier, one_stream=one_stream)
    assert given
    for _, batch, selected, coarse in given:
        assert torch.equal(selected, brightest(batch.lr))
        if one_stream:
            assert coarse is None
        else:
            assert torch.allclose(coarse, classifier.coarse(batch.lr), atol=1e-6)
    assert not torch.equal(head(classifier.hr), before)
    assert not head(classifier.hr).requires_grad


def masked(tiny: TinyRun, classifier: TwoStreamClassifier, *, one_stream: bool) -> None:
    config = tiny.recipe.stage("ft1")
    train_masked(tiny.run, "masked", classifier, brightest, tiny.data, config, one_stream=one_stream)
