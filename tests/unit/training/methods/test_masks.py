"""Random choices of patches: sizes, and the share whose patches lie together."""

from collections.abc import Callable

import pytest
import torch

from training.methods.masks import CENTRES, masks_of_sizes, query_masks, top_masks, training_masks


def test_top_masks_buy_exactly_as_many_even_among_equals() -> None:
    values = torch.tensor([[0.1] * 16, [*[0.0] * 14, 5.0, 4.0]])
    assert top_masks(values, 3).nonzero().tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 14], [1, 15]]


@pytest.mark.parametrize("clustered", [True, False])
def test_masks_of_sizes_have_the_requested_sizes(clustered: bool) -> None:
    sizes = torch.arange(17)
    masks = masks_of_sizes(sizes, torch.full((17,), clustered))
    assert torch.equal(masks.sum(1), sizes)


def spread(masks: torch.Tensor) -> float:
    """Return the mean squared distance of the patches of each mask from their centre."""
    weights = masks.float() / masks.sum(1, keepdim=True)
    middle = weights @ CENTRES
    return float((weights * ((CENTRES - middle.unsqueeze(1)) ** 2).sum(2)).sum(1).mean())


@pytest.mark.parametrize("draw", [lambda: training_masks(4000, 0.0), lambda: query_masks(400, 11)[:, 1:]])
def test_half_of_the_random_masks_are_clustered(draw: Callable[[], torch.Tensor]) -> None:
    torch.manual_seed(0)
    masks = draw().reshape(-1, 16)
    apart, together = (
        spread(masks_of_sizes(masks.sum(1), torch.full((len(masks),), clustered)))
        for clustered in (False, True)
    )
    assert spread(masks) == pytest.approx((apart + together) / 2, rel=0.02)
    assert together < 0.8 * apart


def test_training_masks_are_full_in_a_third_of_cases() -> None:
    torch.manual_seed(0)
    sizes = training_masks(3000).sum(1)
    assert (sizes == 16).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    assert (sizes == 1).sum() > (sizes == 15).sum()


def test_query_masks_begin_with_the_empty_choice() -> None:
    sizes = query_masks(5, 6).sum(2)
    assert sizes[:, 0].tolist() == [0] * 5
    assert 1 <= sizes[:, 1:].min() <= sizes.max() <= 10
