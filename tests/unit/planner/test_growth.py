"""Shapes below a minimum area grow by the useful patches beside them, at no cost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objectives import CostWeight, MaxCost, Objective, Policy
from service.pricing.billing import PriceTerms
from tests.support.prices import PATCH_M2, terms

PATCH_KM2 = PATCH_M2 / 1e6
TILES, COLUMNS = 4, 2
BEST = (0, 5)
"""Tile and patch of the most useful patch: row 1, column 1 of the scene's 8 x 8 patches."""


def plan(utilities: NDArray[np.float32], objective: Objective, price: PriceTerms) -> Decision:
    eligible = np.ones(TILES, np.bool_)
    return plan_purchases(utilities, eligible, np.full((TILES, 16), PATCH_M2), price, objective, COLUMNS)


def utilities(**others: float) -> NDArray[np.float32]:
    """Return small utilities, but 10 for BEST and those of `others`, such as t0p6=5."""
    values = np.full((TILES, 16), 0.001, np.float32)
    values[BEST] = 10
    for name, value in others.items():
        tile, patch = name[1:].split("p")
        values[int(tile), int(patch)] = value
    return values


def minimum_of(patches: float) -> PriceTerms:
    return terms(minimum=f"{patches * PATCH_KM2:.6f}", scope="shape")


@pytest.mark.parametrize("objective", [Policy(threshold=9.0), CostWeight(per_unit=0.5)])
def test_shape_grows_to_its_minimum_by_the_most_useful_neighbours(objective: Objective) -> None:
    # Patch 9 is right of patch 5, and 13 right of 9; patch 0 of tile 3 touches nothing that is bought.
    decision = plan(utilities(t0p9=3, t0p13=2, t3p0=1), objective, minimum_of(3.01))

    assert np.argwhere(decision.selected).tolist() == [[0, 5], [0, 9], [0, 13]]


def test_grown_shape_costs_what_the_shape_cost() -> None:
    few, more = (
        plan(utilities(), Policy(threshold=9.0), minimum_of(patches)).bill.amount for patches in (1, 3.01)
    )
    grown = plan(utilities(t0p9=3, t0p13=2), Policy(threshold=9.0), minimum_of(3.01))

    assert grown.bill.amount == more > few
    assert np.argwhere(grown.filled).tolist() == [[0, 9], [0, 13]]


def test_shape_grows_across_the_border_of_tiles_and_around_useless_patches() -> None:
    values = utilities(t0p13=4, t1p1=5)
    values[0, 9] = 0  # between patch 5 and patch 13: never bought
    values[1, 0] = 0
    decision = plan(values, Policy(threshold=9.0), minimum_of(6.01))

    assert not decision.selected[0, 9]
    assert decision.selected[BEST]
    assert decision.selected.sum() == 6
    whole = plan(utilities(t0p9=3, t0p13=4, t1p1=5), Policy(threshold=9.0), minimum_of(4.01))
    assert np.argwhere(whole.selected).tolist() == [[0, 5], [0, 9], [0, 13], [1, 1]]


def test_growth_finds_more_for_the_same_limit() -> None:
    limit = MaxCost(limit=Money(round(3.01 * PATCH_KM2 * 1000) + 1, "USD"))
    decision = plan(utilities(t0p9=3, t0p13=2), limit, minimum_of(3.01))

    assert float(utilities(t0p9=3, t0p13=2)[decision.selected].sum()) == pytest.approx(15)
    assert decision.bill.amount <= limit.limit


def test_nothing_grows_where_every_patch_is_billed() -> None:
    decision = plan(utilities(t0p9=3), Policy(threshold=9.0), terms(minimum="0", scope="shape"))

    assert np.argwhere(decision.selected).tolist() == [[0, 5]]
