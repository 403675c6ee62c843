"""The worked example in docs/planning.md matches the code."""

from pathlib import Path

import numpy as np

from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.plans.example import PLAN
from service.plans.schemas import PlanOut
from tests.support.prices import terms

PAGE = Path(__file__).parents[3] / "docs" / "planning.md"

UTILITIES = [0.97, 0.81, 0.74, 0.55, 0.48, 0.40, 0.31, 0.28, 0.22, 0.15, 0.12, 0.09, 0.07, 0.05, 0.03, 0.01]
PATCH_M2 = 560.0**2

OBJECTIVES: dict[str, Objective] = {
    "`policy` (0.5)": Policy(threshold=0.5),
    "`lambda` 0.1": CostWeight(per_unit=0.1),
    "`max_cost` 15.00": MaxCost(limit=Money.parse("15.00", "USD")),
    "`max_patches` 6": MaxPatches(patches=6),
}


def row(minimum: str, name: str) -> str:
    utilities = np.array([UTILITIES], dtype=np.float32)
    areas = np.full((1, 16), PATCH_M2)
    plan = plan_purchases(utilities, np.ones(1, dtype=bool), areas, terms(minimum=minimum), OBJECTIVES[name])
    bought, filled = np.count_nonzero(plan.selected), np.count_nonzero(plan.filled)
    cells = [
        minimum,
        name,
        plan.wanted,
        filled,
        bought,
        plan.bill.billable_km2.normalize(),
        plan.bill.amount.amount,
    ]
    cells += [plan.list_saving.amount, plan.billable_saving.amount]
    return "| " + " | ".join(map(str, cells)) + " |"


def test_planning_page_table_is_what_the_planner_decides() -> None:
    rows = [row(minimum, name) for minimum in ("0", "2", "5", "25") for name in OBJECTIVES]
    page = PAGE.read_text()
    shown = [line for line in page.splitlines() if line.startswith(("| 0 |", "| 2 |", "| 5 |", "| 25 |"))]
    assert shown == rows
    assert ", ".join(f"{value:.2f}" for value in UTILITIES) in page


def test_openapi_example_is_a_plan_of_the_same_tile() -> None:
    shown = PlanOut.model_validate(PLAN)
    assert shown.tiles is not None
    (tile,) = shown.tiles
    assert tile.utilities is not None
    assert sorted(tile.utilities, reverse=True) == UTILITIES
    assert tile.buy == [patch for patch in range(16) if tile.utilities[patch] >= 0.5]
    cells = row("0", "`policy` (0.5)").strip("| ").split(" | ")
    savings = shown.savings
    assert cells[5:] == [
        shown.billable_km2,
        shown.cost.amount,
        savings.list.amount,
        savings.billable.amount,
    ]
