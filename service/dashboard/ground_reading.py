"""The places on the map as they are now, kept in the process until orders or plans change (record 53)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import Select, case, exists, func, literal, literal_column, null, or_, select
from sqlalchemy.orm import Session

from service.dashboard.ground import FOR_EVER, NAMES, PLACE, Places, in_utc
from service.dashboard.standing import IS_ORDERED, IS_REPLACED
from service.database.engine import Database
from service.imagery.extents import extents_wgs84
from service.imagery.tile_grid import TileGrid
from service.orders.tables import OPEN, STATUS_NOW, Delivery, Order
from service.plans.tables import Plan, Scene
from service.reports.basis import FiguresBasis, read_basis
from service.reports.kept import SNAPSHOT, KeptFigures

PLACES_PER_ORDER = 150
"""Places that take as much memory as a counted order."""
AT_ONCE = 10_000
"""Rows in memory at a time, apart from the places."""


class _Row(NamedTuple):
    kind: str
    id: UUID
    made: datetime
    until: datetime | None
    minor: int
    currency: str
    patches: int
    grid: dict[str, Any]


class PlacesNow(NamedTuple):
    """Places, and their basis: equal ones have equal places."""

    places: Places
    basis: FiguresBasis


def places_now(kept: KeptFigures, database: Database, workspace_id: UUID) -> PlacesNow:
    """Return every order that owns or awaits patches and every plan that can be ordered, newest first.

    Plans whose prices expire while the places are kept are still in them; `until` tells.
    """
    with database.sessions() as session:
        basis = read_basis(session, workspace_id)

    def ordered() -> Places:
        return _read(database, _orders(workspace_id))

    def all_places() -> Places:
        orders = kept.value((workspace_id, "ordered ground"), basis.orders, ordered, _size)
        places = np.concatenate([orders, _read(database, _plans(workspace_id))])
        return places[np.argsort(places["made"], kind="stable")[::-1]]

    return PlacesNow(kept.value((workspace_id, "ground"), basis, all_places, _size), basis)


def grids_of(session: Session, orders: Sequence[UUID], plans: Sequence[UUID]) -> dict[UUID, TileGrid]:
    """Return the grids of the scenes of orders and plans, by the ids of these."""
    of_orders = (
        select(Order.id, Scene.reading["grid"])
        .join(Plan, Plan.id == Order.plan_id)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Order.id.in_(orders))
    )
    of_plans = select(Plan.id, Scene.reading["grid"]).join(Scene, Scene.id == Plan.scene_id)
    rows = [*session.execute(of_orders), *session.execute(of_plans.where(Plan.id.in_(plans)))]
    return {row_id: TileGrid.from_json(grid) for row_id, grid in rows}


def _size(places: Places) -> int:
    return len(places) // PLACES_PER_ORDER


def _orders(workspace_id: UUID) -> Select[Any]:
    is_open = STATUS_NOW.in_(OPEN)
    kind = case((is_open, literal("ordered")), else_=literal("owned"))
    columns = (Order.id, Order.created_at, null(), Order.amount_minor, Order.currency, Order.patches)
    return (
        select(kind, *columns, Scene.reading["grid"])
        .join(Plan, Plan.id == Order.plan_id)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Order.workspace_id == workspace_id)
        .where(or_(is_open, exists().where(Delivery.order_id == Order.id)))
    )


def _plans(workspace_id: UUID) -> Select[Any]:
    columns = (Plan.id, Plan.created_at, Plan.expires_at, Plan.cost_minor, Plan.currency, Plan.patches_bought)
    # Written out, as in the index: the database does not look into a parameter.
    buys = Plan.patches_bought > literal_column("0")
    return (
        select(literal("planned"), *columns, Scene.reading["grid"])
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Plan.workspace_id == workspace_id, buys, Plan.expires_at > func.now())
        .where(~IS_ORDERED, ~IS_REPLACED)
    )


def _read(database: Database, query: Select[Any]) -> Places:
    with database.sessions() as session:
        session.execute(SNAPSHOT)
        rows = session.execute(query.execution_options(yield_per=AT_ONCE)).partitions()
        parts = [_places([_Row(*row) for row in part]) for part in rows]
    return np.concatenate(parts) if parts else np.zeros(0, PLACE)


def _places(rows: Sequence[_Row]) -> Places:
    places = np.zeros(len(rows), PLACE)
    places["kind"] = [NAMES.index(one.kind) for one in rows]
    places["id"] = np.frombuffer(b"".join(one.id.bytes for one in rows), "V16")
    places["made"] = [in_utc(one.made) for one in rows]
    places["until"] = [FOR_EVER if one.until is None else in_utc(one.until) for one in rows]
    places["minor"] = [one.minor for one in rows]
    places["currency"] = [one.currency for one in rows]
    places["patches"] = [one.patches for one in rows]
    places["extent"] = extents_wgs84([TileGrid.from_json(one.grid) for one in rows])
    return places
