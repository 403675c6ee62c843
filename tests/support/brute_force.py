"""Checks of a tile's plan against all of its 65,536 choices, for every rule of a price list."""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import assert_never

import numpy as np
import pytest
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, order_price
from service.pricing.shape_rules import ShapeRules
from tests.support.prices import PATCH_M2, scene_price, terms
from tests.support.shape_prices import order_amounts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MASKS = np.arange(2**16)
BITS = (MASKS[:, None] >> np.arange(16)) & 1  # (65536, 16)

TILES: dict[str, NDArray[np.float32]] = {
    "spread": np.random.default_rng(7).random((1, 16)).astype(np.float32),
    "tied": (np.random.default_rng(8).integers(0, 5, (1, 16)) / 4).astype(np.float32),
    "worthless": np.zeros((1, 16), dtype=np.float32),
    "confident": (np.random.default_rng(9).random((1, 16)) > 0.7).astype(np.float32),
}

PRICES: dict[str, PriceTerms] = {
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

SLOW_PRICES: dict[str, PriceTerms] = {  # compared by `make prove-planner` only
    "no holes and eight corners": terms(
        charge="5", summed=False, rules=ShapeRules(holes=False, max_vertices=8)
    ),
}

OBJECTIVES: tuple[Objective, ...] = (
    CostWeight(per_unit=0.0),
    CostWeight(per_unit=0.01),
    CostWeight(per_unit=0.15),
    CostWeight(per_unit=5.0),
    MaxCost(limit=Money(0, "USD")),
    MaxCost(limit=Money(313, "USD")),  # one cent short of a patch
    MaxCost(limit=Money(2100, "USD")),
    MaxCost(limit=Money(10000, "USD")),
    MaxPatches(patches=0),
    MaxPatches(patches=5),
    MaxPatches(patches=16),
    Policy(threshold=0.5),
    GuaranteedLoss(
        loss="objects", requested=0.1, at_most=0.1, sure=0.9, sites=60, threshold=0.3, mean_patches=8.0
    ),
)


def check_plan(tile: str, price: str, objective: Objective, taken: int = 0) -> None:
    """Plan a tile, and compare the plan with every subset of its patches that are not `taken`."""
    case = _Case(tile=TILES[tile], price=price, objective=objective, taken=taken, enclosed=taken)
    amounts, worth = case.amounts(), worth_of(TILES[tile])
    match objective:
        case (
            Policy(threshold=threshold)
            | TargetAccuracy(threshold=threshold)
            | GuaranteedLoss(threshold=threshold)
        ):
            _check_threshold(case, threshold)
        case CostWeight(per_unit=weight):
            _check_best(case, worth - weight * amounts / 100, case.free())
        case MaxCost(limit=limit):
            _check_best(case, worth, case.free() & (amounts <= limit.minor))
        case MaxPatches(patches=patches):
            padded = replace(case, enclosed=int(MASKS[-1]))  # shapes may enclose patches beyond the limit
            _check_best(padded, worth, case.free() & (BITS.sum(axis=1) <= patches))
        case _:
            assert_never(objective)


@dataclass(frozen=True, kw_only=True)
class _Case:
    tile: NDArray[np.float32]
    price: str
    objective: Objective
    taken: int
    enclosed: int
    """Patches that the shapes of a choice may enclose."""

    def amounts(self) -> Ints:
        """Return the least bill of every choice whose shapes may enclose other patches."""
        amounts = amounts_of(self.price)
        for patch in np.flatnonzero(BITS[self.enclosed]):
            amounts = np.minimum(amounts, amounts[MASKS | 1 << patch])
        return amounts

    def free(self) -> NDArray[np.bool_]:
        """Return the choices without taken patches."""
        return np.asarray((MASKS & self.taken) == 0)

    def plan(self) -> Decision:
        eligible, areas = np.ones(1, dtype=np.bool_), np.full((1, 16), PATCH_M2)
        price, taken = (PRICES | SLOW_PRICES)[self.price], BITS[self.taken][None] == 1
        return plan_purchases(self.tile, eligible, areas, price, self.objective, taken=taken)


@cache
def amounts_of(name: str) -> Ints:
    """Return the bill of every choice, minor units."""
    price, area = (PRICES | SLOW_PRICES)[name], int(whole_cm2(np.array([PATCH_M2]))[0])
    if not price.by_area:
        return order_amounts(price, area)
    by_count = np.array([order_price(int(count) * area, price).minor for count in range(17)])
    return np.asarray(by_count[BITS.sum(axis=1)])


def worth_of(utilities: NDArray[np.float32]) -> Floats:
    """Return the total utility of every choice."""
    return np.asarray(BITS @ utilities[0].astype(np.float64))


def _check_best(case: _Case, score: Floats, allowed: NDArray[np.bool_]) -> None:
    amounts, worth = case.amounts(), worth_of(case.tile)
    decision = case.plan()
    mask = int((decision.selected[0] << np.arange(16)).sum())
    assert decision.bill.amount.minor == amounts[mask]
    assert allowed[mask]
    best = score[allowed].max()
    assert score[mask] == pytest.approx(best, abs=1e-9)
    # Of the equally good choices none is cheaper, and none that costs no more is worth more.
    rivals = allowed & (score >= best - 1e-9)
    assert amounts[mask] == amounts[rivals].min()
    no_dearer = allowed & (amounts <= amounts[mask])
    assert worth[mask] == pytest.approx(worth[no_dearer].max(), abs=1e-9)


def _check_threshold(case: _Case, threshold: float) -> None:
    free = BITS[case.taken] == 0
    wanted = (case.tile.astype(np.float64) >= threshold) & free  # as the planner compares
    must = (BITS[:, wanted[0]] == 1).all(axis=1) & case.free()
    amounts = case.amounts()
    decision = case.plan()
    assert (decision.selected & wanted == wanted).all()
    assert (decision.selected == (wanted | decision.filled)).all()
    assert not (decision.selected & ~free).any()
    assert decision.bill.amount.minor == amounts[must].min()
    cheapest = must & (amounts == amounts[must].min())
    best = worth_of(case.tile)[cheapest].max() if wanted.any() else 0.0
    assert case.tile[decision.selected].astype(np.float64).sum() == pytest.approx(best, abs=1e-9)
