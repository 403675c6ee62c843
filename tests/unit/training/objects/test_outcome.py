"""Four patches that hold objects, with every choice of two of them enumerated."""

from itertools import combinations

import pytest
import torch

from models.grid import PATCHES
from tests.support.object_tiles import object_tiles
from training.objects.outcome import bootstrap, count_error, found, labels_right, share_found
from training.objects.tiles import by_tile
from training.where.orders import ORDERS, OURS, buy_per_tile, buy_portfolio


def test_a_portfolio_of_true_counts_is_the_best_of_all_choices_of_two_patches() -> None:
    two = object_tiles([{3: 5, 7: 1}, {0: 2, 15: 4}])
    best = max(float(two.counts.flatten()[list(pair)].sum()) for pair in combinations(range(2 * PATCHES), 2))
    bought = buy_portfolio(two.counts, 1)
    assert float(found(two, bought).sum()) == best == 9
    assert share_found(two, bought) == pytest.approx(9 / 12)


def test_buying_everything_labels_and_counts_without_error() -> None:
    two = object_tiles([{3: 5, 7: 7}, {}, {1: 1}])
    everything = torch.ones(3, PATCHES, dtype=torch.bool)
    assert labels_right(two, everything, (1, 10)).tolist() == [1, 1, 1]
    assert count_error(two, everything).tolist() == [0, 0, 0]


def test_unbought_patches_are_labelled_by_what_is_expected_of_them() -> None:
    nothing = torch.zeros(2, PATCHES, dtype=torch.bool)
    # 16 patches with 0.01 objects each: most likely none.
    assert labels_right(object_tiles([{}, {4: 3}]), nothing, (1, 10)).tolist() == [1, 0]
    # With two objects each, 32 are expected: the last class.
    assert labels_right(object_tiles([{}, {4: 30}], mean=2.0), nothing, (1, 10)).tolist() == [0, 1]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("patches", [1, 4, 8])
def test_every_order_spends_what_it_is_given(order: str, patches: int) -> None:
    some = object_tiles([{3: 5}, {7: 1, 8: 2}, {}])
    preference = ORDERS[order](some, 0)
    assert buy_per_tile(preference, patches).sum(1).tolist() == [patches] * 3
    assert int(buy_portfolio(preference, patches).sum()) == 3 * patches


def test_by_tile_numbers_patches_down_the_columns_and_turns_them() -> None:
    scene = torch.arange(32.0).reshape(4, 8)
    left, right = by_tile(scene, (0, 1))
    assert left.tolist() == scene[:, :4].T.flatten().tolist()
    assert right.tolist() == torch.rot90(scene[:, 4:]).T.flatten().tolist()


def test_bootstrap_resamples_sites_and_not_tiles() -> None:
    gain = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    one = torch.ones(4, dtype=torch.float64)
    assert bootstrap(("a", "a", "b", "b"), gain, one) == (0.0, 1.0)
    assert bootstrap(("a", "b", "a", "b"), gain, one) == (0.5, 0.5)


def test_bootstrap_leaves_out_resamples_without_objects() -> None:
    gain = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert bootstrap(("a", "b"), gain, gain) == (1.0, 1.0)
    assert bootstrap(("a", "b"), 0 * gain, 0 * gain) == (0.0, 0.0)


def test_ours_is_an_order() -> None:
    assert OURS in ORDERS
