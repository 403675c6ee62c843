"""The complete comparisons with all 65,536 choices of a tile, and of shapes with the exact optimum of small
scenes: `make prove-planner` (minutes).

The name keeps this file out of `make test`, which runs a sample (tests/unit/planner/test_brute_force.py).
"""

import numpy as np
import pytest

from service.planner.objectives import Objective
from service.planner.tile_orders import BITS, CHOICES, cover_with, cover_with_parts, legal_shapes
from service.pricing.shape_rules import ANY_SHAPE
from tests.support.brute_force import OBJECTIVES, PRICES, SLOW_PRICES, TILES, check_plan
from tests.unit.planner.test_arranging import (
    CONNECTED,
    RECTANGLES,
    check_connected,
    check_rectangles,
)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("price", PRICES | SLOW_PRICES)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_plan_is_no_worse_than_any_subset_of_the_tile(tile: str, price: str, objective: Objective) -> None:
    check_plan(tile, price, objective)


@pytest.mark.parametrize("minimum", [1, 3, 6])
def test_cover_with_parts_is_no_lighter_than_the_cover_with_any_shapes(minimum: int) -> None:
    weights = np.maximum(BITS.sum(axis=1), minimum) * (CHOICES > 0)
    cover = cover_with(legal_shapes(ANY_SHAPE, 1), weights)
    assert (cover.weights <= cover_with_parts(weights).weights).all()


@pytest.mark.parametrize("patches", [4, 6, 8])
@pytest.mark.parametrize("price", CONNECTED)
def test_connected_shapes_of_many_scenes_are_exact(price: str, patches: int) -> None:
    for seed in range(15):
        check_connected(CONNECTED[price], seed, patches)


@pytest.mark.parametrize("patches", [4, 6, 8])
@pytest.mark.parametrize("price", RECTANGLES)
def test_rectangles_of_many_scenes_cost_at_most_a_tenth_more_than_the_exact_optimum(
    price: str, patches: int
) -> None:
    for seed in range(15):
        check_rectangles(RECTANGLES[price], seed, patches)
