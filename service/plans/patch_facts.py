"""Decision, cost and reason of each patch of a plan, computed once for all of its tiles."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import row_col
from service.imagery.tile_grid import TileGrid
from service.ledger.book import allocate
from service.money import Money
from service.planner.objectives import objective_from_json
from service.planner.patches import Margins, margins, patch_reasons, taken_reasons
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.areas import to_km2, whole_cm2
from service.pricing.billing import PriceTerms

STATES = {
    "bought": "Bought",
    "filled": "Bought at no extra cost",
    "padding": "Not bought, but paid for as padding",
    "owned": "Owned already",
    "on-order": "On order already",
    "unbought": "Not bought",
    "no-data": "Not planned, for lack of valid pixels",
}
"""The state of a patch in a plan, and its name on a map."""


@dataclass(frozen=True, kw_only=True)
class PatchFacts:
    """The decisions, prices and reasons of every patch of a plan. Arrays are (T, 16)."""

    plan: Plan
    grid: TileGrid
    arrays: PlanArrays
    areas_cm2: NDArray[np.int64]
    margins: Margins
    reasons: NDArray[np.str_]

    @classmethod
    def of(cls, plan: Plan, scene: Scene, terms: PriceTerms) -> "PatchFacts":
        """Price every patch of a plan, and say why it is bought or not."""
        grid, arrays = grid_of(scene), PlanArrays.of(plan)
        areas = grid.patch_areas_m2()
        margin = margins(
            arrays.selected, areas, grid.columns, terms, arranged=arrays.arranged, taken=arrays.taken,
            arrangement=arrangement_of(plan),
        )  # fmt: skip
        reasons = patch_reasons(
            arrays.utilities, arrays.eligible, arrays.selected, arrays.filled, margin.padding,
            objective_from_json(plan.objective),
        )  # fmt: skip
        reasons = taken_reasons(reasons, arrays.owned & arrays.taken, arrays.on_order & arrays.taken)
        return cls(
            plan=plan, grid=grid, arrays=arrays, areas_cm2=whole_cm2(areas), margins=margin, reasons=reasons
        )

    def costs(self, tiles: range) -> list[Money]:
        """Split the bill among the patches of a range of tiles, by tile and index; zero where not bought."""
        selected = self.arrays.selected
        before = int(selected[: tiles.start].sum())
        chosen = selected[tiles.start : tiles.stop].ravel()
        ranks = before + np.cumsum(chosen) - 1
        return [
            allocate(self.plan.cost, self.plan.patches_bought, int(rank)) if bought else self._none
            for bought, rank in zip(chosen, ranks, strict=True)
        ]

    def marginal(self, tile: int, index: int) -> Money:
        """Return what leaving a bought patch out would save, or what adding another one would cost."""
        return Money(int(self.margins.minor[tile, index]), self.plan.currency)

    def state(self, tile: int, index: int) -> str:
        """Return the state of a patch, a key of STATES."""
        arrays = self.arrays
        if arrays.selected[tile, index]:
            return "filled" if arrays.filled[tile, index] else "bought"
        if self.reasons[tile, index] == "padding":
            return "padding"
        if arrays.owned[tile, index]:
            return "owned"
        if arrays.on_order[tile, index]:
            return "on-order"
        return "unbought" if arrays.eligible[tile] else "no-data"

    def describe(self, tile: int, index: int, cost: Money) -> dict[str, Any]:
        """Return what documents say of a patch: areas and amounts as numbers, null where nothing is known."""
        arrays, planned = self.arrays, bool(self.arrays.eligible[tile])
        row, col = row_col(index)
        return {
            "tile": tile,
            "index": index,
            "row": row,
            "col": col,
            "status": "planned" if planned else "no-data",
            "selected": bool(arrays.selected[tile, index]),
            "filled": bool(arrays.filled[tile, index]),
            "ground": _ground(arrays, tile, index),
            "utility": arrays.shown_utility(tile, index) if planned else None,
            "expected_objects": arrays.shown_objects(tile, index) if planned else None,
            "area_km2": float(to_km2(int(self.areas_cm2[tile, index]))),
            # Numbers, so that a map can be coloured by them. Each is the shortest that equals the amount.
            "cost": float(cost.amount),
            "marginal_cost": float(self.marginal(tile, index).amount),
            "currency": self.plan.currency,
            "reason": str(self.reasons[tile, index]),
        }

    @property
    def _none(self) -> Money:
        return Money(0, self.plan.currency)


def arrangement_of(plan: Plan) -> int:
    """Return the number of the arrangement whose shapes were billed; the first where the plan names none."""
    number: int = plan.bill.get("arrangement", 0)
    return number


def _ground(arrays: PlanArrays, tile: int, index: int) -> str | None:
    """Return whether a patch was owned or on order when the plan was made; None if it was neither."""
    if arrays.owned[tile, index]:
        return "owned"
    return "on-order" if arrays.on_order[tile, index] else None
