"""The places on the map as they are now: kept in the process, and kept up with what is new (record 53)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, literal, null, select
from sqlalchemy.orm import Session

from service.dashboard.ground import FOR_EVER, PLACE, Places, in_utc
from service.dashboard.ground_shown import order_is_shown, plan_is_shown, read_shown
from service.database.engine import Database
from service.imagery.extents import extents_wgs84
from service.imagery.tile_grid import TileGrid
from service.orders.tables import Order
from service.plans.tables import Plan, Scene
from service.reports.basis import FiguresBasis, read_basis
from service.reports.kept import SNAPSHOT, KeptFigures

PLACES_PER_ORDER = 150
"""Places that take as much memory as a counted order."""
AT_ONCE = 10_000
"""Rows in memory at a time, apart from the places, and most rows that are looked up by their ids."""
GRID = Scene.reading["grid"]


class _Row(NamedTuple):
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

    def read(known: Places | None) -> Places:
        with database.sessions() as session:
            session.execute(SNAPSHOT)
            return read_places(session, workspace_id, known)

    return PlacesNow(kept.kept_up((workspace_id, "ground"), basis, read, _size), basis)


def read_places(session: Session, workspace_id: UUID, known: Places | None = None) -> Places:
    """Return all places of a workspace in a session that reads one snapshot, newest first.

    `known` are its places at any other time. Of these, only ids and kinds are read again: all else of a plan
    or order stays as it was made, and no id is used twice.
    """
    shown = read_shown(session, workspace_id)
    known = np.zeros(0, PLACE) if known is None else known
    new = shown["id"][~np.isin(shown["id"], known["id"])]
    if len(new) > AT_ONCE:  # looking up each would take longer
        known = _read(session, plan_is_shown(workspace_id), order_is_shown(workspace_id))
    else:
        ids = literal([UUID(bytes=one.tobytes()) for one in new], ARRAY(Uuid))
        known = np.concatenate([known, _read(session, Plan.id == any_(ids), Order.id == any_(ids))])
    _, there, here = np.intersect1d(known["id"], shown["id"], assume_unique=True, return_indices=True)
    places = known[there]
    places["kind"] = shown["kind"][here]
    return places[_newest_first(places)]


def grids_of(session: Session, orders: Sequence[UUID], plans: Sequence[UUID]) -> dict[UUID, TileGrid]:
    """Return the grids of the scenes of orders and plans, by the ids of these."""
    of_orders = _orders().with_only_columns(Order.id, GRID).where(Order.id.in_(orders))
    of_plans = _plans().with_only_columns(Plan.id, GRID).where(Plan.id.in_(plans))
    rows = [*session.execute(of_orders), *session.execute(of_plans)]
    return {row_id: TileGrid.from_json(grid) for row_id, grid in rows}


def _size(places: Places) -> int:
    return len(places) // PLACES_PER_ORDER


def _newest_first(places: Places) -> NDArray[np.intp]:
    """Return the order of places by time, and by id among those of one time."""
    high, low = np.ascontiguousarray(places["id"]).view(">u8").reshape(-1, 2).T
    return np.lexsort((low, high, places["made"]))[::-1]


def _orders() -> Select[Any]:
    columns = (Order.id, Order.created_at, null(), Order.amount_minor, Order.currency, Order.patches)
    return select(*columns, GRID).join(Plan, Plan.id == Order.plan_id).join(Scene, Scene.id == Plan.scene_id)


def _plans() -> Select[Any]:
    columns = (Plan.id, Plan.created_at, Plan.expires_at, Plan.cost_minor, Plan.currency, Plan.patches_bought)
    return select(*columns, GRID).join(Scene, Scene.id == Plan.scene_id)


def _read(session: Session, plans: ColumnElement[bool], orders: ColumnElement[bool]) -> Places:
    """Return the places of the plans and orders that meet these conditions, all of kind 0."""
    parts = [np.zeros(0, PLACE)]
    for query in (_plans().where(plans), _orders().where(orders)):
        rows = session.execute(query.execution_options(yield_per=AT_ONCE)).partitions()
        parts += [_described([_Row(*row) for row in part]) for part in rows]
    return np.concatenate(parts)


def _described(rows: Sequence[_Row]) -> Places:
    places = np.zeros(len(rows), PLACE)
    places["id"] = np.frombuffer(b"".join(one.id.bytes for one in rows), "V16")
    places["made"] = [in_utc(one.made) for one in rows]
    places["until"] = [FOR_EVER if one.until is None else in_utc(one.until) for one in rows]
    places["minor"] = [one.minor for one in rows]
    places["currency"] = [one.currency for one in rows]
    places["patches"] = [one.patches for one in rows]
    places["extent"] = extents_wgs84([TileGrid.from_json(one.grid) for one in rows])
    return places
