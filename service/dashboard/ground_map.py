"""The map: ground that is owned, on order and planned, by status, cost and date. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.dashboard.filter_fields import read_currency
from service.dashboard.frame import show
from service.dashboard.map_drawing import MapItem, Ring, draw_map, read_box
from service.dashboard.plan_list import days_of
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, VisitorDep
from service.dashboard.standing import PlanStanding, stands
from service.database.engine import DatabaseDep
from service.errors import InvalidInputError
from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.orders.tables import OPEN, STATUS_NOW, Delivery, Order
from service.plans.tables import Plan, Scene
from service.pricing.repository import currencies_of
from service.web.money import MoneyOut

router = APIRouter(prefix=f"{PATH}/map", include_in_schema=False)
MOST = 150
"""Most orders, and most plans, on the map."""
LOOKED_AT = 2 * MOST
"""Newest plans that are looked at before all: nearly always, enough of them can be ordered."""
KINDS = {"owned": "Owned", "ordered": "On order", "planned": "Planned"}
"""Kinds of ground, as the page names them."""
Text = Annotated[str, Field(max_length=80)]


@dataclass(frozen=True)
class SceneOutline:
    """The middle and the outer rings of a scene, longitude and latitude."""

    centre: tuple[float, float]
    rings: Sequence[Ring]


@lru_cache(maxsize=1_024)
def scene_outline(grid: TileGrid) -> SceneOutline:
    """Return the outline of a grid. The newest ground is shown again and again, and each takes 0.1 ms."""
    lon, lat = grid.centre_wgs84().tolist()
    drawn = grid.footprint_wgs84()
    parts = drawn["coordinates"] if drawn["type"] == "MultiPolygon" else [drawn["coordinates"]]
    return SceneOutline((lon, lat), [part[0] for part in parts])


@dataclass(frozen=True, kw_only=True)
class MappedGround:
    """An order, or a plan that can be ordered, with the outline of its scene."""

    kind: str
    id: UUID
    href: str
    at: datetime
    cost: MoneyOut
    patches: int
    grid: TileGrid

    @property
    def noun(self) -> str:
        """`Plan` or `Order`."""
        return "Plan" if self.kind == "planned" else "Order"

    @property
    def centre(self) -> str:
        """Latitude and longitude of the scene's middle."""
        lon, lat = scene_outline(self.grid).centre
        return f"{abs(lat):.4f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.4f}° {'E' if lon >= 0 else 'W'}"

    def item(self) -> MapItem:
        """Return the ground as the map draws it."""
        money = in_text(self.cost)
        title = f"{KINDS[self.kind]}: {self.noun.lower()} {str(self.id)[:8]}, {money}"
        return MapItem(kind=self.kind, href=self.href, title=title, rings=scene_outline(self.grid).rings)


class MapFilters(BaseModel):
    """Filters of the map, as its form shows them again."""

    model_config = ConfigDict(frozen=True)

    kind: Text = ""
    first_day: Text = ""
    last_day: Text = ""
    currency: Text = ""
    at_least: Text = ""
    box: Text = ""

    @property
    def are_set(self) -> bool:
        """Whether ground is left out at all."""
        return any((self.kind, self.first_day, self.last_day, self.currency, self.at_least, self.box))

    @property
    def kinds(self) -> set[str]:
        """Kinds of ground that are shown; InvalidInputError for an unknown one."""
        if self.kind not in {"", *KINDS}:
            raise InvalidInputError(
                f"{self.kind!r} is no status of ground. Choose one of {', '.join(KINDS)}."
            )
        return {self.kind} if self.kind else set(KINDS)

    def conditions(
        self,
        made: InstrumentedAttribute[datetime],
        currency: InstrumentedAttribute[str],
        minor: InstrumentedAttribute[int],
    ) -> list[ColumnElement[bool]]:
        """Return the conditions on a time and an amount; InvalidInputError for what is neither."""
        found = days_of(self.first_day, self.last_day).hold(made)
        if self.at_least and not self.currency:
            raise InvalidInputError("Choose the currency of the least cost: money is never converted.")
        if self.currency:
            found.append(currency == read_currency(self.currency))
        if self.at_least:
            found.append(minor >= Money.parse(self.at_least.strip(), self.currency).minor)
        return found


@router.get("", name="show_map")
def ground_map(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    filters: Annotated[MapFilters, Query()],
) -> Response:
    """Show the newest ground that fits the filters, as a map and as a table."""
    with database.sessions() as session:
        ground = read_ground(session, visitor.workspace_id, filters)
        currencies = currencies_of(session, visitor.workspace_id)
    return show(request, visitor, "map.html", currencies=currencies, **page_values(ground, filters))


def page_values(ground: Sequence[MappedGround], filters: MapFilters) -> dict[str, Any]:
    """Return the values of the template `map.html` that depend on the ground."""
    box = read_box(filters.box) if filters.box else None
    items = [one.item() for one in ground]
    inside = [one for one, item in zip(ground, items, strict=True) if box is None or box.meets(item.box)]
    return {
        "drawing": draw_map(items, box),
        "ground": inside,
        "filters": filters,
        "kinds": KINDS,
        "most": MOST,
        "is_cut": _is_cut(ground),
    }


def _is_cut(ground: Sequence[MappedGround]) -> bool:
    plans = sum(one.kind == "planned" for one in ground)
    return MOST in {plans, len(ground) - plans}


def read_ground(session: Session, workspace_id: UUID, filters: MapFilters) -> list[MappedGround]:
    """Return the newest orders that own or await patches, and the newest plans that can be ordered."""
    kinds = filters.kinds
    orders = _orders(session, workspace_id, filters, kinds) if kinds & {"owned", "ordered"} else []
    plans = _plans(session, workspace_id, filters) if "planned" in kinds else []
    return sorted([*orders, *plans], key=lambda one: one.at, reverse=True)


def _orders(session: Session, workspace_id: UUID, filters: MapFilters, kinds: set[str]) -> list[MappedGround]:
    is_open = STATUS_NOW.in_(OPEN)
    wanted = {"owned": ~is_open & exists().where(Delivery.order_id == Order.id), "ordered": is_open}
    chosen = [condition for kind, condition in wanted.items() if kind in kinds]
    query = (
        select(Order, STATUS_NOW, Scene.reading["grid"])
        .join(Plan, Plan.id == Order.plan_id)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Order.workspace_id == workspace_id, or_(*chosen))
        .where(*filters.conditions(Order.created_at, Order.currency, Order.amount_minor))
        .order_by(Order.created_at.desc())
        .limit(MOST)
    )
    return [
        MappedGround(
            kind="ordered" if status in OPEN else "owned",
            id=order.id,
            href=f"{PATH}/orders/{order.id}",
            at=order.created_at,
            cost=MoneyOut.of(order.planned),
            patches=order.patches,
            grid=TileGrid.from_json(grid),
        )
        for order, status, grid in session.execute(query)
    ]


def _plans(session: Session, workspace_id: UUID, filters: MapFilters) -> list[MappedGround]:
    columns = (Plan.id, Plan.created_at, Plan.cost_minor, Plan.currency, Plan.patches_bought)
    query = (
        select(*columns, Scene.reading["grid"])
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Plan.workspace_id == workspace_id, stands(PlanStanding.OPEN))
        .where(*filters.conditions(Plan.created_at, Plan.currency, Plan.cost_minor))
        .order_by(Plan.created_at.desc())
        .limit(MOST)
    )
    # The database cannot tell how many plans are open, and may look at all of them to sort a few.
    newest = select(Plan.id).where(Plan.workspace_id == workspace_id).order_by(Plan.created_at.desc())
    rows = session.execute(query.where(Plan.id.in_(newest.limit(LOOKED_AT)))).all()
    return [
        MappedGround(
            kind="planned",
            id=plan_id,
            href=f"{PATH}/plans/{plan_id}",
            at=at,
            cost=MoneyOut.minor(minor, currency),
            patches=patches,
            grid=TileGrid.from_json(grid),
        )
        for plan_id, at, minor, currency, patches, grid in (
            rows if len(rows) == MOST else session.execute(query)
        )
    ]
