"""Scenes of a few tiles with prices that depend on shapes, and the value of what is bought of them."""

from decimal import Decimal

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objective_rules import ThresholdRules
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective
from service.pricing.billing import PriceTerms
from service.pricing.charge_rules import Bill
from service.pricing.shape_rules import ShapeRules
from tests.support.objectives import objectives
from tests.support.prices import PATCH_M2, terms

PRICES: dict[str, PriceTerms] = {
    "minimum per shape": terms(minimum="0.7", scope="shape"),
    "large minimum per shape": terms(minimum="4", scope="shape", charge="30"),
    "each shape an order": terms(charge="8", summed=False),
    "each shape an order, cheaper beyond a limit": terms(beyond={"1": "4"}, minimum="0.5", summed=False),
    "each shape an order, dearer beyond a limit": terms(beyond={"1": "40"}, summed=False),
    "each shape at one price": PriceTerms(currency="USD", flat=Decimal(12), areas_summed=False),
    "rectangles": terms(rules=ShapeRules(convex=True)),
    "rectangles with a minimum": terms(minimum="1", scope="shape", rules=ShapeRules(convex=True)),
    "rectangles, each an order": terms(charge="5", summed=False, rules=ShapeRules(convex=True)),
    "six corners, each an order": terms(charge="5", summed=False, rules=ShapeRules(max_vertices=6)),
    "no holes, each an order": terms(charge="5", summed=False, rules=ShapeRules(holes=False)),
    "two patches wide": terms(rules=ShapeRules(minimum_width_m=Decimal(1000))),
    "wider than a tile": terms(rules=ShapeRules(minimum_width_m=Decimal(3000))),
    "wider than the scene": terms(rules=ShapeRules(minimum_width_m=Decimal(9000), convex=True)),
}

OBJECTIVES = objectives(dollars=300, patches=70)
SAMPLE = settings(max_examples=settings().max_examples // 5, deadline=None)
"""20 examples in `make test`; 400 in `make prove-planner`, whose profile has 2,000."""
Scene = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64], int]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Draw up to six tiles of slightly unequal patches, some of them not eligible, and their columns."""
    rows, columns = draw(st.sampled_from([(1, 2), (2, 1), (2, 2), (2, 3), (1, 4)]))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1, width=32)
    utilities = draw(npst.arrays(np.float32, (rows * columns, 16), elements=values))
    eligible = draw(npst.arrays(np.bool_, rows * columns, elements=st.sampled_from([True, True, False])))
    areas = PATCH_M2 * (1 + 1e-5 * np.linspace(0, 1, utilities.size).reshape(utilities.shape))
    return utilities, eligible, areas, columns


def plan(scene: Scene, price: PriceTerms, objective: Objective) -> Decision:
    utilities, eligible, areas, columns = scene
    return plan_purchases(utilities, eligible, areas, price, objective, columns)


def value(scene: Scene, selected: NDArray[np.bool_], cost: Bill, objective: Objective) -> float:
    """Return how good a purchase is by its objective; higher is better."""
    worth, paid = float(scene[0][selected].astype(np.float64).sum()), float(cost.amount.minor) / 100
    match objective:
        case ThresholdRules():
            return -paid
        case CostWeight(per_unit=weight):
            return worth - weight * paid
        case _:
            return worth


def allowed(scene: Scene, selected: NDArray[np.bool_], cost: Bill, objective: Objective) -> bool:
    utilities, eligible, _, _ = scene
    match objective:
        case ThresholdRules(threshold=threshold):
            # As the planner compares: the float32 nearest to 0.9 is below 0.9.
            wanted = (utilities.astype(np.float64) >= threshold) & eligible[:, None]
            return bool((selected >= wanted).all())
        case MaxCost(limit=limit):
            return cost.amount.minor <= limit.minor
        case MaxPatches(patches=patches):
            return int(selected.sum()) <= patches
        case _:
            return True


def row_of(*tiles: list[int]) -> Scene:
    """Return tiles side by side; these patches have a utility of 0.9, all others 0."""
    utilities = np.zeros((len(tiles), 16), dtype=np.float32)
    for tile, patches in enumerate(tiles):
        utilities[tile, patches] = 0.9
    return utilities, np.ones(len(tiles), dtype=bool), np.full(utilities.shape, PATCH_M2), len(tiles)
