"""A map of outlines without a basemap: an equirectangular drawing with clusters and a graticule. Pure.

Longitudes are shortened by the cosine of the middle latitude, so shapes keep their proportions there.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, cos, floor, log10, radians

from service.dashboard.chart import nice_step
from service.errors import InvalidInputError

WIDTH = 1000.0
"""Width of a drawing in its own units."""
LOWEST, HIGHEST = 320.0, 640.0
"""Least and largest height of a drawing."""
MARGIN = 0.08
"""Share of the extent that stays free on each side."""
LEAST_DEGREES = 0.005
"""Least extent of a map, about 500 m."""
SMALL = 10.0
"""Size of an outline in units below which it is drawn as a point."""
CELL = 48.0
"""Side of the square in which points become one cluster."""
LINES = 6
"""Most lines of the graticule along each axis."""
_BOX = re.compile(r"-?\d+(\.\d+)?(,-?\d+(\.\d+)?){3}")

Ring = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Box:
    """An extent in degrees."""

    west: float
    south: float
    east: float
    north: float

    @property
    def text(self) -> str:
        """The box as an address names it."""
        return f"{self.west:.5f},{self.south:.5f},{self.east:.5f},{self.north:.5f}"

    def meets(self, other: "Box") -> bool:
        """Return whether two boxes have common ground."""
        across = self.west <= other.east and other.west <= self.east
        return across and self.south <= other.north and other.south <= self.north

    def grown(self) -> "Box":
        """Return the box with a margin and at least the least extent."""
        across = max(self.east - self.west, LEAST_DEGREES) * (0.5 + MARGIN)
        down = max(self.north - self.south, LEAST_DEGREES) * (0.5 + MARGIN)
        lon, lat = (self.west + self.east) / 2, (self.south + self.north) / 2
        return Box(lon - across, lat - down, lon + across, lat + down)


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around at least one box."""
    west, south, east, north = zip(
        *((one.west, one.south, one.east, one.north) for one in boxes), strict=True
    )
    return Box(min(west), min(south), max(east), max(north))


def read_box(text: str) -> Box:
    """Read a box that an address names; InvalidInputError for another text."""
    if _BOX.fullmatch(text):
        box = Box(*map(float, text.split(",")))
        if -540 <= box.west < box.east <= 540 and -90.5 <= box.south < box.north <= 90.5:
            return box
    raise InvalidInputError(
        f"{text!r} is no part of the map. Give west, south, east and north in degrees, such as "
        "12.9,53.8,13.1,54."
    )


@dataclass(frozen=True, kw_only=True)
class MapItem:
    """Ground with an outline, and the page that it leads to."""

    kind: str
    href: str
    title: str
    rings: Sequence[Ring]
    """Outlines in degrees, longitude first."""

    @cached_property
    def box(self) -> Box:
        """Extent of the outlines."""
        lon, lat = zip(*(point for ring in self.rings for point in ring), strict=True)
        return Box(min(lon), min(lat), max(lon), max(lat))


@dataclass(frozen=True, kw_only=True)
class DrawnItem:
    """An item that is large enough to be drawn."""

    kind: str
    href: str
    title: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Items that are too small or too close to be drawn apart."""

    x: float
    y: float
    radius: float
    count: int
    kind: str
    """Kind of all its items, or `mixed`."""
    title: str
    href: str | None
    """Page of the only item."""
    box: str
    """Part of the map that shows them apart."""


@dataclass(frozen=True, kw_only=True)
class GridLine:
    """A meridian or parallel: its place along its axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class MapDrawing:
    """Everything that the template of the map draws."""

    height: float
    outlines: Sequence[DrawnItem]
    clusters: Sequence[Cluster]
    meridians: Sequence[GridLine]
    parallels: Sequence[GridLine]


@dataclass(frozen=True, kw_only=True)
class _Projection:
    box: Box
    across: float
    down: float
    height: float

    @classmethod
    def around(cls, box: Box) -> "_Projection":
        """Fit a box into the drawing."""
        shrink = max(cos(radians((box.south + box.north) / 2)), 0.05)
        width, depth = (box.east - box.west) * shrink, box.north - box.south
        height = min(max(WIDTH * depth / width, LOWEST), HIGHEST)
        scale = min(WIDTH / width, height / depth)
        # The box stays in the middle of what is left over.
        lon, lat = (box.west + box.east) / 2, (box.south + box.north) / 2
        half_lon, half_lat = WIDTH / scale / shrink / 2, height / scale / 2
        shown = Box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
        return cls(box=shown, across=scale * shrink, down=scale, height=round(height, 1))

    def x(self, lon: float) -> float:
        return round((lon - self.box.west) * self.across, 1)

    def y(self, lat: float) -> float:
        return round((self.box.north - lat) * self.down, 1)


def draw_map(items: Sequence[MapItem], box: Box | None = None) -> MapDrawing | None:
    """Draw items in a box, by default around all of them; None if nothing lies there."""
    shown = items if box is None else [one for one in items if box.meets(one.box)]
    if not shown:
        return None
    projection = _Projection.around(union(one.box for one in shown).grown() if box is None else box)
    small = [one for one in shown if _is_small(one, projection)]
    large = [one for one in shown if not _is_small(one, projection)]
    return MapDrawing(
        height=projection.height,
        outlines=[_outline(one, projection) for one in large],
        clusters=_clusters(small, projection),
        meridians=_lines(projection.box.west, projection.box.east, projection.x, "E", "W"),
        parallels=_lines(projection.box.south, projection.box.north, projection.y, "N", "S"),
    )


def _is_small(item: MapItem, projection: _Projection) -> bool:
    box = item.box
    across, down = (box.east - box.west) * projection.across, (box.north - box.south) * projection.down
    return max(across, down) < SMALL


def _outline(item: MapItem, projection: _Projection) -> DrawnItem:
    rings = ("L".join(f"{projection.x(lon)} {projection.y(lat)}" for lon, lat in ring) for ring in item.rings)
    path = "".join(f"M{ring}z" for ring in rings)
    return DrawnItem(kind=item.kind, href=item.href, title=item.title, path=path)


def _clusters(items: Sequence[MapItem], projection: _Projection) -> list[Cluster]:
    cells = defaultdict[tuple[int, int], list[MapItem]](list)
    for item in items:
        x, y = _middle(item, projection)
        cells[int(x // CELL), int(y // CELL)].append(item)
    return [_cluster(members, projection) for members in cells.values()]


def _cluster(members: Sequence[MapItem], projection: _Projection) -> Cluster:
    places = [_middle(one, projection) for one in members]
    kinds = {one.kind for one in members}
    count = len(members)
    return Cluster(
        x=round(sum(x for x, _ in places) / count, 1),
        y=round(sum(y for _, y in places) / count, 1),
        radius=7.0 if count == 1 else round(11 + min(count, 100) ** 0.5, 1),
        count=count,
        kind=kinds.pop() if len(kinds) == 1 else "mixed",
        title=members[0].title if count == 1 else f"{count} places. Zoom in.",
        href=members[0].href if count == 1 else None,
        box=union(one.box for one in members).grown().text,
    )


def _middle(item: MapItem, projection: _Projection) -> tuple[float, float]:
    box = item.box
    return projection.x((box.west + box.east) / 2), projection.y((box.south + box.north) / 2)


def _lines(low: float, high: float, place: Callable[[float], float], plus: str, minus: str) -> list[GridLine]:
    step = nice_step((high - low) / LINES)
    decimals = max(0, -floor(log10(step) + 1e-9))
    values = (number * step for number in range(ceil(low / step), floor(high / step) + 1))
    return [
        GridLine(at=place(value), label=f"{abs(value):.{decimals}f}° {plus if value >= 0 else minus}")
        for value in values
    ]
