"""A new charge rule reaches plans, bounds and explanations without any other change."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.planner.order_shapes import compile_order
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.charge_rules import Bill, ChargeRule, Whole
from tests.support.prices import PATCH_M2, terms

OBJECTIVES = [
    Policy(threshold=0.5),
    CostWeight(per_unit=0.1),
    MaxCost(limit=Money(3000, "USD")),
    MaxPatches(patches=5),
]


@dataclass(frozen=True, kw_only=True)
class AreaStep(ChargeRule):
    """Every shape is billed in steps of an area."""

    step_cm2: int
    scope = "shape"

    def billable(self, areas_cm2: Whole) -> Whole:
        return np.asarray(-(-areas_cm2 // self.step_cm2) * self.step_cm2)

    def explain(self, bill: Bill, *, each_shape_invoiced: bool) -> str | None:  # noqa: ARG002
        return "areas are billed in steps" if bill.billable_km2 > bill.area_km2 else None


@pytest.fixture(autouse=True)
def area_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the rule to every price list; the prices below occur in no other test, so none is cached."""
    known = PriceTerms.charge_rules
    step = AreaStep(step_cm2=5 * 10**9)
    monkeypatch.setattr(PriceTerms, "charge_rules", lambda self: (step, *known(self)))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize(
    "price", [terms("10.01"), terms("10.02", charge="8", summed=False)], ids=["one", "each"]
)
@pytest.mark.parametrize("tiles", [1, 4])
def test_new_charge_rule_is_planned_billed_and_bounded(
    tiles: int, price: PriceTerms, objective: Objective
) -> None:
    columns = min(tiles, 2)
    utilities = np.random.default_rng(1).random((tiles, 16)).astype(np.float32)
    areas = np.full((tiles, 16), PATCH_M2)
    decision = plan_purchases(utilities, np.ones(tiles, dtype=np.bool_), areas, price, objective, columns)
    shapes = compile_order(decision.selected, areas, columns, price, decision.arranged)
    billed = bill([int(whole_cm2(np.array(shape.area_m2))) for shape in shapes], price)
    assert decision.bill == billed
    assert all(line.billable_km2 % Decimal("0.5") == 0 for line in billed.lines)
    sign = -1 if decision.bound.measure == "cost" else 1
    assert sign * decision.bound.reached <= sign * decision.bound.bound + 1e-9


def test_new_charge_rule_explains_free_patches() -> None:
    # Of the 0.5 km2 that are paid for, the one wanted patch fills 0.3136.
    utilities = np.zeros((1, 16), dtype=np.float32)
    utilities[0, 0] = 0.9
    areas = np.full((1, 16), PATCH_M2 / 2)
    price = terms("10.03")
    decision = plan_purchases(utilities, np.ones(1, dtype=np.bool_), areas, price, Policy(threshold=0.5))
    assert int(np.count_nonzero(decision.filled)) == 2
    assert decision.reason.endswith("2 of them free, because areas are billed in steps.")
