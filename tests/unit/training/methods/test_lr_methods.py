"""KD, PCN and SRGAN: each trains for two epochs, and does what makes it different."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from models.backbones import build_backbone
from tests.support.training import TinyRun, head, tiny_run
from training.methods.classifiers import (
    coarse_view,
    softened_divergence,
    train_classifier,
    train_distillation,
)
from training.methods.coupling import couple, decouple, train_coupling
from training.methods.super_resolution import (
    Discriminator,
    SuperResolver,
    features,
    super_resolved_predictor,
    train_super_resolution,
    train_super_resolved,
    weights_held,
)
from training.run.batches import batch_of
from training.run.machine import inference_precision
from training.run.recipe import Stage
from training.run.seeds import seed_start


@pytest.fixture
def teacher() -> nn.Module:
    torch.manual_seed(0)
    return build_backbone("resnet8", 3).eval().requires_grad_(False)


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(before: dict[str, Tensor], network: nn.Module) -> bool:
    return all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def coupled(tiny: TinyRun) -> nn.Module:
    return train_coupling(tiny.run, tiny.data, "resnet8", 8, tiny.recipe.stage("pcn"), pretrained=False)


def super_resolver(tiny: TinyRun, teacher: nn.Module) -> SuperResolver:
    return train_super_resolution(tiny.run, tiny.data, teacher, tiny.recipe.stage("srgan"), 4, 16)


def test_kd_trains_a_student_and_leaves_the_teacher(tmp_path: Path, teacher: nn.Module) -> None:
    tiny, before = tiny_run(tmp_path), state(teacher)
    student = train_distillation(tiny.run, tiny.data, tiny.recipe, teacher)
    assert student(torch.zeros(2, 3, 8, 8)).shape == (2, 3)
    assert same(before, teacher)
    assert not same(before, student)


def with_other_hr(tiny: TinyRun) -> TinyRun:
    """Return the same labels and LR tiles with other HR pixels."""
    images: Any = tiny.splits.images
    return tiny.with_splits(images=replace(images, hr=255 - images.hr))


def test_kd_and_pcn_learn_from_hr_pixels(tmp_path: Path, teacher: nn.Module) -> None:
    """LR-CNN's training would be the same whatever HR shows."""
    students, branches = [], []
    for number in range(2):
        tiny = tiny_run(tmp_path / str(number), lr_start="scratch")
        tiny = with_other_hr(tiny) if number else tiny
        students.append(head(train_distillation(tiny.run, tiny.data, tiny.recipe, teacher)))
        branches.append(head(coupled(tiny)))
    assert not torch.equal(*students)
    assert not torch.equal(*branches)


def test_softened_divergence_by_hand() -> None:
    student, taught = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At T = 2 the teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert softened_divergence(student, taught, 2.0).item() == pytest.approx(4 * kl)
    assert softened_divergence(taught, taught, 2.0).item() == pytest.approx(0.0, abs=1e-7)


def test_train_classifier_gives_a_teacher_half_of_the_loss(tmp_path: Path) -> None:
    tiny = tiny_run(tmp_path, augmentation="none")
    torch.manual_seed(0)
    student = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    sharp = nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).requires_grad_(False)
    hr, lr, labels = batch_of(tiny.splits.images, tiny.splits.learnt, tiny.run.device)
    with torch.no_grad(), inference_precision(tiny.run.device):
        taught = sharp(hr).float()
    logits = student(lr).detach()
    expected = (F.cross_entropy(logits, labels) + softened_divergence(logits, taught, 4.0)) / 2
    once = Stage(epochs=1, learning_rate=0.0, batch=18, label_smoothing=0.0)
    train_classifier(tiny.run, "taught", student, coarse_view(4), tiny.data, once, teacher=sharp)
    assert logged(tmp_path)[0]["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_pcn_returns_a_plain_lr_network(tmp_path: Path) -> None:
    network = coupled(tiny_run(tmp_path))
    assert network.state_dict().keys() == build_backbone("resnet8", 3).state_dict().keys()
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_couple_shares_the_first_filters_only() -> None:
    torch.manual_seed(0)
    networks = build_backbone("resnet8", 3), build_backbone("resnet8", 3)
    sharp, coarse = networks
    couple(sharp, coarse, 0.75)
    first: Any = sharp.get_submodule("stem.0")
    second: Any = coarse.get_submodule("stem.0")
    assert torch.equal(second.weight[:12], first.weight[:12])
    assert not torch.equal(second.weight[12:], first.weight[12:])
    before = second.weight.detach().clone()
    coarse(torch.randn(4, 3, 8, 8)).square().sum().backward()
    own = second.parametrizations.weight.original.grad
    assert own[:12].abs().max() == 0 < own[12:].abs().max()
    assert first.weight.grad[12:].abs().max() == 0 < first.weight.grad[:12].abs().max()
    with torch.no_grad():
        first.weight += 1
    assert torch.equal(second.weight[:12], before[:12] + 1)
    assert torch.equal(second.weight[12:], before[12:])
    answer = coarse.eval()(torch.ones(1, 3, 8, 8))
    decouple(coarse)
    assert torch.equal(coarse(torch.ones(1, 3, 8, 8)), answer)
    assert not list(set(coarse.parameters()) & set(sharp.parameters()))


def test_srgan_trains_both_sides_and_leaves_the_classifier(tmp_path: Path, teacher: nn.Module) -> None:
    before = state(teacher)
    tiny = tiny_run(tmp_path)
    generator = super_resolver(tiny, teacher)
    assert same(before, teacher)
    assert not teacher.training
    assert "discriminator_loss" in logged(tmp_path)[-1]
    predictor = super_resolved_predictor(generator, teacher)
    answers = predictor(torch.full((2, 3, 16, 16), torch.nan), torch.zeros(2, 3, 4, 4), torch.zeros(2, 16))
    assert answers.sum(1).tolist() == pytest.approx([1, 1])
    seed_start(tiny.run.seed, "srgan")
    SuperResolver(4, 16)  # drawn before the discriminator, as in training
    start, end = Discriminator(), load_file(tmp_path / "srgan.safetensors")
    first = "layers.0.weight"
    assert not torch.equal(end[f"discriminator/{first}"], start.get_parameter(first))


def test_srgan_losses_by_hand(tmp_path: Path, teacher: nn.Module) -> None:
    """At rate 0 nothing moves: the generator is the upsampling, and the discriminator as it starts."""
    tiny = tiny_run(tmp_path, augmentation="none")
    still = replace(tiny.recipe.stage("srgan"), epochs=3, batch=18, learning_rate=0.0)
    super_resolver(tiny.with_recipe(srgan=still), teacher)
    lines = logged(tmp_path)
    hr, lr, _ = batch_of(tiny.splits.images, tiny.splits.learnt, tiny.run.device)
    seed_start(tiny.run.seed, "srgan")
    made, discriminator = SuperResolver(4, 16)(lr), Discriminator()
    with torch.no_grad():
        content = F.mse_loss(made, hr)
        perceptual = F.mse_loss(features(teacher, made), features(teacher, hr))
        real, false = discriminator(hr), discriminator(made)
        led = content + 6e-3 * perceptual + 1e-3 * F.softplus(-false).mean()
        assert 6e-3 * perceptual > 1e-4 * led
        telling = F.softplus(-real).mean() + F.softplus(false).mean()
    assert [line["loss"] for line in lines] == pytest.approx(
        [float(loss) for loss in (content, led, led)], rel=1e-5
    )
    assert lines[-1]["content_loss"] == pytest.approx(float(content), rel=1e-5)
    assert lines[-1]["discriminator_loss"] == pytest.approx(float(telling), rel=1e-5)


def test_super_resolved_predictor_classifies_the_generated_tile(teacher: nn.Module) -> None:
    torch.manual_seed(0)
    generator, lr = SuperResolver(4, 16), torch.randn(2, 3, 4, 4)
    nn.init.normal_(generator.to_pixels.weight)
    answers = super_resolved_predictor(generator, teacher)(torch.zeros(2, 3, 16, 16), lr, torch.zeros(2, 16))
    assert torch.allclose(answers, teacher(generator(lr)).softmax(1))
    assert not torch.allclose(answers, teacher(F.interpolate(lr, (16, 16), mode="bilinear")).softmax(1))


def test_train_super_resolved_trains_a_copy_and_leaves_the_generator(
    tmp_path: Path, teacher: nn.Module
) -> None:
    before = state(teacher)
    tiny = tiny_run(tmp_path)
    torch.manual_seed(0)
    generator = SuperResolver(4, 16, channels=4, blocks=1).eval().requires_grad_(False)
    made = state(generator)
    classifier = train_super_resolved(tiny.run, tiny.data, generator, teacher, tiny.recipe.lr)
    assert same(before, teacher)
    assert same(made, generator)
    assert not same(before, classifier)
    assert not classifier.training
    assert {line["stage"] for line in logged(tmp_path)} == {"srgan_cnn"}


@pytest.mark.parametrize(("lr_size", "hr_size"), [(4, 16), (8, 32), (8, 224), (28, 112), (5, 16), (16, 16)])
def test_super_resolver_reaches_any_size_and_starts_as_the_upsampling(lr_size: int, hr_size: int) -> None:
    lr = torch.randn(1, 3, lr_size, lr_size)
    made = SuperResolver(lr_size, hr_size, channels=4, blocks=1)(lr)
    assert torch.equal(made, F.interpolate(lr, (hr_size, hr_size), mode="bilinear"))


def test_weights_held_separates_the_losses_of_generator_and_discriminator() -> None:
    torch.manual_seed(0)
    generator, discriminator = SuperResolver(4, 8, 4, 1), Discriminator(4)
    nn.init.normal_(generator.to_pixels.weight)
    made = generator(torch.randn(2, 3, 4, 4))
    with weights_held(discriminator):
        discriminator(made).sum().backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert generator.to_pixels.weight.grad is not None
    assert generator.to_pixels.weight.grad.abs().max() > 0
    generator.zero_grad()
    discriminator(made.detach()).sum().backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert discriminator.head.weight.grad is not None
    assert discriminator.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize("backbone", ["resnet8", "resnet10", "resnet18_half", "efficientnet_lite0"])
def test_features_are_the_input_of_the_last_layer(backbone: str) -> None:
    network = build_backbone(backbone, 3).eval()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(last(features(network, images)), network(images), atol=1e-5)
