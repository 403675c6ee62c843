"""Audit of plans: money from areas, terms from price lists, and areas from the scene's grid and tiles."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.grid import PATCHES
from service.ledger.findings import Finding
from service.planner.arranging import ARRANGEMENTS
from service.planner.scene_orders import scene_orders
from service.planner.tile_orders import order_choices
from service.plans.arrays import PlanArrays
from service.plans.bills import figures_of, recompute
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.areas import to_cm2, whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList

PAGE = 100
"""Plans read from the database at a time."""
ALIKE = 1e-8
"""Largest relative difference of areas: another version of PROJ may round the last digits differently."""

Mask = NDArray[np.bool_]
_MALFORMED = (ArithmeticError, IndexError, KeyError, TypeError, ValueError)
"""Errors that a row raises which no version wrote."""


def audit_plans(session: Session) -> Iterator[Finding]:
    """Yield the plans whose money, terms or areas are not what they follow from."""
    query = (
        select(Plan, Scene, PriceList)
        .join(Scene, Scene.id == Plan.scene_id)
        .join(PriceList, PriceList.id == Plan.price_list_id)
        .order_by(Plan.id)
    )
    for plan, scene, price_list in session.execute(query.execution_options(yield_per=PAGE)):
        row = _PlanRow(plan, scene, price_list)
        for rule, holds in RULES.items():
            if not _is_kept(holds, row):
                yield Finding(rule=rule, subject=str(plan.id))


@dataclass(frozen=True)
class _PlanRow:
    plan: Plan
    scene: Scene
    price_list: PriceList

    @property
    def published(self) -> dict[str, Any]:
        """Terms of the price list."""
        return PriceListTerms.model_validate(self.price_list, from_attributes=True).model_dump(mode="json")

    @property
    def frozen(self) -> dict[str, Any]:
        """Terms in the plan's row; a plan made before they were kept there is priced by its list's."""
        terms: dict[str, Any] = self.plan.bill.get("terms", self.published)
        return terms


def _is_kept(holds: Callable[[_PlanRow], bool], row: _PlanRow) -> bool:
    try:
        return holds(row)
    except _MALFORMED:  # a forger may leave anything in a row
        return False


def _money_holds(row: _PlanRow) -> bool:
    return figures_of(row.plan) == recompute(row.plan.bill | {"terms": row.frozen})


def _terms_hold(row: _PlanRow) -> bool:
    # Terms that price lists have only had since are at their defaults in the plan.
    return PriceListTerms.model_validate(row.frozen).model_dump(mode="json") == row.published


def _areas_hold(row: _PlanRow) -> bool:
    """Return whether the areas of what is bought, and of everything, follow from grid, tiles and terms.

    The areas without reuse depend on the objective's whole search, so they are not computed again.
    """
    plan, grid, arrays = row.plan, grid_of(row.scene), PlanArrays.of(row.plan)
    terms = PriceListTerms.model_validate(row.frozen).terms()
    everything = np.repeat(arrays.eligible[:, None], PATCHES, axis=1)
    areas, number = grid.patch_areas_m2(), plan.bill.get("arrangement", 0)
    counted = (len(areas), int(arrays.selected.sum()), int(arrays.eligible.sum()))
    return (
        counted == (plan.tiles, plan.patches_bought, plan.bill["eligible_tiles"])
        and not (arrays.selected & ~everything).any()
        and all(
            _is_bill(plan.bill[name], _ordered_areas(areas, grid.columns, terms, patches, number), terms)
            for name, patches in (("chosen", arrays.arranged), ("everything", everything))
        )
    )


RULES: Mapping[str, Callable[[_PlanRow], bool]] = {
    "P1 a plan's money recomputes from its row": _money_holds,
    "P2 a plan's terms are its price list's": _terms_hold,
    "P3 a plan's areas follow from its scene's grid and its tiles": _areas_hold,
}


def _ordered_areas(
    areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms, patches: Mask, number: int
) -> list[int]:
    """Return the areas of the shapes that are ordered for patches (T, 16), in square centimetres."""
    if not patches.any():
        return []
    if terms.by_area:
        return [int(whole_cm2(areas_m2)[patches].sum())]
    if len(patches) == 1:
        orders = order_choices(areas_m2, terms)
        choice = int((1 << np.flatnonzero(patches[0])).sum())
        return [int(orders.areas_cm2[shape]) for shape in orders.cover.shapes(choice)]
    layout = ARRANGEMENTS[number](scene_orders(areas_m2, columns, terms), patches)
    return [int(area) for area in layout.areas_cm2]


def _is_bill(written: Mapping[str, Any], areas_cm2: Sequence[int], terms: PriceTerms) -> bool:
    """Return whether a written bill has the areas of an order, in all and of each line."""
    found = bill(areas_cm2, terms)
    lines = sorted((line.area_km2, line.billable_km2) for line in found.lines)
    stated = sorted((Decimal(one["area_km2"]), Decimal(one["billable_km2"])) for one in written["lines"])
    total = (
        (found.area_km2, found.billable_km2),
        (Decimal(written["area_km2"]), Decimal(written["billable_km2"])),
    )
    return len(lines) == len(stated) and all(
        _is_alike(one, other)
        for pair in (*zip(lines, stated, strict=True), total)
        for one, other in zip(*pair, strict=True)
    )


def _is_alike(one: Decimal, other: Decimal) -> bool:
    return abs(to_cm2(one) - to_cm2(other)) <= 1 + ALIKE * abs(to_cm2(one))
