"""KD, PCN and SRGAN: each trains for two epochs, and what makes each what it is."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from models.backbones import build_backbone
from tests.support.lab import tiny_lab
from training.methods.coupling import couple, decouple, train_coupling
from training.methods.distillation import train_distillation
from training.methods.super_resolution import (
    Discriminator,
    SuperResolver,
    features,
    super_resolved_predictor,
    train_super_resolution,
    train_super_resolved,
    weights_held,
)
from training.methods.train_classifier import coarse_view, softened_divergence, train_classifier
from training.run.batches import batch_of
from training.run.lab import seed_start
from training.run.precision import inference_precision
from training.run.recipe import Stage


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return build_backbone("resnet8", 3).eval().requires_grad_(False)


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(before, network):
    return all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_kd_trains_a_student_and_leaves_the_teacher(tmp_path, teacher):
    before = state(teacher)
    student = train_distillation(tiny_lab(tmp_path), teacher)
    assert student(torch.zeros(2, 3, 8, 8)).shape == (2, 3)
    assert same(before, teacher)
    assert not same(before, student)


def with_other_hr(lab):
    """The same labels and LR tiles; what is sharp looks otherwise."""
    return replace(lab, images=replace(lab.images, hr=255 - lab.images.hr))


def test_kd_learns_from_what_the_teacher_sees_and_pcn_from_what_the_hr_network_does(tmp_path, teacher):
    """LR-CNN's training would be the same whatever HR shows."""
    heads = {"kd": [], "pcn": []}
    for number in range(2):
        lab = tiny_lab(tmp_path / str(number), lr_start="scratch")
        lab = with_other_hr(lab) if number else lab
        heads["kd"].append(train_distillation(lab, teacher).head.weight)
        heads["pcn"].append(train_coupling(lab).head.weight)
    assert not torch.equal(*heads["kd"])
    assert not torch.equal(*heads["pcn"])


def test_softened_divergence_by_hand():
    student, taught = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At T = 2 the teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert softened_divergence(student, taught, 2.0).item() == pytest.approx(4 * kl)
    assert softened_divergence(taught, taught, 2.0).item() == pytest.approx(0.0, abs=1e-7)


def test_a_teacher_of_the_whole_tile_has_half_of_the_word(tmp_path):
    lab = tiny_lab(tmp_path, augmentation="none")
    torch.manual_seed(0)
    student = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    sharp = nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).requires_grad_(False)
    hr, lr, labels = batch_of(lab.images, lab.learnt, lab.run.device)
    with torch.no_grad(), inference_precision(lab.run.device):
        taught = sharp(hr).float()
    logits = student(lr).detach()
    expected = (F.cross_entropy(logits, labels) + softened_divergence(logits, taught, 4.0)) / 2
    once = Stage(epochs=1, learning_rate=0.0, batch=18, label_smoothing=0.0)
    train_classifier(lab, "taught", student, coarse_view(4), lab.learnt, once, teacher=sharp)
    logged = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert logged["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_pcn_returns_a_plain_lr_network(tmp_path):
    network = train_coupling(tiny_lab(tmp_path))
    assert network.state_dict().keys() == build_backbone("resnet8", 3).state_dict().keys()
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_coupled_filters_are_one_and_the_others_are_not():
    torch.manual_seed(0)
    sharp, coarse = build_backbone("resnet8", 3), build_backbone("resnet8", 3)
    couple(sharp, coarse, 0.75)
    first, second = sharp.stem[0], coarse.stem[0]
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


def test_srgan_trains_both_sides_and_leaves_the_classifier(tmp_path, teacher):
    before = state(teacher)
    lab = tiny_lab(tmp_path)
    generator = train_super_resolution(lab, teacher)
    assert same(before, teacher)
    assert not teacher.training
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert "discriminator_loss" in lines[-1]
    predictor = super_resolved_predictor(generator, teacher)
    answers = predictor(torch.full((2, 3, 16, 16), torch.nan), torch.zeros(2, 3, 4, 4), torch.zeros(2, 16))
    assert answers.sum(1).tolist() == pytest.approx([1, 1])


def test_srgans_losses_by_hand(tmp_path, teacher):
    """At rate 0 nothing moves: the generator is the upsampling, and the discriminator as it starts."""
    lab = tiny_lab(tmp_path, augmentation="none")
    still = replace(lab.recipe.stage("srgan"), epochs=3, batch=18, learning_rate=0.0)
    train_super_resolution(replace(lab, recipe=replace(lab.recipe, srgan=still)), teacher)
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    hr, lr, _ = batch_of(lab.images, lab.learnt, lab.run.device)
    seed_start(lab, "srgan")
    made, discriminator = SuperResolver(4, 16)(lr), Discriminator()
    with torch.no_grad():
        content = F.mse_loss(made, hr)
        perceptual = F.mse_loss(features(teacher, made), features(teacher, hr))
        real, false = discriminator(hr), discriminator(made)
        led = content + 6e-3 * perceptual + 1e-3 * F.softplus(-false).mean()
        assert 6e-3 * perceptual > 1e-4 * led
        telling = F.softplus(-real).mean() + F.softplus(false).mean()
    assert [line["loss"] for line in logged] == pytest.approx(
        [float(loss) for loss in (content, led, led)], rel=1e-5
    )
    assert logged[-1]["content_loss"] == pytest.approx(float(content), rel=1e-5)
    assert logged[-1]["discriminator_loss"] == pytest.approx(float(telling), rel=1e-5)


def test_srgans_discriminator_learns(tmp_path, teacher):
    lab = tiny_lab(tmp_path)
    train_super_resolution(lab, teacher)
    seed_start(lab, "srgan")
    SuperResolver(4, 16)
    before, after = Discriminator(), load_file(tmp_path / "srgan.safetensors")
    assert not torch.equal(after["discriminator/layers.0.weight"], before.layers[0].weight)


def test_the_classifier_reads_what_the_generator_makes(teacher):
    torch.manual_seed(0)
    generator, lr = SuperResolver(4, 16), torch.randn(2, 3, 4, 4)
    nn.init.normal_(generator.to_pixels.weight)
    answers = super_resolved_predictor(generator, teacher)(torch.zeros(2, 3, 16, 16), lr, torch.zeros(2, 16))
    assert torch.allclose(answers, teacher(generator(lr)).softmax(1))
    assert not torch.allclose(answers, teacher(F.interpolate(lr, (16, 16), mode="bilinear")).softmax(1))


def test_the_classifier_of_super_resolved_tiles_learns_from_them_and_from_a_copy(tmp_path, teacher):
    before = state(teacher)
    lab = tiny_lab(tmp_path)
    generator = train_super_resolution(lab, teacher)
    made = state(generator)
    classifier = train_super_resolved(lab, generator, teacher)
    assert same(before, teacher)
    assert same(made, generator)
    assert not same(before, classifier)
    assert not classifier.training
    assert any('"srgan_cnn"' in line for line in (tmp_path / "metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize(("lr_size", "hr_size"), [(4, 16), (8, 32), (8, 224), (28, 112), (5, 16), (16, 16)])
def test_the_generator_reaches_any_size_and_starts_as_the_upsampling(lr_size, hr_size):
    lr = torch.randn(1, 3, lr_size, lr_size)
    made = SuperResolver(lr_size, hr_size, channels=4, blocks=1)(lr)
    assert torch.equal(made, F.interpolate(lr, (hr_size, hr_size), mode="bilinear"))


def test_the_generators_loss_leaves_the_discriminator_alone_and_the_other_way_round():
    torch.manual_seed(0)
    generator, discriminator = SuperResolver(4, 8, 4, 1), Discriminator(4)
    nn.init.normal_(generator.to_pixels.weight)
    made = generator(torch.randn(2, 3, 4, 4))
    with weights_held(discriminator):
        discriminator(made).sum().backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert generator.to_pixels.weight.grad.abs().max() > 0
    generator.zero_grad()
    discriminator(made.detach()).sum().backward()
    assert generator.to_pixels.weight.grad is None
    assert discriminator.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize("backbone", ["resnet8", "resnet10", "resnet18_half", "efficientnet_lite0"])
def test_features_are_what_the_last_layer_reads(backbone):
    network = build_backbone(backbone, 3).eval()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(last(features(network, images)), network(images), atol=1e-5)
