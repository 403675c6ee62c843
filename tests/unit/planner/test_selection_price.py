"""The price of one order of any patches."""

from decimal import Decimal

import numpy as np
import pytest

from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import Policy
from service.planner.selection_price import selection_price
from service.pricing.billing import PriceTerms
from service.pricing.shape_rules import ShapeRules
from tests.support.prices import PATCH_M2, terms

PRICES: dict[str, PriceTerms] = {
    "by area": terms(minimum="2", charge="9"),
    "minimum per shape": terms(minimum="0.7", scope="shape"),
    "each shape an order": terms(charge="8", summed=False),
    "two patches wide": terms(rules=ShapeRules(minimum_width_m=Decimal(1000))),
}


@pytest.mark.parametrize("prices", PRICES.values(), ids=PRICES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3)])
def test_selection_price_of_what_a_plan_buys_is_its_bill(prices: PriceTerms, rows: int, columns: int) -> None:
    utilities = np.random.default_rng(1).random((rows * columns, 16)).astype(np.float32)
    eligible, areas = np.ones(rows * columns, np.bool_), np.full(utilities.shape, PATCH_M2)
    plan = plan_purchases(utilities, eligible, areas, prices, Policy(threshold=0.8), columns)
    assert plan.selected.any()
    assert selection_price(plan.selected, areas, columns, prices) == plan.bill.amount
    assert selection_price(np.zeros_like(plan.selected), areas, columns, prices) == Money(0, "USD")
