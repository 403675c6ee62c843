"""The plan of a tile against all of its 65,536 choices, for every rule of a price list."""

from decimal import Decimal
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.pricing.billing import ShapeRules, Terms, order_price, whole_cm2
from tests.support.prices import PATCH_M2, scene_price, terms
from tests.support.shape_prices import order_amounts


def _usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


MASKS = np.arange(2**16)
BITS = (MASKS[:, None] >> np.arange(16)) & 1  # (65536, 16)

TILES: dict[str, NDArray[np.float32]] = {
    "spread": np.random.default_rng(7).random((1, 16)).astype(np.float32),
    "tied": (np.random.default_rng(8).integers(0, 5, (1, 16)) / 4).astype(np.float32),
    "worthless": np.zeros((1, 16), dtype=np.float32),
    "confident": (np.random.default_rng(9).random((1, 16)) > 0.7).astype(np.float32),
}

PRICES: dict[str, Terms] = {
    "plain": terms(),
    "minimum under a scene": terms(minimum="2"),
    "minimum of nearly a scene": terms(minimum="5"),
    "minimum beyond a scene": terms(minimum="25"),
    "cheaper beyond a limit": terms(beyond={"2": "4"}),
    "dearer beyond a limit": terms(beyond={"2": "30"}),
    "three tiers and a minimum": terms(beyond={"1": "6", "3": "2"}, minimum="1.5"),
    "minimum charge": terms(charge="20"),
    "minimum area and charge": terms(minimum="2", charge="26"),
    "one price for a scene": scene_price("40"),
    "minimum per shape": terms(minimum="0.7", scope="shape"),
    "minimum per shape and per order": terms(minimum="0.7", scope="shape", charge="20"),
    "each shape an order": terms(charge="8", summed=False),
    "each shape an order of tiers": terms(beyond={"1": "4"}, minimum="0.5", summed=False),
    "rectangles": terms(rules=ShapeRules(convex=True)),
    "rectangles, each an order": terms(charge="5", summed=False, rules=ShapeRules(convex=True)),
    "rectangles with a minimum": terms(minimum="1", scope="shape", rules=ShapeRules(convex=True)),
    "six corners": terms(minimum="0.7", scope="shape", rules=ShapeRules(max_vertices=6)),
    "two patches wide": terms(rules=ShapeRules(minimum_width_m=Decimal(1000), convex=True)),
    "two patches wide, of any form": terms(rules=ShapeRules(minimum_width_m=Decimal(1000))),
    "wider than the tile": terms(rules=ShapeRules(minimum_width_m=Decimal(3000))),
}


@cache
def amounts_of(name: str) -> NDArray[np.int64]:
    """The bill of every choice."""
    price, area = PRICES[name], int(whole_cm2(np.array([PATCH_M2]))[0])
    if not price.by_area:
        return order_amounts(price, area)
    return np.array([order_price(int(count) * area, price) for count in range(17)])[BITS.sum(axis=1)]


def plan_tile(utilities: NDArray[np.float32], price: Terms, objective: Objective) -> Decision:
    eligible, areas = np.ones(1, dtype=bool), np.full((1, 16), PATCH_M2)
    return plan_purchases(utilities, eligible, areas, price, objective)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("price", PRICES)
@pytest.mark.parametrize(
    "objective",
    [
        CostWeight(per_unit=0.0),
        CostWeight(per_unit=0.01),
        CostWeight(per_unit=0.15),
        CostWeight(per_unit=5.0),
        MaxCost(limit=_usd("0.00")),
        MaxCost(limit=_usd("3.13")),  # one cent short of a patch
        MaxCost(limit=_usd("21.00")),
        MaxCost(limit=_usd("100.00")),
        MaxPatches(patches=0),
        MaxPatches(patches=5),
        MaxPatches(patches=16),
    ],
    ids=str,
)
def test_no_subset_of_a_tile_beats_the_plan(tile: str, price: str, objective: Objective) -> None:
    utilities = TILES[tile]
    counts = BITS.sum(axis=1)
    amounts = amounts_of(price)
    worth = BITS @ utilities[0].astype(np.float64)

    decision = plan_tile(utilities, PRICES[price], objective)
    mask = int((decision.selected[0] << np.arange(16)).sum())
    assert decision.bill.amount.minor == amounts[mask]

    score, allowed = _score(objective, worth, amounts, counts)
    assert allowed[mask]
    best = score[allowed].max()
    assert score[mask] == pytest.approx(best, abs=1e-9)
    # Of the equally good ones none is cheaper, and none that costs no more is worth more.
    rivals = allowed & (score >= best - 1e-9)
    assert amounts[mask] == amounts[rivals].min()
    no_dearer = allowed & (amounts <= amounts[mask])
    assert worth[mask] == pytest.approx(worth[no_dearer].max(), abs=1e-9)


def _score(
    objective: Objective, worth: NDArray[np.float64], amounts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    match objective:
        case CostWeight(per_unit=weight):
            return worth - weight * amounts / 100, np.ones(len(worth), dtype=bool)
        case MaxCost(limit=limit):
            return worth, amounts <= limit.minor
        case MaxPatches(patches=patches):
            return worth, counts <= patches
    raise AssertionError(objective)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("price", PRICES)
def test_the_policy_objective_buys_its_patches_and_whatever_more_is_free(tile: str, price: str) -> None:
    utilities = TILES[tile]
    wanted = utilities >= 0.5
    must = (BITS[:, wanted[0]] == 1).all(axis=1)
    amounts = amounts_of(price)
    worth = BITS @ utilities[0].astype(np.float64)

    decision = plan_tile(utilities, PRICES[price], Policy(threshold=0.5))

    assert (decision.selected & wanted == wanted).all()
    assert (decision.selected == (wanted | decision.filled)).all()
    assert decision.bill.amount.minor == amounts[must].min()
    free = must & (amounts == amounts[must].min())
    best = worth[free].max() if wanted.any() else 0.0
    assert utilities[decision.selected].astype(np.float64).sum() == pytest.approx(best, abs=1e-9)
