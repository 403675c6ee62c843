"""Plans of several tiles whose price depends on shapes: cases with a known best plan."""

import numpy as np
import pytest

from service.money import Money
from service.planner.objectives import MaxCost, MaxPatches, Policy
from service.planner.order_shapes import compile_order
from service.pricing.billing import PriceTerms
from tests.support.prices import PATCH_M2, scene_price
from tests.support.tiled_scenes import PRICES, plan, row_of


def test_shapes_that_touch_across_tiles_share_a_minimum() -> None:
    # Patch 12 is at the right edge of the first tile, patch 0 beside it in the second.
    decision = plan(row_of([12], [0]), PRICES["minimum per shape"], Policy(threshold=0.5))
    assert decision.bill.amount.minor == 700  # 0.7 km2 hold both; apart they would cost twice that
    far = plan(row_of([0], [15]), PRICES["minimum per shape"], Policy(threshold=0.5))
    assert far.bill.amount.minor == 1400


def test_width_beyond_the_scene_orders_one_rectangle_around_it() -> None:
    scene = row_of([0], [3])
    decision = plan(scene, PRICES["wider than the scene"], Policy(threshold=0.5))
    assert decision.selected.all()  # 17 x 17 patches of 560 m are paid for, which include the scene
    (shape,) = compile_order(decision.selected, scene[2], 2, PRICES["wider than the scene"])
    assert shape.polygon.area == 17 * 17
    assert shape.padding_m2 == pytest.approx((17 * 17 - 32) * PATCH_M2)


def test_width_beyond_a_tile_orders_squares_of_the_minimum_width() -> None:
    scene = row_of([0], *[[]] * 6, [15])
    utilities = np.zeros((64, 16), dtype=np.float32)
    utilities[[0, 63], [0, 15]] = 0.9
    scene = (utilities, np.ones(64, dtype=bool), np.full(utilities.shape, PATCH_M2), 8)
    decision = plan(scene, PRICES["wider than a tile"], Policy(threshold=0.5))
    shapes = compile_order(decision.selected, scene[2], 8, PRICES["wider than a tile"])
    assert [shape.polygon.area for shape in shapes] == [36, 36]


def test_joined_shapes_are_bought_when_they_cost_less_than_separate_ones() -> None:
    # Each shape has one price, so a shape that bridges the two patches saves one price.
    decision = plan(row_of([8], [0]), PRICES["each shape at one price"], Policy(threshold=0.5))
    assert decision.bill.amount.minor == 1200
    assert decision.selected.all()


def test_whole_scene_is_bought_when_a_few_patches_would_cost_more() -> None:
    utilities = np.random.default_rng(4).random((12, 16)).astype(np.float32)
    scene = (utilities, np.ones(12, dtype=bool), np.full(utilities.shape, PATCH_M2), 12)
    limit = MaxCost(limit=Money(1200, "USD"))
    assert plan(scene, PRICES["each shape at one price"], limit).selected.all()


def test_scene_price_is_planned_exactly() -> None:
    decision = plan(row_of([8], [0]), scene_price("12"), Policy(threshold=0.5))
    assert (decision.bill.amount.minor, decision.bound.gap) == (1200, 0)


@pytest.mark.parametrize("price", PRICES.values(), ids=PRICES)
def test_plan_does_not_depend_on_the_unit_of_utilities(price: PriceTerms) -> None:
    """Utilities in a unit 64 times as small make the same plan: they may be counts of objects."""
    utilities = np.random.default_rng(4).random((4, 16)).astype(np.float32)
    scene = utilities, np.ones(4, np.bool_), np.full((4, 16), PATCH_M2), 2
    for objective in (MaxCost(limit=Money(60_00, "USD")), MaxPatches(patches=9)):
        usual = plan(scene, price, objective)
        scaled = plan((utilities * 64, *scene[1:]), price, objective)
        assert np.array_equal(scaled.selected, usual.selected)
        assert scaled.bill == usual.bill
