"""The ground that the filters of the map choose, complete, as a file for a GIS or a table."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from service.dashboard.exports import READ_AT_ONCE, csv_parts, streamed
from service.dashboard.ground import MappedGround, Places
from service.dashboard.ground_map import read_grids
from service.dashboard.ground_reading import places_now
from service.dashboard.map_filter import MapFilters
from service.dashboard.rendering import iso
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.reports.kept import kept_figures_of
from service.web.tabular import Columns

router = APIRouter(prefix=PATH, include_in_schema=False)
GROUND_COLUMNS: Columns = {
    "id": "text", "document": "text", "status": "text", "created_at": "time", "patches": "integer",
    "currency": "text", "cost": "money", "longitude": "text", "latitude": "text",
}  # fmt: skip
"""`longitude` and `latitude` are those of the middle of the scene, in degrees on WGS 84."""


@router.get("/map.{kind}", name="map_file")
def ground(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    kind: Literal["csv", "geojson"],
    filters: Annotated[MapFilters, Query()],
) -> Response:
    """Send all ground that the filters choose, newest first."""
    places = filters.choose(places_now(kept_figures_of(request), database, visitor.workspace_id).places)
    if kind == "csv":
        return streamed("map.csv", csv_parts(GROUND_COLUMNS, (_row(MappedGround(one)) for one in places)))
    return streamed("map.geojson", _geojson(database, places))


def _row(one: MappedGround) -> Sequence[object]:
    # Numbers, for a text that begins with a minus is guarded against spreadsheets; never with an exponent.
    longitude, latitude = (Decimal(f"{degrees:.6f}") for degrees in one.middle)
    return (
        str(one.id), one.noun.lower(), one.kind, one.at, one.patches, one.cost.currency,
        Decimal(one.cost.amount), longitude, latitude,
    )  # fmt: skip


def _geojson(database: Database, places: Places) -> Iterator[str]:
    yield '{"type":"FeatureCollection","features":['
    for first in range(0, len(places), READ_AT_ONCE):
        part = places[first : first + READ_AT_ONCE]
        with database.sessions() as session:
            grids = read_grids(session, part)
        for number, (place, grid) in enumerate(zip(part, grids, strict=True), start=first):
            feature = _feature(MappedGround(place), grid.footprint_wgs84())
            yield ("," if number else "") + json.dumps(feature, separators=(",", ":"))
    yield "]}"


def _feature(one: MappedGround, outline: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "document": one.noun.lower(),
        "status": one.kind,
        "created_at": iso(one.at),
        "patches": one.patches,
        "cost": float(one.cost.amount),
        "currency": one.cost.currency,
    }
    return {"type": "Feature", "id": str(one.id), "geometry": outline, "properties": properties}
