"""The ground that is owned, on order and planned, as arrays: a million places are filtered at once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from service.dashboard.rendering import in_text
from service.dashboard.session import PATH
from service.web.money import MoneyOut

KINDS: Mapping[str, str] = MappingProxyType({"owned": "Owned", "ordered": "On order", "planned": "Planned"})
"""Kinds of ground, as the page names them."""
NAMES = tuple(KINDS)
"""The kind of each number in `PLACE`."""
PLACE = np.dtype(
    [
        ("kind", "i1"),
        ("id", "V16"),
        ("made", "M8[us]"),
        ("until", "M8[us]"),  # a plan can be ordered until then
        ("minor", "i8"),
        ("currency", "S3"),
        ("patches", "i4"),
        ("extent", "f8", 4),  # of the whole scene, as `imagery.extents` describes it
    ]
)
"""An order that owns or awaits patches, or a plan that can be ordered."""
FOR_EVER = np.datetime64("9999-01-01", "us")

Places = NDArray[np.void]
"""Places (N,) of the type `PLACE`, newest first."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MappedGround:
    """One place, as pages and files name it."""

    place: Any

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return NAMES[int(self.place["kind"])]

    @property
    def id(self) -> UUID:
        """Id of its order or plan."""
        return UUID(bytes=self.place["id"].tobytes())

    @property
    def noun(self) -> str:
        """`Plan` or `Order`."""
        return "Plan" if self.kind == "planned" else "Order"

    @property
    def href(self) -> str:
        """Address of its page."""
        return f"{PATH}/{self.noun.lower()}s/{self.id}"

    @property
    def at(self) -> datetime:
        """When it was made."""
        made: datetime = self.place["made"].item()
        return made.replace(tzinfo=UTC)

    @property
    def cost(self) -> MoneyOut:
        """Planned cost of its patches."""
        return MoneyOut.minor(int(self.place["minor"]), self.place["currency"].decode())

    @property
    def patches(self) -> int:
        """Number of its patches."""
        return int(self.place["patches"])

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the scene's extent."""
        west, south, east, north = self.place["extent"].tolist()
        return ((west + east) / 2 + 180) % 360 - 180, (south + north) / 2

    @property
    def centre(self) -> str:
        """Its middle in words."""
        lon, lat = self.middle
        return f"{abs(lat):.4f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.4f}° {'E' if lon >= 0 else 'W'}"

    @property
    def title(self) -> str:
        """Its kind, name and cost."""
        return f"{KINDS[self.kind]}: {self.noun.lower()} {str(self.id)[:8]}, {in_text(self.cost)}"


def on_days(made: NDArray[np.datetime64], starts: datetime | None, ends: datetime | None) -> Mask:
    """Return which times (N,) lie from `starts` until before `ends`; None sets no limit."""
    chosen = np.ones(len(made), dtype=bool)
    if starts is not None:
        chosen &= made >= in_utc(starts)
    if ends is not None:
        chosen &= made < in_utc(ends)
    return chosen


def in_utc(moment: datetime) -> np.datetime64:
    """Return a time as arrays have it."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
