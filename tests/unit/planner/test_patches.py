"""Marginal costs against bills with and without each patch, and the reasons of patches."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
)
from service.planner.patches import PATCH_REASONS, margins, patch_reasons
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, order_price
from service.pricing.shape_rules import ShapeRules
from tests.support.prices import PATCH_M2, scene_price, terms
from tests.support.shape_prices import order_amounts

BY_AREA = [
    terms(),
    terms(minimum="2"),
    terms(charge="20", beyond={"2": "4"}),
    terms(beyond={"1": "30"}),
    scene_price("40"),
]
BY_SHAPE = [
    terms(minimum="0.7", scope="shape"),
    terms(charge="8", summed=False),
    terms(minimum="1", scope="shape", rules=ShapeRules(convex=True)),
]


@given(selected=npst.arrays(np.bool_, (3, 16)), price=st.sampled_from(BY_AREA))
def test_margins_by_area_are_differences_of_bills(selected: NDArray[np.bool_], price: PriceTerms) -> None:
    areas = PATCH_M2 * np.linspace(0.5, 2, 48).reshape(3, 16)
    found = margins(selected, areas, 3, price)
    assert not found.padding.any()
    cells, bill = whole_cm2(areas), order_price(int(whole_cm2(areas)[selected].sum()), price).minor
    for tile, patch in np.ndindex(3, 16):
        other = selected.copy()
        other[tile, patch] ^= True
        assert found.minor[tile, patch] == abs(order_price(int(cells[other].sum()), price).minor - bill)


@pytest.mark.parametrize("price", BY_SHAPE, ids=["minimum", "apart", "rectangles"])
def test_margins_of_one_tile_are_differences_of_cheapest_orders(price: PriceTerms) -> None:
    amounts = order_amounts(price, int(whole_cm2(np.array(PATCH_M2))))
    tried = settings().max_examples // 5  # 20 choices, or 400 in `make prove-planner`
    for choice in np.random.default_rng(2).integers(0, 1 << 16, tried).tolist():
        selected = ((choice >> np.arange(16)) & 1).astype(np.bool_)[None]
        found = margins(selected, np.full((1, 16), PATCH_M2), 1, price).minor[0]
        assert found.tolist() == [abs(int(amounts[choice ^ 1 << at] - amounts[choice])) for at in range(16)]


def test_margins_of_several_tiles_order_each_tile_separately() -> None:
    selected = np.zeros((2, 16), dtype=np.bool_)
    selected[0, [0, 1]] = True
    found = margins(selected, np.full((2, 16), PATCH_M2), 2, terms(minimum="0.7", scope="shape"))
    assert found.minor[0, :5].tolist() == [0, 0, 241, 700, 241]  # 0.7 km2 hold two patches, three are 0.9408
    assert (found.minor[1] == 700).all()


def test_margins_mark_padding_that_is_paid_for_and_not_bought() -> None:
    selected = np.zeros((2, 16), dtype=np.bool_)
    selected[1, 5] = True
    square = terms(rules=ShapeRules(minimum_width_m=Decimal(2000)))
    found = margins(selected, np.full((2, 16), PATCH_M2), 1, square)
    assert found.padding.sum() == 15
    assert not found.minor[found.padding].any()


def test_margins_of_one_tile_that_buys_nothing_are_the_prices_of_single_patches() -> None:
    # A tile without any bought patch has no shape at all.
    found = margins(np.zeros((1, 16), dtype=np.bool_), np.full((1, 16), PATCH_M2), 1, BY_SHAPE[0])
    assert (found.minor == 700).all()  # the minimum of 0.7 km2 at 10 USD
    assert not found.padding.any()


UTILITIES = np.array([[0.9, 0.6, 0.4, 0.0, *[0.1] * 12], [0.9] * 16], dtype=np.float32)


@pytest.mark.parametrize(
    ("objective", "price", "codes"),
    [
        (Policy(threshold=0.5), terms(), ["wanted", "wanted", "below-threshold", "below-threshold"]),
        (
            Policy(threshold=0.5),
            terms(minimum="0.8"),
            ["wanted", "wanted", "below-threshold", "below-threshold"],
        ),
        (Policy(threshold=0.5), terms(minimum="0.95"), ["wanted", "wanted", "free", "below-threshold"]),
        (CostWeight(per_unit=0.15), terms(), ["wanted", "wanted", "too-expensive", "worthless"]),
        (MaxCost(limit=Money(700, "USD")), terms(), ["wanted", "wanted", "too-expensive", "worthless"]),
        (MaxPatches(patches=1), terms(), ["wanted", "beyond-limit", "beyond-limit", "worthless"]),
    ],
)
def test_patch_reasons_say_why_each_patch_is_bought_or_not(
    objective: Objective, price: PriceTerms, codes: list[str]
) -> None:
    eligible, areas = np.array([True, False]), np.full((2, 16), PATCH_M2)
    plan = plan_purchases(UTILITIES, eligible, areas, price, objective)
    padding = margins(plan.selected, areas, 1, price).padding
    found = patch_reasons(UTILITIES, eligible, plan.selected, plan.filled, padding, objective)
    assert found[0, :4].tolist() == codes
    assert (found[1] == "tile-not-eligible").all()
    assert set(found.ravel().tolist()) <= PATCH_REASONS.keys()
