"""The saliency sampler, the oracle, BagNet and hard positives, by hand where that is possible."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.backbones import build_backbone
from models.grid import patch_slices
from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import CPU, head, tiny_images, tiny_run
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
from training.run.initial_weights import new_network


@pytest.fixture
def classifier() -> nn.Module:
    torch.manual_seed(0)
    return build_backbone("resnet8", 3).eval().requires_grad_(False)


def test_saliency_grid_of_even_saliency_is_the_identity(classifier: nn.Module) -> None:
    sampler = SaliencySampler(classifier)
    grid = sampler.grid(torch.full((1, SIDE, SIDE), 1 / SIDE**2))
    line = torch.linspace(-1, 1, SIDE)
    assert torch.allclose(grid[0, :, :, 0], line.expand(SIDE, SIDE), atol=1e-5)
    assert torch.allclose(grid[0, :, :, 1], line.unsqueeze(1).expand(SIDE, SIDE), atol=1e-5)


def test_saliency_grid_draws_samples_towards_a_peak(classifier: nn.Module) -> None:
    sampler = SaliencySampler(classifier)
    peak = torch.full((1, SIDE, SIDE), 1e-4)
    peak[0, 5, 25] = 1.0
    grid = sampler.grid(peak)
    corner = torch.tensor([2 * 25 / 30 - 1, 2 * 5 / 30 - 1])
    even = sampler.grid(torch.ones(1, SIDE, SIDE))
    assert (grid[0, 10, 20] - corner).norm() < 0.5 * (even[0, 10, 20] - corner).norm()


def test_patch_saliency_is_column_major_and_symmetric(
    classifier: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_train_saliency_trains_a_copy_of_the_classifier(tmp_path: Path, classifier: nn.Module) -> None:
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    tiny = tiny_run(tmp_path)
    sampler = train_saliency(tiny.run, tiny.data, classifier, tiny.recipe.stage("stn"))
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not torch.equal(head(sampler.classifier), head(classifier))
    assert torch.allclose(sampler.saliency(torch.randn(2, 3, 4, 4)).sum((1, 2)), torch.ones(2))


def test_oracle_finds_the_patches_that_matter() -> None:
    worth = torch.zeros(16)
    worth[[7, 2, 11]] = torch.tensor([0.3, 0.2, 0.1])

    def predictor(_hr: Tensor, _lr: Tensor, selected: Tensor) -> Tensor:
        p = 0.2 + selected.float() @ worth
        return torch.stack((p, 1 - p), 1)

    images = tiny_images(4, 2)
    masks = oracle_masks(predictor, images, torch.tensor([0, 2]), (1, 2, 3), CPU)  # both of class 0
    assert [mask[0].nonzero()[:, 0].tolist() for mask in masks.values()] == [[7], [2, 7], [2, 7, 11]]
    best = max(itertools.combinations(range(16), 3), key=lambda chosen: float(worth[list(chosen)].sum()))
    assert sorted(best) == masks[3][1].nonzero()[:, 0].tolist()


def test_oracle_knows_the_label() -> None:
    def predictor(_hr: Tensor, _lr: Tensor, selected: Tensor) -> Tensor:
        # Patch 0 speaks for class 0, patch 1 against it.
        p = 0.5 + 0.1 * selected[:, 0].float() - 0.1 * selected[:, 1].float()
        return torch.stack((p, 1 - p), 1)

    masks = oracle_masks(predictor, tiny_images(2, 2), torch.tensor([0, 1]), (1,), CPU)[1]
    assert masks.nonzero().tolist() == [[0, 0], [1, 1]]


def test_oracle_buys_as_many_as_asked_even_where_each_does_harm() -> None:
    def predictor(_hr: Tensor, _lr: Tensor, selected: Tensor) -> Tensor:
        p = 0.9 - 0.05 * selected.float().sum(1)
        return torch.stack((p, 1 - p), 1)

    masks = oracle_masks(predictor, tiny_images(4, 2), torch.tensor([0, 2]), (1, 2, 5), CPU)
    assert {size: mask.sum(1).tolist() for size, mask in masks.items()} == {n: [n, n] for n in (1, 2, 5)}


def test_cut_follows_the_grid() -> None:
    hr = torch.randn(2, 3, 16, 16)
    patches = cut(hr)
    for index in range(16):
        rows, columns = patch_slices(index, 16)
        assert torch.equal(patches[:, index], hr[:, :, rows, columns])


def test_bagnet_computes_bought_patches_only_and_adds_them_up(classifier: nn.Module) -> None:
    network = BagNet(classifier, 3).eval()
    hr, lr = torch.randn(2, 3, 16, 16), torch.zeros(2, 3, 4, 4)
    rows: list[int] = []
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


def test_bagnet_does_not_care_where_its_patches_lie(classifier: nn.Module) -> None:
    network = BagNet(classifier, 3).eval()
    hr, every = torch.randn(1, 3, 16, 16), torch.ones(1, 16).bool()
    moved = hr.roll((4, 8), (2, 3))
    assert torch.allclose(network(hr, hr, every), network(moved, hr, every), atol=1e-6)


def test_bagnet_trains_with_and_without_patchdrop(tmp_path: Path) -> None:
    tiny = tiny_run(tmp_path)
    bagnet = train_bagnet(tiny.run, tiny.data, "resnet8", tiny.recipe.stage("bagnet"))
    stages = dict(train_patchdrop(*tiny.parts, bagnet, ("pt", "ft1"), "bagnet_"))
    assert not torch.equal(head(stages["ft1"].classifier.hr), head(bagnet.hr))
    assert torch.equal(head(stages["pt"].classifier.hr), head(bagnet.hr))
    assert (tmp_path / "bagnet_ft1.safetensors").exists()
    images = tiny_images()
    assert milliseconds_per_image(bagnet, images, torch.ones(4, 16).bool(), CPU) > 0


def test_hard_positive_masks_drop_the_most_wanted() -> None:
    logits = torch.arange(16.0).repeat(2, 1)
    kept = hard_positive_masks(logits, torch.tensor([1, 4]))
    assert kept.logical_not().nonzero().tolist() == [[0, 15], [1, 12], [1, 13], [1, 14], [1, 15]]


def untrained_policy() -> PolicyNetwork:
    return PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8, head="independent")).eval()


def test_hard_positives_hide_one_to_four_patches_of_half_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_run(tmp_path, augmentation="none")
    hidden: list[Tensor] = []
    network = new_network(tiny.run, "hr", "resnet8", 3)
    network.register_forward_pre_hook(lambda _module, inputs: hidden.append((inputs[0] == 0).all(1)))
    monkeypatch.setattr(hard_positives, "new_network", lambda *_arguments, **_options: network)
    recipe = replace(tiny.recipe, hr=replace(tiny.recipe.hr, epochs=20, batch=18))
    train_with_hard_positives(tiny.run, tiny.data, recipe, untrained_policy())
    patches = torch.stack(hidden).float().mean((2, 3)) * 16  # (20, 18)
    assert set(patches[:, :9].round().flatten().tolist()) == {1, 2, 3, 4}
    assert patches[:, 9:].max() < 0.5


def test_cut_out_zeroes_one_square_clipped_at_the_border() -> None:
    torch.manual_seed(0)
    images = torch.ones(200, 3, 8, 8)
    hidden = cut_out(images, 0.5)[:, 0] == 0
    sizes: set[tuple[Any, Any]] = set()
    for mask in hidden:
        rows, columns = mask.any(1).sum().item(), mask.any(0).sum().item()
        assert mask.sum() == rows * columns
        sizes.add((rows, columns))
    assert max(sizes) == (4, 4)
    assert min(rows for rows, _ in sizes) == 2


@pytest.mark.parametrize(("rate", "moved"), [(0.0, False), (1e-3, True)])
def test_augmentations_start_as_hr_cnn_and_train(tmp_path: Path, rate: float, moved: bool) -> None:
    tiny = tiny_run(tmp_path)
    recipe = replace(tiny.recipe, hr=replace(tiny.recipe.hr, learning_rate=rate))
    start = head(new_network(tiny.run, "hr", "resnet8", 3))
    networks = [
        train_with_cutout(tiny.run, tiny.data, recipe),
        train_with_hard_positives(tiny.run, tiny.data, recipe, untrained_policy()),
    ]
    for network in networks:
        assert torch.equal(head(network), start) != moved
        assert not network.training
    assert torch.equal(*(head(network) for network in networks)) != moved
