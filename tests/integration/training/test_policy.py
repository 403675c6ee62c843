"""Pt, the product's polish and the baselines, on tiny images: what each learns from, and what moves."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from tests.support.lab import WantsPatch5, tiny_lab
from training.methods import train_masked as train_masked_module
from training.methods.crossfit import sole_judge
from training.methods.masks import top_masks
from training.methods.patchdrop import new_policy, train_hr_cnn, train_lr_cnn, train_patchdrop, two_stream
from training.methods.train_masked import train_masked
from training.methods.train_policy import greedy_reward, train_policy
from training.run.batches import Batch, batch_of


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    lab = tiny_lab(tmp_path_factory.mktemp("policy"))
    hr = train_hr_cnn(lab)
    return hr, train_lr_cnn(lab, hr)


@pytest.mark.parametrize("polish", [False, True])
def test_a_label_earns_in_pt_and_its_chance_in_the_polish(tmp_path, networks, polish):
    lab = tiny_lab(tmp_path, augmentation="none")
    judge, policy = sole_judge(two_stream(lab, *networks), lab.images), WantsPatch5(1.0)
    hr, lr, labels = batch_of(lab.images, lab.learnt, lab.run.device)
    batch = Batch(hr=hr, lr=lr, labels=labels, chosen=lab.learnt, progress=0.0, symmetry=0)
    answers = judge.probabilities(batch, policy(lr) > 0, None)
    right = answers.argmax(1) == labels
    chance = float(answers[right].amax(1).mean())
    still = replace(lab.recipe.stage("polish"), epochs=1, batch=18, learning_rate=0.0, sigma=0.5)
    lab = replace(lab, learnt=lab.learnt[right])
    train_policy(lab, "policy", policy, judge, still, hr_only=True, polish=polish)
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["reward_greedy"]
    won = 1 - 1 / 16**2  # one patch
    assert logged == pytest.approx(chance * won - (1 - chance) * 0.5 if polish else won, abs=0.01)
    assert chance < 0.9


@pytest.mark.parametrize("polish", [False, True])
def test_batch_norms_rest_in_the_polish_only(tmp_path, networks, polish):
    lab = tiny_lab(tmp_path)
    judge, policy = sole_judge(two_stream(lab, *networks), lab.images), new_policy(lab, "policy")
    before = copy.deepcopy(policy)
    train_policy(lab, "policy", policy, judge, lab.recipe.stage("polish"), hr_only=False, polish=polish)
    means = [network.backbone.stem[1].running_mean for network in (before, policy)]
    weights = [network.backbone.head.weight for network in (before, policy)]
    assert torch.equal(*means) == polish
    assert not torch.equal(*weights)


@pytest.mark.parametrize("hr_only", [True, False])
def test_pt_does_not_ask_the_lr_stream(tmp_path, networks, hr_only):
    hr, lr = networks
    other = copy.deepcopy(lr)
    with torch.no_grad():
        other.head.bias += torch.tensor([9.0, 0.0, -9.0])
    ends = []
    for number, stream in enumerate((lr, other)):
        lab = tiny_lab(tmp_path / str(number))
        judge, policy = sole_judge(two_stream(lab, hr, stream), lab.images), new_policy(lab, "pt")
        train_policy(lab, "pt", policy, judge, lab.recipe.stage("pt"), hr_only=hr_only)
        ends.append(policy.backbone.head.weight)
    assert torch.equal(*ends) == hr_only


@pytest.mark.parametrize(("start", "alike"), [("hr", True), ("scratch", False)])
def test_lr_cnn_starts_where_the_recipe_says(tmp_path, networks, start, alike):
    lab = tiny_lab(tmp_path, lr_start=start)
    lab = replace(lab, recipe=replace(lab.recipe, lr=replace(lab.recipe.lr, epochs=1, learning_rate=0.0)))
    hr, _ = networks
    assert torch.equal(train_lr_cnn(lab, hr).head.weight, hr.head.weight) == alike


def test_an_early_stop_keeps_the_best_greedy_reward(tmp_path, networks):
    lab = tiny_lab(tmp_path)
    patient = replace(lab.recipe, pt=replace(lab.recipe.pt, epochs=4, patience=4, learning_rate=0.05))
    lab = replace(lab, recipe=patient)
    streams = two_stream(lab, *networks)
    (_, trained), *_ = train_patchdrop(lab, streams, ("pt",))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    scores = [line["validation"] for line in lines if "validation" in line]
    assert len(scores) == 4
    kept = greedy_reward(lab, trained.policy, streams, patient.pt.sigma, hr_only=True)
    assert kept == pytest.approx(max(scores))


@pytest.mark.parametrize("one_stream", [True, False])
def test_a_baselines_hr_stream_learns_from_its_own_choices(tmp_path, networks, monkeypatch, one_stream):
    lab, classifier, given = tiny_lab(tmp_path), two_stream(tiny_lab(tmp_path), *networks), []
    loss_of = train_masked_module.classifier_loss
    monkeypatch.setattr(
        train_masked_module, "classifier_loss", lambda *parts: given.append(parts) or loss_of(*parts)
    )
    before = classifier.hr.head.weight.clone()

    def brightest(lr):
        return top_masks(lr.mean(1).transpose(1, 2).flatten(1), 5)

    config = lab.recipe.stage("ft1")
    train_masked(lab, "masked", classifier, brightest, config, one_stream=one_stream)
    assert given
    for _, batch, selected, coarse in given:
        assert torch.equal(selected, brightest(batch.lr))
        if one_stream:
            assert coarse is None
        else:
            assert torch.allclose(coarse, classifier.coarse(batch.lr), atol=1e-6)
    assert not torch.equal(classifier.hr.head.weight, before)
    assert not classifier.hr.head.weight.requires_grad
