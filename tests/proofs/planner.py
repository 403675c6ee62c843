"""The complete comparison of plans with all 65,536 choices of a tile: `make prove-planner` (minutes).

The name keeps this file out of `make test`, which runs a sample (tests/unit/planner/test_brute_force.py).
"""

import pytest

from service.planner.objectives import Objective
from tests.support.brute_force import OBJECTIVES, PRICES, SLOW_PRICES, TILES, check_plan


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("price", PRICES | SLOW_PRICES)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_plan_is_no_worse_than_any_subset_of_the_tile(tile: str, price: str, objective: Objective) -> None:
    check_plan(tile, price, objective)
