"""The paper's three stages on tiny images: what each moves, what it leaves, and what holds at the ends."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from models.policy import utilities
from models.preprocess import compose, upsample
from models.two_stream import TwoStreamClassifier
from tests.support.lab import WantsPatch5, tiny_lab
from training.methods import patchdrop as patchdrop_module
from training.methods.crossfit import Jury, sole_judge
from training.methods.masks import training_masks
from training.methods.patchdrop import (
    new_policy,
    served,
    train_hr_cnn,
    train_lr_cnn,
    train_patchdrop,
    two_stream,
)
from training.methods.reinforce import temper
from training.methods.train_jointly import classifier_loss, half_served, train_jointly
from training.methods.train_policy import greedy_reward, policy_step
from training.paper.measure_rows import baseline_size
from training.run import evaluate
from training.run.batches import Batch, batch_of
from training.run.evaluate import policy_logits, predict
from training.run.recipe import Stage

CPU = torch.device("cpu")
STAGE = Stage(epochs=1, learning_rate=1e-3, sigma=0.5, alpha_start=0.8, alpha_end=0.8)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return tiny_lab(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def networks(lab):
    hr = train_hr_cnn(lab)
    return hr, train_lr_cnn(lab, hr)


@pytest.fixture(scope="module")
def stages(lab, networks):
    return dict(train_patchdrop(lab, two_stream(lab, *networks)))


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def first_batch(lab, count=6):
    hr, lr, labels = batch_of(lab.images, lab.learnt[:count], CPU)
    return Batch(hr=hr, lr=lr, labels=labels, chosen=lab.learnt[:count], progress=0.0, symmetry=0)


def flattened(streams):
    """The HR stream's statistics made so wide that every tile looks alike."""
    for module in streams.hr.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var *= 1e8
    return streams


def test_pt_trains_the_policy_alone(lab, networks, stages):
    hr, lr = networks
    assert not same(new_policy(lab, "pt"), stages["pt"].policy)
    assert same(hr, stages["pt"].classifier.hr)
    assert same(lr, stages["pt"].classifier.lr)


def test_ft_trains_policy_and_hr_stream_and_leaves_the_lr_stream(networks, stages):
    for before, after in (("pt", "ft1"), ("ft1", "ft2")):
        assert not same(stages[before].policy, stages[after].policy)
        assert not same(stages[before].classifier.hr, stages[after].classifier.hr)
        assert same(networks[1], stages[after].classifier.lr)


@pytest.mark.parametrize("stage", ["pt", "ft1", "ft2"])
def test_nothing_bought_is_the_lr_model_and_everything_the_hr_model(lab, stages, stage):
    classifier = stages[stage].classifier
    everything = torch.arange(len(lab.test.labels))
    hr, lr, _ = batch_of(lab.test, everything, CPU)
    for selected, network, tile in (
        (torch.zeros(len(everything), 16).bool(), classifier.lr, upsample(lr, 8)),
        (torch.ones(len(everything), 16).bool(), classifier.hr, hr),
    ):
        mixed = predict(served("ft2", classifier), lab.test, everything, selected, CPU)
        with torch.no_grad():
            alone = torch.softmax(network(tile), 1)
        assert torch.allclose(mixed, alone, atol=1e-6)


@pytest.mark.parametrize(("stage", "streams"), [("pt", "hr"), ("ft1", "hr"), ("ft2", "both")])
def test_pt_and_ft1_answer_by_the_hr_stream_alone(lab, stages, stage, streams):
    classifier = stages[stage].classifier
    everything = torch.arange(len(lab.test.labels))
    bought = torch.arange(16).expand(len(everything), 16) < 8
    hr, lr, _ = batch_of(lab.test, everything, CPU)
    with torch.no_grad():
        expected = torch.softmax(classifier.hr_logits(hr, lr, bought), 1)
        if streams == "both":
            expected = (expected + torch.softmax(classifier.lr_logits(lr), 1)) / 2
    answers = predict(served(stage, classifier), lab.test, everything, bought, CPU)
    assert torch.allclose(answers, expected, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.51, 0.7, 0.95, 1.0])
def test_alpha_never_changes_the_greedy_choice(lab, stages, alpha):
    s = utilities(policy_logits(stages["ft2"].policy, lab.test, torch.arange(24)))
    assert torch.equal(temper(s, alpha) >= 0.5, s >= 0.5)


def test_the_reward_is_of_the_label_and_of_the_choice_it_was_given_for(lab, stages):
    classifier = stages["pt"].classifier
    batch = first_batch(lab)
    torch.manual_seed(0)
    result = policy_step(
        stages["pt"].policy, sole_judge(classifier, lab.images), batch, STAGE, None, expected=False
    )
    with torch.no_grad():
        for selected, name in ((result.sampled, "sampled"), (result.greedy, "greedy")):
            # The judge answers in bf16, which may tip a label: ask it as it is asked there.
            answers = sole_judge(classifier, lab.images).probabilities(batch, selected, None)
            right = (answers.argmax(1) == batch.labels).float()
            bought = selected.float().sum(1) / 16
            by_hand = torch.where(right.bool(), 1 - bought**2, torch.full_like(bought, -0.5))
            assert result.metrics[f"reward_{name}"].item() == pytest.approx(by_hand.mean().item())


def test_samples_are_drawn_and_weighed_with_the_exploration_of_eq_11(lab, networks):
    judge = sole_judge(two_stream(lab, *networks), lab.images)
    policy, batch = WantsPatch5(20.0), first_batch(lab, 18)
    torch.manual_seed(0)
    result = policy_step(policy, judge, batch, STAGE, None, expected=False)
    assert result.greedy.sum(1).tolist() == [1] * 18
    differs = (result.sampled != result.greedy).float().mean()
    assert differs.item() == pytest.approx(0.2, abs=0.07)  # a sure policy explores 1 - alpha of its choices
    earned = []
    for selected in (result.sampled, result.greedy):
        answers = judge.probabilities(batch, selected, None)
        bought = selected.float().sum(1) / 16
        earned.append(torch.where(answers.argmax(1) == batch.labels, 1 - bought**2, -0.5))
    likelihood = torch.where(result.sampled == result.greedy, 0.8, 0.2).log().sum(1)
    by_hand = -((earned[0] - earned[1]) * likelihood).mean()
    assert result.loss.item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_in_ft2_nothing_bought_teaches_the_hr_stream_nothing(lab, stages):
    classifier = stages["ft1"].classifier
    classifier.hr.requires_grad_(True).zero_grad(set_to_none=True)
    batch = first_batch(lab)
    nothing = torch.zeros(6, 16).bool()
    classifier_loss(classifier, batch, nothing, classifier.coarse(batch.lr)).backward()
    assert max(p.grad.abs().max() for p in classifier.hr.parameters()) == 0
    classifier_loss(classifier, batch, ~nothing, classifier.coarse(batch.lr)).backward()
    assert max(p.grad.abs().max() for p in classifier.hr.parameters()) > 0
    classifier.hr.zero_grad(set_to_none=True)
    classifier.hr.requires_grad_(False)


def test_ft_takes_the_likelihood_of_the_hr_stream_then_of_the_mixture(lab, stages):
    classifier, batch = stages["ft1"].classifier, first_batch(lab)
    selected = training_masks(6)
    coarse = classifier.coarse(batch.lr)
    tiles = batch.hr, batch.lr, selected
    with torch.no_grad():
        sharp, mixed = classifier.hr_logits(*tiles).softmax(1), classifier.mixture(*tiles, coarse)
        by_hand = [-p.gather(1, batch.labels.unsqueeze(1)).log().mean().item() for p in (sharp, mixed)]
        losses = [classifier_loss(classifier, batch, selected, say).item() for say in (None, coarse)]
    assert losses == pytest.approx(by_hand, rel=1e-5)


def test_half_of_a_batch_is_as_served(lab, stages):
    torch.manual_seed(0)
    judge = sole_judge(stages["pt"].classifier, lab.images)
    result = policy_step(stages["pt"].policy, judge, first_batch(lab), STAGE, None, expected=False)
    mixed = half_served(result)
    assert torch.equal(mixed[::2], result.sampled[::2])
    assert torch.equal(mixed[1::2], result.greedy[1::2])


def test_each_image_is_judged_by_who_has_not_seen_it(lab, networks):
    class Constant(TwoStreamClassifier):
        """Says one class, whatever it is shown."""

        def mixture(self, hr, _lr, _selected, _coarse):
            return torch.nn.functional.one_hot(torch.full((len(hr),), self.says), 3).float()

    jurors = []
    for says in range(3):
        juror = Constant(*networks, lr_input_size=8, fill="zero")
        juror.says = says
        jurors.append(juror)
    fold = torch.tensor([2, 0, 1, 1, 0, 2] + [0] * 18)
    batch = first_batch(lab)
    jury = Jury(jurors, fold)
    answers = jury.probabilities(batch, training_masks(6), jury.coarse(batch))
    assert answers.argmax(1).tolist() == fold[batch.chosen].tolist()


def test_batch_norm_is_taken_again_under_the_greedy_policy(lab, stages):
    """Means of the first layer, by hand over the same tiles: all of them fit one batch."""
    trained = stages["ft1"]
    hr, lr, _ = batch_of(lab.images, lab.learnt, CPU)
    with torch.no_grad():
        greedy = utilities(trained.policy(lr)) >= 0.5
        seen = trained.classifier.hr.stem[0](compose(hr, lr, greedy, "zero"))
    norm = trained.classifier.hr.stem[1]
    assert torch.allclose(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    assert norm.momentum == pytest.approx(0.1)


def test_the_greedy_reward_is_that_of_the_validation_images_however_few_at_once(
    tmp_path, networks, monkeypatch
):
    """A judge whose statistics flatten every tile gives all of them one label."""
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 3 * 16 * 16)
    lab, policy = tiny_lab(tmp_path), WantsPatch5(20.0)
    streams = flattened(two_stream(lab, *networks))
    hr, lr, labels = batch_of(lab.images, torch.arange(24), CPU)
    greedy = policy(lr) > 0
    (label,) = streams.hr_logits(hr, lr, greedy).argmax(1).unique()
    right, wrong = (replace(lab, validation=(labels == label).eq(r).nonzero()[:, 0]) for r in (True, False))
    earned = 1 - float(greedy.float().mean()) ** 2
    assert greedy_reward(right, policy, streams, 0.5, hr_only=True) == pytest.approx(earned)
    assert greedy_reward(wrong, policy, streams, 0.5, hr_only=True) == -0.5


def test_rewards_in_ft_come_from_the_classifier_as_it_is_served(tmp_path, networks):
    """Statistics that flatten every tile give one label in service; those of a batch would not."""
    lab, policy = tiny_lab(tmp_path, augmentation="none"), WantsPatch5(20.0)
    streams = flattened(two_stream(lab, *networks))
    hr, lr, labels = batch_of(lab.images, lab.learnt, CPU)
    (served_label,) = streams.hr_logits(hr, lr, policy(lr) > 0).argmax(1).unique()
    others = replace(lab, learnt=lab.learnt[labels != served_label])
    frozen = replace(lab.recipe.stage("ft1"), epochs=1, batch=18, learning_rate=0.0, sigma=0.5)
    train_jointly(others, "ft", policy, streams, frozen, one_stream=True)
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert logged["reward_greedy"] == -0.5


@pytest.mark.parametrize(("one_stream", "alike"), [(True, True), (False, False)])
def test_the_lr_stream_has_a_say_in_ft2_only(tmp_path, networks, one_stream, alike):
    hr, lr = networks
    other = copy.deepcopy(lr)
    with torch.no_grad():
        other.head.bias += torch.tensor([9.0, 0.0, -9.0])
    ends = []
    for number, stream in enumerate((lr, other)):
        lab = tiny_lab(tmp_path / str(number))
        policy, streams = new_policy(lab, "ft"), two_stream(lab, hr, stream)
        train_jointly(lab, "ft", policy, streams, lab.recipe.stage("ft1"), one_stream=one_stream)
        ends.append((policy, streams.hr))
    assert [same(first, second) for first, second in zip(*ends, strict=True)] == [alike, alike]


def test_ft1_leaves_the_lr_stream_out_and_ft2_takes_it_in(lab, networks, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        patchdrop_module,
        "train_jointly",
        lambda _lab, stage, *_rest, one_stream: asked.update({stage: one_stream}),
    )
    monkeypatch.setattr(patchdrop_module, "train_policy", lambda *_arguments, **_options: None)
    assert list(dict(train_patchdrop(lab, two_stream(lab, *networks)))) == ["pt", "ft1", "ft2"]
    assert asked == {"ft1": True, "ft2": False}


@pytest.mark.parametrize(("bought", "size"), [(1, 3), (0, 2)])
def test_baselines_buy_what_the_policy_buys_rounded_up(lab, stages, monkeypatch, bought, size):
    logits = torch.full((6, 16), -1.0)
    logits[:, :2] = 1.0
    logits[:bought, 2] = 1.0  # one tile of six buys a third patch: 2.17 on average
    monkeypatch.setattr("training.paper.measure_rows.policy_logits", lambda *_arguments: logits)
    assert baseline_size(lab, stages["pt"].policy) == size
