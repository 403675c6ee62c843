"""The paper's three stages on tiny images: what each moves, what it leaves, and what holds at the ends."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.policy import utilities
from models.preprocess import compose, upsample
from models.two_stream import TwoStreamClassifier
from tests.support.training import CPU, TinyRun, WantsPatch5, tiny_run
from training.methods import patchdrop as patchdrop_module
from training.methods.classifiers import train_hr_cnn, train_lr_cnn
from training.methods.fine_tune import classifier_loss, half_served, train_jointly
from training.methods.masks import training_masks
from training.methods.out_of_fold import Ensemble, in_sample_ensemble
from training.methods.patchdrop import Trained, new_policy, served, train_patchdrop, two_stream
from training.methods.reinforce import greedy_reward, policy_step, temper
from training.run import evaluate
from training.run.batches import Batch, batch_of
from training.run.evaluate import policy_logits, predict
from training.run.recipe import Stage

HrAndLr = tuple[nn.Module, nn.Module]
STAGE = Stage(epochs=1, learning_rate=1e-3, sigma=0.5, alpha_start=0.8, alpha_end=0.8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    return tiny_run(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def networks(tiny: TinyRun) -> HrAndLr:
    hr = train_hr_cnn(tiny.run, tiny.data, tiny.recipe)
    return hr, train_lr_cnn(tiny.run, tiny.data, tiny.recipe, hr)


@pytest.fixture(scope="module")
def stages(tiny: TinyRun, networks: HrAndLr) -> dict[str, Trained]:
    return dict(train_patchdrop(*tiny.parts, two_stream(*networks, 8)))


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def streams_of(trained: Trained) -> TwoStreamClassifier:
    assert isinstance(trained.classifier, TwoStreamClassifier)
    return trained.classifier


def first_batch(tiny: TinyRun, count: int = 6) -> Batch:
    chosen = tiny.splits.learnt[:count]
    hr, lr, labels = batch_of(tiny.splits.images, chosen, CPU)
    return Batch(hr=hr, lr=lr, labels=labels, chosen=chosen, progress=0.0, symmetry=0)


def flattened(streams: TwoStreamClassifier) -> TwoStreamClassifier:
    """Make the HR stream's statistics so wide that every tile looks alike."""
    for name, buffer in streams.hr.named_buffers():
        if name.endswith("running_var"):
            buffer.mul_(1e8)
    return streams


def test_pt_trains_the_policy_alone(tiny: TinyRun, networks: HrAndLr, stages: dict[str, Trained]) -> None:
    hr, lr = networks
    assert not same(new_policy(tiny.run, "pt", "resnet8", 8), stages["pt"].policy)
    assert same(hr, streams_of(stages["pt"]).hr)
    assert same(lr, streams_of(stages["pt"]).lr)


def test_ft_trains_policy_and_hr_stream_and_leaves_the_lr_stream(
    networks: HrAndLr, stages: dict[str, Trained]
) -> None:
    for before, after in (("pt", "ft1"), ("ft1", "ft2")):
        assert not same(stages[before].policy, stages[after].policy)
        assert not same(stages[before].classifier.hr, stages[after].classifier.hr)
        assert same(networks[1], streams_of(stages[after]).lr)


@pytest.mark.parametrize("stage", ["pt", "ft1", "ft2"])
def test_mixture_is_the_lr_model_with_nothing_bought_and_the_hr_model_with_everything(
    tiny: TinyRun, stages: dict[str, Trained], stage: str
) -> None:
    classifier, test = streams_of(stages[stage]), tiny.splits.test
    everything = torch.arange(len(test.labels))
    hr, lr, _ = batch_of(test, everything, CPU)
    for selected, network, tile in (
        (torch.zeros(len(everything), 16).bool(), classifier.lr, upsample(lr, 8)),
        (torch.ones(len(everything), 16).bool(), classifier.hr, hr),
    ):
        mixed = predict(served("ft2", classifier), test, everything, selected, CPU)
        with torch.no_grad():
            alone = torch.softmax(network(tile), 1)
        assert torch.allclose(mixed, alone, atol=1e-6)


@pytest.mark.parametrize(("stage", "streams"), [("pt", "hr"), ("ft1", "hr"), ("ft2", "both")])
def test_served_answers_by_the_hr_stream_alone_in_pt_and_ft1(
    tiny: TinyRun, stages: dict[str, Trained], stage: str, streams: str
) -> None:
    classifier, test = streams_of(stages[stage]), tiny.splits.test
    everything = torch.arange(len(test.labels))
    bought = torch.arange(16).expand(len(everything), 16) < 8
    hr, lr, _ = batch_of(test, everything, CPU)
    with torch.no_grad():
        expected = torch.softmax(classifier.hr_logits(hr, lr, bought), 1)
        if streams == "both":
            expected = (expected + torch.softmax(classifier.lr_logits(lr), 1)) / 2
    answers = predict(served(stage, classifier), test, everything, bought, CPU)
    assert torch.allclose(answers, expected, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.51, 0.7, 0.95, 1.0])
def test_temper_keeps_the_greedy_choice_of_a_trained_policy(
    tiny: TinyRun, stages: dict[str, Trained], alpha: float
) -> None:
    s = utilities(policy_logits(stages["ft2"].policy, tiny.splits.test, torch.arange(24)))
    assert torch.equal(temper(s, alpha) >= 0.5, s >= 0.5)


def test_policy_step_rewards_each_choice_for_its_own_label(tiny: TinyRun, stages: dict[str, Trained]) -> None:
    batch = first_batch(tiny)
    ensemble = in_sample_ensemble(stages["pt"].classifier, tiny.splits.images)
    torch.manual_seed(0)
    result = policy_step(stages["pt"].policy, ensemble, batch, STAGE, None, expected=False)
    with torch.no_grad():
        for selected, name in ((result.sampled, "sampled"), (result.greedy, "greedy")):
            # The ensemble answers in bf16, which may tip a label: ask it as it is asked there.
            answers = ensemble.probabilities(batch, selected, None)
            right = (answers.argmax(1) == batch.labels).float()
            bought = selected.float().sum(1) / 16
            by_hand = torch.where(right.bool(), 1 - bought**2, torch.full_like(bought, -0.5))
            assert result.metrics[f"reward_{name}"].item() == pytest.approx(by_hand.mean().item())


def test_policy_step_samples_and_weighs_with_the_exploration_of_eq_11(
    tiny: TinyRun, networks: HrAndLr
) -> None:
    ensemble = in_sample_ensemble(two_stream(*networks, 8), tiny.splits.images)
    policy, batch = WantsPatch5(20.0), first_batch(tiny, 18)
    torch.manual_seed(0)
    result = policy_step(policy, ensemble, batch, STAGE, None, expected=False)
    assert result.greedy.sum(1).tolist() == [1] * 18
    differs = (result.sampled != result.greedy).float().mean()
    assert differs.item() == pytest.approx(0.2, abs=0.07)  # a sure policy explores 1 - alpha of its choices
    earned = []
    for selected in (result.sampled, result.greedy):
        answers = ensemble.probabilities(batch, selected, None)
        bought = selected.float().sum(1) / 16
        earned.append(torch.where(answers.argmax(1) == batch.labels, 1 - bought**2, -0.5))
    likelihood = torch.where(result.sampled == result.greedy, 0.8, 0.2).log().sum(1)
    by_hand = -((earned[0] - earned[1]) * likelihood).mean()
    assert result.loss.item() == pytest.approx(by_hand.item(), rel=1e-4)


def largest_gradient(classifier: TwoStreamClassifier) -> float:
    gradients = [parameter.grad for parameter in classifier.hr.parameters() if parameter.grad is not None]
    return max(float(gradient.abs().max()) for gradient in gradients)


def test_classifier_loss_of_ft2_teaches_nothing_where_nothing_is_bought(
    tiny: TinyRun, stages: dict[str, Trained]
) -> None:
    classifier = streams_of(stages["ft1"])
    classifier.hr.requires_grad_(True).zero_grad(set_to_none=True)
    batch = first_batch(tiny)
    nothing = torch.zeros(6, 16).bool()
    torch.autograd.backward(classifier_loss(classifier, batch, nothing, classifier.coarse(batch.lr)))
    assert largest_gradient(classifier) == 0
    torch.autograd.backward(classifier_loss(classifier, batch, ~nothing, classifier.coarse(batch.lr)))
    assert largest_gradient(classifier) > 0
    classifier.hr.requires_grad_(False).zero_grad(set_to_none=True)


def test_classifier_loss_is_of_the_hr_stream_in_ft1_and_of_the_mixture_in_ft2(
    tiny: TinyRun, stages: dict[str, Trained]
) -> None:
    classifier, batch = streams_of(stages["ft1"]), first_batch(tiny)
    selected = training_masks(6)
    coarse, tiles = classifier.coarse(batch.lr), (batch.hr, batch.lr, selected)
    with torch.no_grad():
        sharp, mixed = classifier.hr_logits(*tiles).softmax(1), classifier.mixture(*tiles, coarse)
        by_hand = [-p.gather(1, batch.labels.unsqueeze(1)).log().mean().item() for p in (sharp, mixed)]
        losses = [classifier_loss(classifier, batch, selected, say).item() for say in (None, coarse)]
    assert losses == pytest.approx(by_hand, rel=1e-5)


def test_half_served_alternates_sampled_and_greedy_choices(tiny: TinyRun, stages: dict[str, Trained]) -> None:
    torch.manual_seed(0)
    ensemble = in_sample_ensemble(stages["pt"].classifier, tiny.splits.images)
    result = policy_step(stages["pt"].policy, ensemble, first_batch(tiny), STAGE, None, expected=False)
    mixed = half_served(result)
    assert torch.equal(mixed[::2], result.sampled[::2])
    assert torch.equal(mixed[1::2], result.greedy[1::2])


class Constant(TwoStreamClassifier):
    """A classifier that answers with one class for every tile."""

    says: int

    def mixture(self, hr: Tensor, _lr: Tensor, _selected: Tensor, _coarse: Tensor | None = None) -> Tensor:
        return torch.nn.functional.one_hot(torch.full((len(hr),), self.says), 3).float()


def test_ensemble_answers_by_the_classifier_of_the_images_fold(tiny: TinyRun, networks: HrAndLr) -> None:
    classifiers = []
    for says in range(3):
        classifier = Constant(*networks, lr_input_size=8, fill="zero")
        classifier.says = says
        classifiers.append(classifier)
    fold = torch.tensor([2, 0, 1, 1, 0, 2] + [0] * 18)
    batch = first_batch(tiny)
    ensemble = Ensemble(classifiers, fold)
    answers = ensemble.probabilities(batch, training_masks(6), ensemble.coarse(batch))
    assert answers.argmax(1).tolist() == fold[batch.chosen].tolist()


def test_ft_retakes_batch_norm_under_the_greedy_policy(tiny: TinyRun, stages: dict[str, Trained]) -> None:
    """Means of the first layer, by hand over the same tiles: all of them fit one batch."""
    trained = stages["ft1"]
    hr, lr, _ = batch_of(tiny.splits.images, tiny.splits.learnt, CPU)
    network = trained.classifier.hr
    with torch.no_grad():
        greedy = utilities(trained.policy(lr)) >= 0.5
        seen = network.get_submodule("stem.0")(compose(hr, lr, greedy, "zero"))
    norm = network.get_submodule("stem.1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    assert norm.momentum == pytest.approx(0.1)


def test_greedy_reward_is_of_the_images_asked_for_at_any_batch_size(
    tiny: TinyRun, networks: HrAndLr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier whose statistics flatten every tile gives all of them one label."""
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 3 * 16 * 16)
    images, policy = tiny.splits.images, WantsPatch5(20.0)
    streams = flattened(two_stream(*networks, 8))
    hr, lr, labels = batch_of(images, torch.arange(24), CPU)
    greedy = policy(lr) > 0
    (label,) = set(streams.hr_logits(hr, lr, greedy).argmax(1).tolist())
    right, wrong = ((labels == label).eq(r).nonzero()[:, 0] for r in (True, False))
    earned = 1 - float(greedy.float().mean()) ** 2
    assert greedy_reward(policy, streams, images, right, 0.5, hr_only=True) == pytest.approx(earned)
    assert greedy_reward(policy, streams, images, wrong, 0.5, hr_only=True) == -0.5


def test_ft_takes_rewards_from_the_classifier_as_it_is_served(tmp_path: Path, networks: HrAndLr) -> None:
    """Statistics that flatten every tile give one label in service; those of a batch would not."""
    tiny, policy = tiny_run(tmp_path, augmentation="none"), WantsPatch5(20.0)
    streams = flattened(two_stream(*networks, 8))
    hr, lr, labels = batch_of(tiny.splits.images, tiny.splits.learnt, CPU)
    (served_label,) = set(streams.hr_logits(hr, lr, policy(lr) > 0).argmax(1).tolist())
    others = replace(tiny.splits, learnt=tiny.splits.learnt[labels != served_label])
    frozen = replace(tiny.recipe.stage("ft1"), epochs=1, batch=18, learning_rate=0.0, sigma=0.5)
    train_jointly(tiny.run, "ft", policy, streams, others, frozen, one_stream=True)
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert logged["reward_greedy"] == -0.5


@pytest.mark.parametrize(("one_stream", "alike"), [(True, True), (False, False)])
def test_ft_listens_to_the_lr_stream_with_both_streams_only(
    tmp_path: Path, networks: HrAndLr, one_stream: bool, alike: bool
) -> None:
    hr, lr = networks
    other = copy.deepcopy(lr)
    with torch.no_grad():
        other.get_parameter("head.bias").add_(torch.tensor([9.0, 0.0, -9.0]))
    ends = []
    for number, stream in enumerate((lr, other)):
        tiny = tiny_run(tmp_path / str(number))
        policy, streams = new_policy(tiny.run, "ft", "resnet8", 8), two_stream(hr, stream, 8)
        config = tiny.recipe.stage("ft1")
        train_jointly(tiny.run, "ft", policy, streams, tiny.splits, config, one_stream=one_stream)
        ends.append((policy, streams.hr))
    assert [same(first, second) for first, second in zip(*ends, strict=True)] == [alike, alike]


def test_train_patchdrop_leaves_the_lr_stream_out_in_ft1_and_takes_it_in_in_ft2(
    tiny: TinyRun, networks: HrAndLr, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, bool] = {}

    def note(_run: Any, stage: str, *_rest: Any, one_stream: bool) -> None:
        asked[stage] = one_stream

    monkeypatch.setattr(patchdrop_module, "train_jointly", note)
    monkeypatch.setattr(patchdrop_module, "train_policy", lambda *_arguments, **_options: None)
    assert list(dict(train_patchdrop(*tiny.parts, two_stream(*networks, 8)))) == ["pt", "ft1", "ft2"]
    assert asked == {"ft1": True, "ft2": False}
