"""Baselines, random masks, symmetries and thresholds: whatever chooses patches without learning."""

import pytest
import torch

from models.preprocess import mask_image
from models.symmetry import SYMMETRIES, dihedral, dihedral_patches
from training.methods.baselines import (
    FIXED_H,
    FIXED_V,
    fixed_masks,
    in_fixed_order,
    stochastic_masks,
    survival_weights,
)
from training.methods.masks import CENTRES, masks_of_sizes, query_masks, top_masks, training_masks
from training.methods.out_of_fold import AnswerTable, fit_temperature
from training.product.choose import fusion_exponent, threshold_for
from training.run.evaluate import paired_bootstrap


@pytest.mark.parametrize("order", [FIXED_H, FIXED_V])
def test_fixed_orders_name_every_patch_once(order):
    assert sorted(order) == list(range(16))


def test_fixed_h_is_a_horizontal_band_and_fixed_v_a_vertical_one():
    band = mask_image(fixed_masks(FIXED_H, 8, 1), 4)[0, 0]
    assert band.sum(1).tolist() == [0, 4, 4, 0]
    assert mask_image(fixed_masks(FIXED_V, 8, 1), 4)[0, 0].sum(0).tolist() == [0, 4, 4, 0]
    assert FIXED_H.index(12) + 1 == FIXED_H.index(15)


def test_top_masks_buy_exactly_as_many_even_among_equals():
    values = torch.tensor([[0.1] * 16, [*[0.0] * 14, 5.0, 4.0]])
    assert top_masks(values, 3).nonzero().tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 14], [1, 15]]


def test_in_fixed_order_each_tile_buys_as_many_patches_but_the_first_of_the_order():
    scores = torch.randn(7, 16, generator=torch.Generator().manual_seed(0))
    bought = scores >= 0.3
    instead = in_fixed_order(scores, FIXED_H) >= 0.3
    for tile, many in enumerate(bought.sum(1).tolist()):
        assert torch.equal(instead[tile], fixed_masks(FIXED_H, many, 1)[0])


def test_stochastic_draws_exactly_s_and_prefers_the_centre():
    masks = stochastic_masks(4, 2000, seed=0)
    assert set(masks.sum(1).tolist()) == {4}
    often = masks.float().mean(0)
    assert often[[5, 6, 9, 10]].min() > often[[1, 2, 4, 7, 8, 11, 13, 14]].max()
    assert often[[0, 3, 12, 15]].max() < often[[1, 2, 4, 7, 8, 11, 13, 14]].min()


def test_stochastic_weights_fall_linearly_to_one_tenth():
    weights = survival_weights()
    assert weights[0].item() == pytest.approx(0.1)
    assert weights[5].item() == pytest.approx(0.7)


def test_stochastic_repeats_with_its_seed_only():
    assert torch.equal(stochastic_masks(4, 9, seed=1), stochastic_masks(4, 9, seed=1))
    assert not torch.equal(stochastic_masks(4, 9, seed=1), stochastic_masks(4, 9, seed=2))


@pytest.mark.parametrize("clustered", [True, False])
def test_random_masks_have_the_sizes_asked_for(clustered):
    sizes = torch.arange(17)
    masks = masks_of_sizes(sizes, torch.full((17,), clustered))
    assert torch.equal(masks.sum(1), sizes)


def spread(masks):
    """Mean squared distance of the patches of each mask from their middle."""
    weights = masks.float() / masks.sum(1, keepdim=True)
    middle = weights @ CENTRES
    return float((weights * ((CENTRES - middle.unsqueeze(1)) ** 2).sum(2)).sum(1).mean())


@pytest.mark.parametrize("draw", [lambda: training_masks(4000, 0.0), lambda: query_masks(400, 11)[:, 1:]])
def test_half_of_the_random_masks_lie_together(draw):
    torch.manual_seed(0)
    masks = draw().reshape(-1, 16)
    apart, together = (
        spread(masks_of_sizes(masks.sum(1), torch.full((len(masks),), clustered)))
        for clustered in (False, True)
    )
    assert spread(masks) == pytest.approx((apart + together) / 2, rel=0.02)
    assert together < 0.8 * apart


def test_a_third_of_the_training_masks_is_full():
    torch.manual_seed(0)
    sizes = training_masks(3000).sum(1)
    assert (sizes == 16).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    assert (sizes == 1).sum() > (sizes == 15).sum()


def test_asking_begins_with_the_empty_choice():
    sizes = query_masks(5, 6).sum(2)
    assert sizes[:, 0].tolist() == [0] * 5
    assert 1 <= sizes[:, 1:].min() <= sizes.max() <= 10


@pytest.mark.parametrize("k", range(SYMMETRIES))
def test_patches_move_with_their_pixels(k):
    selected = torch.rand(3, 16, generator=torch.Generator().manual_seed(k)) < 0.4
    moved = dihedral_patches(selected.float(), k)
    assert torch.equal(mask_image(moved, 8), dihedral(mask_image(selected, 8), k))


def test_symmetries_are_eight_different_ones():
    values = torch.arange(16.0)
    assert len({tuple(dihedral_patches(values, k).tolist()) for k in range(SYMMETRIES)}) == SYMMETRIES


@pytest.mark.parametrize("patches", [1.0, 3.5, 12.0])
def test_threshold_buys_the_mean_number_asked_for(patches):
    values = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
    assert (values >= threshold_for(values, patches)).sum(1).double().mean().item() == patches


def test_the_fusion_exponent_is_best_for_one_to_eight_patches():
    """Two images of 4 patches ask for at most 0.42, ten of 9 for at least 1.2."""
    few = torch.arange(12) < 2
    masks = (torch.arange(16) < torch.where(few, 4, 9).unsqueeze(1)).unsqueeze(1)
    hr = torch.where(few.unsqueeze(1), torch.tensor([0.9, 0.1]), torch.tensor([0.0, 1.0]))
    lr = torch.where(few.unsqueeze(1), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    labels = torch.zeros(12, dtype=torch.int64)
    table = AnswerTable(indices=torch.arange(12), masks=masks, hr=hr.unsqueeze(1), lr=lr, labels=labels)
    assert fusion_exponent(table) <= 0.42


def test_temperature_sharpens_the_too_modest_and_softens_the_too_sure():
    labels = torch.arange(100) % 10
    right = torch.nn.functional.one_hot(labels, 10).float()
    modest = torch.softmax(right * 1.0, 1)
    assert fit_temperature(modest, labels) < 1
    half_wrong = torch.softmax(right.roll(50, 0).mul((torch.arange(100) < 50).float()[:, None]) * 9, 1)
    assert fit_temperature(half_wrong, (labels + 1) % 10) > 1


@pytest.mark.parametrize(("odds", "temperature"), [(9.0, 1.0), (3.0, 0.5), (81.0, 2.0)])
def test_nine_of_ten_right_are_odds_of_nine(odds, temperature):
    probabilities = torch.tensor([odds, 1.0]).repeat(10, 1) / (odds + 1)
    labels = (torch.arange(10) == 0).long()
    assert fit_temperature(probabilities, labels) == temperature


def test_bootstrap_of_a_gain_every_image_shares():
    gain = paired_bootstrap(torch.ones(30), torch.zeros(30))
    assert gain == {"mean": 1.0, "low": 1.0, "high": 1.0, "share_without_gain": 0.0}


def test_bootstrap_of_no_gain():
    first = torch.tensor([1.0, 0.0] * 50)
    gain = paired_bootstrap(first, 1 - first)
    assert gain["mean"] == 0.0
    assert gain["low"] < 0 < gain["high"]
    assert gain["share_without_gain"] == pytest.approx(0.5, abs=0.1)
