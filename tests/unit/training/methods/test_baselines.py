"""Baselines that choose patches without a tile: fixed orders and Stochastic."""

import pytest
import torch

from models.fixed_orders import FIXED_H, FIXED_V
from models.preprocess import mask_image
from training.methods.baselines import (
    fixed_masks,
    in_fixed_order,
    stochastic_masks,
    survival_weights,
)


@pytest.mark.parametrize("order", [FIXED_H, FIXED_V])
def test_fixed_orders_contain_every_patch_once(order: tuple[int, ...]) -> None:
    assert sorted(order) == list(range(16))


def test_fixed_h_is_a_horizontal_band_and_fixed_v_a_vertical_one() -> None:
    band = mask_image(fixed_masks(FIXED_H, 8, 1), 4)[0, 0]
    assert band.sum(1).tolist() == [0, 4, 4, 0]
    assert mask_image(fixed_masks(FIXED_V, 8, 1), 4)[0, 0].sum(0).tolist() == [0, 4, 4, 0]
    assert FIXED_H.index(12) + 1 == FIXED_H.index(15)


def test_in_fixed_order_keeps_the_number_of_patches_of_each_tile() -> None:
    scores = torch.randn(7, 16, generator=torch.Generator().manual_seed(0))
    bought = scores >= 0.3
    instead = in_fixed_order(scores, FIXED_H) >= 0.3
    for tile, many in enumerate(bought.sum(1).tolist()):
        assert torch.equal(instead[tile], fixed_masks(FIXED_H, many, 1)[0])


def test_stochastic_masks_draw_exactly_s_and_prefer_the_centre() -> None:
    masks = stochastic_masks(4, 2000, seed=0)
    assert set(masks.sum(1).tolist()) == {4}
    often = masks.float().mean(0)
    assert often[[5, 6, 9, 10]].min() > often[[1, 2, 4, 7, 8, 11, 13, 14]].max()
    assert often[[0, 3, 12, 15]].max() < often[[1, 2, 4, 7, 8, 11, 13, 14]].min()


def test_survival_weights_fall_linearly_to_one_tenth() -> None:
    weights = survival_weights()
    assert weights[0].item() == pytest.approx(0.1)
    assert weights[5].item() == pytest.approx(0.7)


def test_stochastic_masks_repeat_only_with_their_seed() -> None:
    assert torch.equal(stochastic_masks(4, 9, seed=1), stochastic_masks(4, 9, seed=1))
    assert not torch.equal(stochastic_masks(4, 9, seed=1), stochastic_masks(4, 9, seed=2))
