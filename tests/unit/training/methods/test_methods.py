"""The saliency sampler, the oracle, BagNet and hard positives, by hand where a hand suffices."""

import itertools
from dataclasses import replace

import pytest
import torch

from models.backbones import build_backbone
from models.grid import patch_slices
from models.policy import PolicyConfig, PolicyNetwork
from tests.support.lab import tiny_images, tiny_lab
from training.methods import hard_positives
from training.methods.bagnet import BagNet, cut, milliseconds_per_image, train_bagnet
from training.methods.hard_positives import (
    cut_out,
    hard_positive_masks,
    train_with_cutout,
    train_with_hard_positives,
)
from training.methods.patchdrop import train_patchdrop
from training.methods.saliency import SIDE, SaliencySampler, train_saliency
from training.paper.oracle import oracle_masks
from training.run.lab import new_network

CPU = torch.device("cpu")


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return build_backbone("resnet8", 3).eval().requires_grad_(False)


def test_even_saliency_samples_each_place_where_it_is(classifier):
    sampler = SaliencySampler(classifier)
    grid = sampler.grid(torch.full((1, SIDE, SIDE), 1 / SIDE**2))
    line = torch.linspace(-1, 1, SIDE)
    assert torch.allclose(grid[0, :, :, 0], line.expand(SIDE, SIDE), atol=1e-5)
    assert torch.allclose(grid[0, :, :, 1], line.unsqueeze(1).expand(SIDE, SIDE), atol=1e-5)


def test_saliency_draws_samples_towards_it(classifier):
    sampler = SaliencySampler(classifier)
    peak = torch.full((1, SIDE, SIDE), 1e-4)
    peak[0, 5, 25] = 1.0
    grid = sampler.grid(peak)
    corner = torch.tensor([2 * 25 / 30 - 1, 2 * 5 / 30 - 1])
    even = sampler.grid(torch.ones(1, SIDE, SIDE))
    assert (grid[0, 10, 20] - corner).norm() < 0.5 * (even[0, 10, 20] - corner).norm()


def test_patch_saliency_is_column_major_and_symmetric(classifier, monkeypatch):
    sampler = SaliencySampler(classifier)
    shown = torch.zeros(1, SIDE, SIDE)
    shown[0, 2, 28] = 1.0  # top right: row 0, column 3, patch 12
    monkeypatch.setattr(sampler, "saliency", lambda _lr: shown)
    assert sampler.patch_saliency(torch.zeros(1)).argmax().item() == 12
    noise = torch.rand(1, SIDE, SIDE)
    monkeypatch.setattr(sampler, "saliency", lambda _lr: noise)
    values = sampler.patch_saliency(torch.zeros(1)).view(4, 4)
    monkeypatch.setattr(sampler, "saliency", lambda _lr: noise.flip(2))
    assert torch.allclose(sampler.patch_saliency(torch.zeros(1)).view(4, 4), values.flip(0))


def test_stn_trains_looks_and_task_and_leaves_the_given_classifier(tmp_path, classifier):
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    sampler = train_saliency(tiny_lab(tmp_path), classifier)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not torch.equal(sampler.classifier.head.weight, classifier.head.weight)
    assert torch.allclose(sampler.saliency(torch.randn(2, 3, 4, 4)).sum((1, 2)), torch.ones(2))


def test_oracle_finds_the_patches_that_matter():
    worth = torch.zeros(16)
    worth[[7, 2, 11]] = torch.tensor([0.3, 0.2, 0.1])

    def predictor(_hr, _lr, selected):
        p = 0.2 + selected.float() @ worth
        return torch.stack((p, 1 - p), 1)

    images = tiny_images(4, 2)
    masks = oracle_masks(predictor, images, torch.tensor([0, 2]), (1, 2, 3), CPU)  # both of class 0
    assert [mask[0].nonzero()[:, 0].tolist() for mask in masks.values()] == [[7], [2, 7], [2, 7, 11]]
    best = max(itertools.combinations(range(16), 3), key=lambda chosen: float(worth[list(chosen)].sum()))
    assert sorted(best) == masks[3][1].nonzero()[:, 0].tolist()


def test_the_oracle_knows_the_label():
    def predictor(_hr, _lr, selected):  # patch 0 speaks for class 0, patch 1 against it
        p = 0.5 + 0.1 * selected[:, 0].float() - 0.1 * selected[:, 1].float()
        return torch.stack((p, 1 - p), 1)

    masks = oracle_masks(predictor, tiny_images(2, 2), torch.tensor([0, 1]), (1,), CPU)[1]
    assert masks.nonzero().tolist() == [[0, 0], [1, 1]]


def test_the_oracle_buys_as_many_as_asked_even_where_each_does_harm():
    def predictor(_hr, _lr, selected):
        p = 0.9 - 0.05 * selected.float().sum(1)
        return torch.stack((p, 1 - p), 1)

    masks = oracle_masks(predictor, tiny_images(4, 2), torch.tensor([0, 2]), (1, 2, 5), CPU)
    assert {size: mask.sum(1).tolist() for size, mask in masks.items()} == {n: [n, n] for n in (1, 2, 5)}


def test_cut_follows_the_grid():
    hr = torch.randn(2, 3, 16, 16)
    patches = cut(hr)
    for index in range(16):
        rows, columns = patch_slices(index, 16)
        assert torch.equal(patches[:, index], hr[:, :, rows, columns])


def test_bagnet_computes_only_what_is_bought_and_adds_it_up(classifier):
    network = BagNet(classifier, 3).eval()
    hr, lr = torch.randn(2, 3, 16, 16), torch.zeros(2, 3, 4, 4)
    rows = []
    classifier.register_forward_pre_hook(lambda _module, inputs: rows.append(len(inputs[0])))
    selected = torch.zeros(2, 16).bool()
    selected[0, [3, 9]] = True
    selected[1, 4] = True
    logits = network.hr_logits(hr, lr, selected)
    assert rows == [3]
    by_hand = (classifier(cut(hr)[:1, 3]) + classifier(cut(hr)[:1, 9])) / 16
    assert torch.allclose(logits[0], by_hand[0], atol=1e-6)
    rows.clear()
    nothing = network(hr, lr, torch.zeros(2, 16).bool())
    assert rows == []
    assert torch.allclose(nothing, torch.full((2, 3), 1 / 3))


def test_bagnet_does_not_care_where_its_patches_lie(classifier):
    network = BagNet(classifier, 3).eval()
    hr, every = torch.randn(1, 3, 16, 16), torch.ones(1, 16).bool()
    moved = hr.roll((4, 8), (2, 3))
    assert torch.allclose(network(hr, hr, every), network(moved, hr, every), atol=1e-6)


def test_bagnet_and_patchdrop_on_it_train(tmp_path):
    lab = tiny_lab(tmp_path)
    bagnet = train_bagnet(lab)
    stages = dict(train_patchdrop(lab, bagnet, ("pt", "ft1"), "bagnet_"))
    assert not torch.equal(stages["ft1"].classifier.hr.head.weight, bagnet.hr.head.weight)
    assert torch.equal(stages["pt"].classifier.hr.head.weight, bagnet.hr.head.weight)
    assert (tmp_path / "bagnet_ft1.safetensors").exists()
    images = tiny_images()
    assert milliseconds_per_image(bagnet, images, torch.ones(4, 16).bool(), CPU) > 0


def test_hard_positives_drop_the_most_wanted():
    logits = torch.arange(16.0).repeat(2, 1)
    kept = hard_positive_masks(logits, torch.tensor([1, 4]))
    assert kept.logical_not().nonzero().tolist() == [[0, 15], [1, 12], [1, 13], [1, 14], [1, 15]]


def test_hard_positives_hide_one_to_four_patches_of_half_of_a_batch(tmp_path, monkeypatch):
    lab, hidden = tiny_lab(tmp_path, augmentation="none"), []
    lab = replace(lab, recipe=replace(lab.recipe, hr=replace(lab.recipe.hr, epochs=20, batch=18)))
    network = new_network(lab, "hr", "resnet8", 3)
    network.register_forward_pre_hook(lambda _module, inputs: hidden.append((inputs[0] == 0).all(1)))
    monkeypatch.setattr(hard_positives, "new_network", lambda *_arguments, **_options: network)
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8, head="independent")).eval()
    train_with_hard_positives(lab, policy)
    patches = torch.stack(hidden).float().mean((2, 3)) * 16  # (20, 18)
    assert set(patches[:, :9].round().unique().tolist()) == {1, 2, 3, 4}
    assert patches[:, 9:].max() < 0.5


def test_cutout_zeroes_one_square_clipped_at_the_border():
    torch.manual_seed(0)
    images = torch.ones(200, 3, 8, 8)
    hidden = cut_out(images, 0.5)[:, 0] == 0
    sizes = set()
    for mask in hidden:
        rows, columns = mask.any(1).sum().item(), mask.any(0).sum().item()
        assert mask.sum() == rows * columns
        sizes.add((rows, columns))
    assert max(sizes) == (4, 4)
    assert min(rows for rows, _ in sizes) == 2


@pytest.mark.parametrize(("rate", "moved"), [(0.0, False), (1e-3, True)])
def test_both_augmentations_start_as_hr_cnn_and_train(tmp_path, rate, moved):
    lab = tiny_lab(tmp_path)
    lab = replace(lab, recipe=replace(lab.recipe, hr=replace(lab.recipe.hr, learning_rate=rate)))
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8, head="independent")).eval()
    start = new_network(lab, "hr", "resnet8", 3).head.weight
    networks = [train_with_cutout(lab), train_with_hard_positives(lab, policy)]
    for network in networks:
        assert torch.equal(network.head.weight, start) != moved
        assert not network.training
    assert torch.equal(*(network.head.weight for network in networks)) != moved
