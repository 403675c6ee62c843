"""A map of outlines without a basemap: an equirectangular drawing with clusters and a graticule. Pure.

Longitudes are shortened by the cosine of the middle latitude, so shapes keep their proportions there.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, cos, floor, log10, radians
from typing import TypeVar

import numpy as np

from service.dashboard.chart import nice_step
from service.dashboard.ground import KINDS, NAMES, MappedGround, Mask, Places
from service.errors import InvalidInputError
from service.geotiff.ground import FloatArray
from service.imagery.extents import beside, extent_around

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
MOST_OUTLINES = 300
"""Most outlines in a drawing: with more large places in view, all are counted in clusters."""
MOST_COUNTS = 40
"""Most clusters whose counts a phone has room for."""
LINES = 6
"""Most lines of the graticule along each axis."""
LEAST_BOX = 1e-6
"""Least side of a part of the map in degrees, 0.1 m: in a smaller one the numbers run out of digits."""
_BOX = re.compile(r"-?\d+(\.\d+)?(,-?\d+(\.\d+)?){3}")

Ring = Sequence[Sequence[float]]
Degrees = TypeVar("Degrees", float, FloatArray)


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

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of its middle."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    def grown(self) -> "Box":
        """Return the box with a margin and at least the least extent."""
        across = max(self.east - self.west, LEAST_DEGREES) * (0.5 + MARGIN)
        down = max(self.north - self.south, LEAST_DEGREES) * (0.5 + MARGIN)
        lon, lat = self.middle
        return Box(lon - across, lat - down, lon + across, lat + down)


def read_box(text: str) -> Box:
    """Read a box that an address names; InvalidInputError for another text."""
    if _BOX.fullmatch(text):
        box = Box(*map(float, text.split(",")))
        is_on_map = box.west >= -540 and box.east <= 540 and box.south >= -90.5 and box.north <= 90.5
        if is_on_map and min(box.east - box.west, box.north - box.south) >= LEAST_BOX:
            return box
    raise InvalidInputError(
        f"{text!r} is no part of the map. Give west, south, east and north in degrees, such as "
        "12.9,53.8,13.1,54. East is larger than west, also across the antimeridian: 179,-18,181,-16."
    )


def meets(extents: FloatArray, box: Box) -> Mask:
    """Return which extents (N, 4) have common ground with a box, on whichever turn around the Earth."""
    west, south, east, north = beside(extents, box.middle[0]).T
    across = (west <= box.east) & (box.west <= east)
    return np.asarray(across & (south <= box.north) & (box.south <= north))


@dataclass(frozen=True, kw_only=True)
class DrawnItem:
    """A place that is large enough to be drawn as it is."""

    place: MappedGround
    path: str


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Places that are too small, too close or too many to be drawn apart."""

    x: float
    y: float
    radius: float
    count: int
    kind: str
    """Kind of all its places, or `mixed`."""
    title: str
    href: str | None
    """Page of the only place."""
    box: str
    """Part of the map that shows them apart."""

    @property
    def label(self) -> str:
        """The count in at most four characters, such as 999, 1.5k or 12k."""
        if self.count < 1_000:
            return str(self.count)
        unit, sign = (1_000_000, "M") if self.count >= 999_500 else (1_000, "k")
        scaled = self.count / unit
        return f"{scaled:.1f}{sign}" if scaled < 9.95 else f"{scaled:.0f}{sign}"


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

    @property
    def is_dense(self) -> bool:
        """Whether its counts would lie upon each other on a phone, which then shows circles alone."""
        return len(self.clusters) > MOST_COUNTS


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
        lon, lat = box.middle
        half_lon, half_lat = WIDTH / scale / shrink / 2, height / scale / 2
        shown = Box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
        return cls(box=shown, across=scale * shrink, down=scale, height=round(height, 1))

    def x(self, lon: Degrees) -> Degrees:
        return (lon - self.box.west) * self.across

    def y(self, lat: Degrees) -> Degrees:
        return (self.box.north - lat) * self.down


Outliner = Callable[[Places], Sequence[Sequence[Ring]]]
"""Reads the outlines of places: for each its rings in degrees, longitude first."""


def draw_map(places: Places, outlines_of: Outliner, box: Box | None = None) -> MapDrawing | None:
    """Draw places in a box, all of which meet it; by default around them. None if there is none.

    Each place is drawn: as its outline, or as one of those that a cluster counts.
    """
    if not len(places):
        return None
    projection = _Projection.around(
        Box(*extent_around(places["extent"]).tolist()).grown() if box is None else box
    )
    extents = beside(places["extent"], projection.box.middle[0])
    large = _are_large(extents, projection)
    if large.sum() > MOST_OUTLINES:
        large[:] = False
    return MapDrawing(
        height=projection.height,
        outlines=_outlines(places[large], outlines_of, projection),
        clusters=_clusters(places[~large], extents[~large], projection),
        meridians=_lines(projection.box.west, projection.box.east, projection.x, _meridian),
        parallels=_lines(projection.box.south, projection.box.north, projection.y, _parallel),
    )


def _are_large(extents: FloatArray, projection: _Projection) -> Mask:
    west, south, east, north = extents.T
    across, down = (east - west) * projection.across, (north - south) * projection.down
    return np.asarray(np.maximum(across, down) >= SMALL)


def _outlines(places: Places, outlines_of: Outliner, projection: _Projection) -> list[DrawnItem]:
    drawn = zip(places, outlines_of(places), strict=True)
    return [DrawnItem(place=MappedGround(place), path=_path(rings, projection)) for place, rings in drawn]


def _path(rings: Sequence[Ring], projection: _Projection) -> str:
    middle = projection.box.middle[0]
    parts = []
    for ring in rings:
        lons = [lon for lon, _ in ring]
        turn = 360 * round((middle - (min(lons) + max(lons)) / 2) / 360)
        points = (f"{projection.x(lon + turn):.1f} {projection.y(lat):.1f}" for lon, lat in ring)
        parts.append(f"M{'L'.join(points)}z")
    return "".join(parts)


def _clusters(places: Places, extents: FloatArray, projection: _Projection) -> list[Cluster]:
    """Return clusters of the places whose middles lie in one square of the drawing."""
    if not len(places):
        return []
    west, south, east, north = extents.T
    # The middle of a large scene may lie outside the part that is shown.
    x = np.clip(projection.x((west + east) / 2), 0, WIDTH)
    y = np.clip(projection.y((south + north) / 2), 0, projection.height)
    cells = (y // CELL).astype(np.int64) * ceil(WIDTH) + (x // CELL).astype(np.int64)
    in_order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[in_order], prepend=-1))
    return [
        _cluster(places[one], extents[one], float(x[one].mean()), float(y[one].mean()))
        for one in np.split(in_order, starts[1:])
    ]


def _cluster(members: Places, extents: FloatArray, x: float, y: float) -> Cluster:
    count, kinds = len(members), np.bincount(members["kind"], minlength=len(NAMES)).tolist()
    found = [name for name, number in zip(NAMES, kinds, strict=True) if number]
    only = MappedGround(members[0]) if count == 1 else None
    low, high = extents[:, :2].min(axis=0), extents[:, 2:].max(axis=0)
    return Cluster(
        x=round(x, 1),
        y=round(y, 1),
        radius=7.0 if only else round(min(9 + 3 * log10(count), CELL / 2), 1),
        count=count,
        kind=found[0] if len(found) == 1 else "mixed",
        title=only.title if only else f"{_said(kinds)}. Zoom in.",
        href=only.href if only else None,
        box=Box(*low.tolist(), *high.tolist()).grown().text,
    )


def _said(kinds: Sequence[int]) -> str:
    """Return counts of kinds in words: "3 places: 1 owned, 2 planned"."""
    parts = [f"{number:,} {KINDS[name].lower()}" for name, number in zip(NAMES, kinds, strict=True) if number]
    return f"{sum(kinds):,} places: {', '.join(parts)}"


def _meridian(longitude: float, decimals: int) -> str:
    turned = (longitude + 180) % 360 - 180
    return f"{abs(turned):.{decimals}f}° {'E' if turned >= 0 else 'W'}"


def _parallel(latitude: float, decimals: int) -> str:
    return f"{abs(latitude):.{decimals}f}° {'N' if latitude >= 0 else 'S'}"


def _lines(
    low: float, high: float, place: Callable[[float], float], named: Callable[[float, int], str]
) -> list[GridLine]:
    step = nice_step((high - low) / LINES)
    decimals = max(0, -floor(log10(step) + 1e-9))
    values = (number * step for number in range(ceil(low / step), floor(high / step) + 1))
    return [GridLine(at=round(place(value), 1), label=named(value, decimals)) for value in values]
