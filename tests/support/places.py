"""Places on the map that nobody stored."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from service.dashboard.ground import FOR_EVER, NAMES, PLACE, Places, in_utc
from service.dashboard.map_drawing import Ring

MADE = datetime(2026, 11, 1, tzinfo=UTC)


def square(lon: float, lat: float, side: float, kind: str = "owned") -> Places:
    """Return one place, a square of a side in degrees whose south-western corner is given."""
    return place((lon, lat, lon + side, lat + side), kind)


def place(extent: Sequence[float], kind: str = "owned") -> Places:
    """Return one place of an extent: west, south, east, north."""
    (one,) = np.zeros((1, 1), PLACE)
    one["kind"], one["extent"] = NAMES.index(kind), extent
    one["id"] = np.frombuffer(UUID(int=hash(tuple(extent)) % 2**128).bytes, "V16")
    one["made"], one["until"], one["currency"] = in_utc(MADE), FOR_EVER, b"USD"
    return one


def squares(places: Places) -> list[Sequence[Ring]]:
    """Return the outlines of places that are as large as their extents."""
    return [
        [[(west, south), (east, south), (east, north), (west, north), (west, south)]]
        for west, south, east, north in places["extent"].tolist()
    ]
