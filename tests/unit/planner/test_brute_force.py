"""A sample of the comparison of plans with all 65,536 choices of a tile.

`make prove-planner` compares every tile with every price and every objective (tests/proofs/planner.py).
"""

import random

import pytest

from service.planner.objectives import Objective
from service.pricing.charge_rules import ChargeRule
from service.pricing.shape_rules import ShapeRule
from tests.support.brute_force import OBJECTIVES, PRICES, SLOW_PRICES, TILES, check_plan

PER_PRICE = 4
_RANDOM = random.Random(19)
SAMPLE = [
    (tile, price, objective)
    for price in PRICES
    for tile, objective in _RANDOM.sample([(t, o) for t in TILES for o in OBJECTIVES], PER_PRICE)
]


@pytest.mark.parametrize(("tile", "price", "objective"), SAMPLE, ids=str)
def test_plan_is_no_worse_than_any_subset_of_the_tile(tile: str, price: str, objective: Objective) -> None:
    check_plan(tile, price, objective)


@pytest.mark.parametrize(("tile", "price", "objective"), SAMPLE[:: PER_PRICE - 1], ids=str)
@pytest.mark.parametrize("taken", [0b0000_0110_0110_0000, 0b1000_0100_0010_0101])
def test_plan_around_taken_patches_is_no_worse_than_any_subset_of_the_others(
    tile: str, price: str, objective: Objective, taken: int
) -> None:
    check_plan(tile, price, objective, taken)


def test_sample_holds_every_price_and_every_objective() -> None:
    assert {price for _, price, _ in SAMPLE} == set(PRICES)
    assert {objective for _, _, objective in SAMPLE} == set(OBJECTIVES)


def test_prices_hold_every_charge_rule_and_every_shape_rule() -> None:
    prices = (PRICES | SLOW_PRICES).values()
    charges = {type(rule) for price in prices for rule in price.charge_rules()}
    shapes = {type(rule) for price in prices for rule in price.rules.active()}
    assert charges == {one for one in ChargeRule.__subclasses__() if one.__module__ == ChargeRule.__module__}
    assert shapes == set(ShapeRule.__subclasses__())
