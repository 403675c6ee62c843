"""The values of a plan's page: its picture, the patches of a tile, the bill, and what can be done next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.bundles.card import images_measured
from service.bundles.predictor import Predictor
from service.dashboard.patch_rows import order_shapes, tile_rows
from service.dashboard.plan_picture import Drawing, draw
from service.dashboard.standing import WORDS, PlanStanding, standings
from service.dashboard.windows import Window, whole, window_of
from service.database.engine import Database
from service.imagery.tile_grid import TileGrid
from service.ledger.repository import Budget, list_budgets
from service.orders.tables import GIVEN_UP, Order
from service.plans.alternatives import Alternatives
from service.plans.alternatives_schemas import Spending
from service.plans.arrays import PlanArrays
from service.plans.bills import bill_of
from service.plans.reading import grid_of
from service.plans.repository import find_priced_plan, superseding
from service.plans.schemas import PlanSummary
from service.plans.tables import Plan, Scene
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from service.web.licences import licence_note
from service.web.paging import PageRequest

MOST_BUDGETS = 100
"""Most budgets that can be chosen to pay."""
TILES_NAMED = 12
"""Most tiles with useful bought patches that the page names."""


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """A plan with everything about it that the database holds."""

    plan: Plan
    scene: Scene
    price_list: PriceList
    standing: PlanStanding
    order: Order | None
    """The order that buys it."""
    newer: UUID | None
    """The plan that replaces it."""
    budgets: Sequence[Budget]
    """Budgets in the plan's currency."""

    @property
    def grid(self) -> TileGrid:
        """Grid of the scene's tiles."""
        return grid_of(self.scene)


@dataclass(frozen=True, kw_only=True)
class UsefulTile:
    """A tile with the sum of the utilities of its bought patches."""

    tile: int
    bought: int
    utility: float


def read_record(database: Database, workspace_id: UUID, plan_id: UUID) -> PlanRecord:
    """Read a plan with its order and the budgets that could pay; NotFoundError outside the workspace."""
    with database.sessions() as session:
        plan, scene, price_list = find_priced_plan(session, workspace_id, plan_id)
        budgets, _ = list_budgets(session, workspace_id, PageRequest(MOST_BUDGETS, None))
        return PlanRecord(
            plan=plan,
            scene=scene,
            price_list=price_list,
            standing=standings(session, [plan_id])[plan_id],
            order=_order_of(session, plan_id),
            newer=superseding(session, plan_id),
            budgets=[one for one in budgets if one.currency == plan.currency],
        )


def _order_of(session: Session, plan_id: UUID) -> Order | None:
    query = select(Order).where(Order.plan_id == plan_id, Order.status.not_in(GIVEN_UP))
    return session.scalars(query).one_or_none()


def page_values(
    record: PlanRecord, predictor: Predictor | None, window: str | None, tile: int | None
) -> dict[str, Any]:
    """Return the values of the template `plan.html`. Opens no session.

    `predictor` is the plan's bundle, if the server holds it. InvalidInputError for a window or a tile that
    the scene does not have.
    """
    plan, grid, arrays = record.plan, record.grid, PlanArrays.of(record.plan)
    terms, shown = terms_of(record.price_list), window_of(grid, window, tile)
    summary = PlanSummary.summarise(plan, record.scene)
    return {
        "record": record,
        "plan": summary,
        "standing": WORDS[record.standing],
        "bill": bill_of(plan, record.price_list),
        "price_list": described(record.price_list),
        "licence": licence_note(summary.licence),
        "drawing": drawing_of(record, arrays, shown),
        "moves": moves(grid, shown),
        "is_whole": shown == whole(grid),
        "tile": tile,
        "patches": [] if tile is None else tile_rows(plan, record.scene, terms, tile),
        "useful_tiles": useful_tiles(arrays),
        "spending": three_ways(record, predictor),
    }


def drawing_of(record: PlanRecord, arrays: PlanArrays, window: Window) -> Drawing:
    """Draw a window of a plan; only one whose patches are drawn needs the order shapes."""
    terms = terms_of(record.price_list)
    shapes = order_shapes(record.plan, record.scene, terms, window) if window.is_detailed else ()
    return draw(record.grid, arrays, shapes, window)


def moves(grid: TileGrid, window: Window) -> list[tuple[str, str]]:
    """Return the directions in which a window can be moved, each with the window that it leads to."""
    directions = (("West", -1, 0), ("North", 0, -1), ("South", 0, 1), ("East", 1, 0))
    found = ((name, window.moved(grid, across, down)) for name, across, down in directions)
    return [(name, one.text) for name, one in found if one is not None]


def useful_tiles(arrays: PlanArrays) -> list[UsefulTile]:
    """Return the tiles whose bought patches have the highest sums of utilities, the highest first."""
    worth = (arrays.utilities * arrays.selected).sum(axis=1, dtype=np.float64)
    best = np.argsort(-worth, kind="stable")[:TILES_NAMED]
    return [
        UsefulTile(tile=int(tile), bought=int(arrays.selected[tile].sum()), utility=float(worth[tile]))
        for tile in best
        if arrays.selected[tile].any()
    ]


def three_ways(record: PlanRecord, predictor: Predictor | None) -> list[Spending]:
    """Return what buying nothing, the chosen patches and everything costs and brings."""
    found = Alternatives(
        plan=record.plan,
        scene=record.scene,
        terms=terms_of(record.price_list),
        bought=PlanArrays.of(record.plan).selected,
        money=record.plan.cost,
        predictor=predictor,
    )
    images = None if predictor is None else images_measured(predictor.manifest)
    return [Spending.of(one, images) for one in found.extremes()]


def described(price_list: PriceList) -> str:
    """Describe a price list in a line."""
    example = " (an example, not an offer)" if price_list.example else ""
    return f"{price_list.provider}: {price_list.name}, version {price_list.version}{example}"
