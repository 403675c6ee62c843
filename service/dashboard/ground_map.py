"""The map: ground that is owned, on order and planned, by status, cost and date. Reads only."""

from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from service.dashboard.frame import show
from service.dashboard.ground import KINDS, NAMES, MappedGround, Places
from service.dashboard.ground_reading import grids_of, places_now
from service.dashboard.map_drawing import MapDrawing, Ring, draw_map
from service.dashboard.map_filter import MapFilters
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.imagery.tile_grid import TileGrid
from service.pricing.repository import currencies_of
from service.reports.kept import kept_figures_of

router = APIRouter(prefix=f"{PATH}/map", include_in_schema=False)
ROWS = 50
"""Rows of the table on one page."""


class MapQuery(MapFilters):
    """The filters, and the page of the table."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1


@router.get("", name="show_map")
def ground_map(
    request: Request, visitor: VisitorDep, database: DatabaseDep, query: Annotated[MapQuery, Query()]
) -> Response:
    """Show the ground that fits the filters: all of it on the map, and a page of it in the table."""
    filters = MapFilters.model_validate(query.model_dump(exclude={"page"}))
    kept, workspace_id = kept_figures_of(request), visitor.workspace_id
    now = places_now(kept, database, workspace_id)
    places = filters.choose(now.places)

    def draw() -> MapDrawing | None:
        with database.sessions() as session:
            return draw_map(places, lambda some: read_outlines(session, some), filters.part)

    if filters.box:  # there are many parts, most of them with few places
        drawing = draw()
    else:
        # Places only expire while their basis stays, so as many of them are the same ones.
        key, basis = (workspace_id, "map", filters.query), (now.basis, len(places))
        drawing = kept.value(key, basis, draw, lambda _: 1)
    with database.sessions() as session:
        currencies = currencies_of(session, workspace_id)
    values = table_values(places, query.page) | {"drawing": drawing, "currencies": currencies}
    return show(request, visitor, "map.html", filters=filters, kinds=KINDS, **values)


def table_values(places: Places, page: int) -> dict[str, Any]:
    """Return the values of the template `map.html` for a page of the table, the last one if it has fewer."""
    pages = max(ceil(len(places) / ROWS), 1)
    page = min(page, pages)
    first = (page - 1) * ROWS
    return {
        "ground": [MappedGround(one) for one in places[first : first + ROWS]],
        "first": first + 1,
        "total": len(places),
        "page": page,
        "pages": pages,
    }


def read_outlines(session: Session, places: Places) -> list[Sequence[Ring]]:
    """Return the outer rings of the scenes of places, longitude and latitude."""
    return [rings_of(grid) for grid in read_grids(session, places)]


def read_grids(session: Session, places: Places) -> list[TileGrid]:
    """Return the grids of the scenes of places."""
    planned = places["kind"] == NAMES.index("planned")
    orders, plans = ([MappedGround(one).id for one in places[some]] for some in (~planned, planned))
    grids = grids_of(session, orders, plans)
    return [grids[MappedGround(one).id] for one in places]


def rings_of(grid: TileGrid) -> Sequence[Ring]:
    """Return the outer rings of a grid's outline."""
    drawn = grid.footprint_wgs84()
    parts = drawn["coordinates"] if drawn["type"] == "MultiPolygon" else [drawn["coordinates"]]
    return [part[0] for part in parts]
