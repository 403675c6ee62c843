"""The ground of scenes: which share of one scene's area others do not cover. Pure.

Areas are compared in Lambert's azimuthal equal-area projection, centred near the scene that is measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import groupby
from uuid import UUID

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from service.geotiff.ground import FloatArray, to_wgs84
from service.imagery.tile_grid import TileGrid, apply_affine
from service.reports.kept_values import KeptValues
from service.stopping import checkpoint

PARTS = 10**9
"""Shares are whole numbers of this many parts, so that money is divided by integers."""
LEAST = PARTS // 100_000
"""Smallest share that counts: edges of 110 km, drawn with 64 segments, are exact to less than this."""
SEGMENTS = 64
MOST_CHANGED_BY_COMPRESSION = 4.0
"""Mean difference in grey levels up to which two files may be copies; JPEG at quality 75 changes about 2."""
Circle = tuple[float, float, float, float]
"""Centre and radius of a sphere around a scene, for an Earth of radius 1."""
_CIRCLES, _PARTS = KeptValues(65_536), KeptValues(65_536)
_OUTLINES = KeptValues(2_000_000)
"""Outlines by the number of their corners, each of which takes at most about 100 bytes."""
WEB_MERCATOR_TURN_M = 2 * np.pi * 6_378_137.0


@dataclass(frozen=True)
class Ground:
    """The tiles of a scene that have data, as they were acquired at one time."""

    grid: TileGrid
    planned: bytes  # one byte per tile: 1 if it has data, else 0
    acquired_on: str | None = None  # day that the file states
    sample: bytes = b""  # grey values at some pixels; empty for scenes read before they were kept
    owner: UUID | None = None
    """Its workspace. What is kept for one tells another one nothing, also not by the time of an answer."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> bytes:
        """A digest under which results about the ground are kept, without the ground itself."""
        about = repr((self.owner, self.grid, self.acquired_on)).encode()
        return _digest(about, self.planned, self.sample)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, then y, of the scene in the grid's CRS."""
        wide, high = self.grid.columns * self.grid.tile_px, self.grid.rows * self.grid.tile_px
        corners = [self.grid.transform @ corner for corner in ((0, 0), (0, high), (wide, 0), (wide, high))]
        x, y = zip(*corners, strict=True)
        return min(x), max(x), min(y), max(y)

    @cached_property
    def tiles(self) -> BaseGeometry:
        """The outline of the tiles with data, in LR pixels of the grid."""
        rows = np.frombuffer(self.planned, np.uint8).reshape(self.grid.rows, self.grid.columns)
        boxes = [
            shapely.box(start, row, end, row + 1)
            for row, cells in enumerate(rows)
            for start, end in _runs(cells)
        ]
        return shapely.affinity.scale(
            shapely.unary_union(boxes), self.grid.tile_px, self.grid.tile_px, origin=(0, 0)
        )

    def outline_in(self, plane: Transformer) -> BaseGeometry:
        """Return the tiles with data in an equal-area plane, in metres."""
        longest = max(self.grid.columns, self.grid.rows) * self.grid.tile_px / SEGMENTS

        def project(pixels: NDArray[np.float64]) -> FloatArray:
            degrees = to_wgs84(self.grid.crs, apply_affine(self.grid.transform, pixels))
            return np.stack(plane.transform(degrees[:, 0], degrees[:, 1]), axis=-1)

        return shapely.make_valid(shapely.transform(shapely.segmentize(self.tiles, longest), project))


NOWHERE = Ground(TileGrid(columns=0, rows=0, tile_px=1, transform=Affine.identity(), crs="EPSG:4326"), b"")
"""The ground of an order that was counted."""


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=32)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)  # so that ("a", "bc") is not ("ab", "c")
    return digest.digest()


def is_same_acquisition(one: Ground, other: Ground) -> bool:
    """Say whether two grounds may show the same acquisition, so that their baseline counts once.

    Equal pixels on one grid are one acquisition. Otherwise the days that both files state decide; without
    them, pixels of one grid that differ by more than a compression changes. What cannot be told apart is the
    same.
    """
    comparable = one.grid == other.grid and bool(one.sample) and len(one.sample) == len(other.sample)
    if comparable and one.sample == other.sample:
        return True
    if one.acquired_on and other.acquired_on:
        return one.acquired_on == other.acquired_on
    return not comparable or _difference(one.sample, other.sample) <= MOST_CHANGED_BY_COMPRESSION


def _difference(one: bytes, other: bytes) -> float:
    """Return the mean difference of two samples in grey levels."""
    first, second = (np.frombuffer(sample, np.uint8).astype(np.int16) for sample in (one, other))
    return float(np.abs(first - second).mean())


class CountedGround:
    """Grounds that were counted before."""

    def __init__(self) -> None:
        self._known: set[Ground] = set()
        self._zones: dict[str, _Zone] = {}

    def add(self, ground: Ground) -> None:
        """Count a ground as covered."""
        if ground not in self._known:
            self._known.add(ground)
            self._zones.setdefault(ground.grid.crs, _Zone(ground.grid.crs)).add(ground)

    def uncovered(self, ground: Ground) -> Fraction:
        """Return the share of a ground's area, 0 to 1, that none of the added grounds covers."""
        if ground in self._known:
            return Fraction(0)
        near = tuple(
            other
            for zone in self._zones.values()
            for other in zone.near(ground)
            if is_same_acquisition(ground, other)
        )
        return Fraction(_uncovered_parts(ground, near), PARTS) if near else Fraction(1)


class _Zone:
    """The counted grounds of one CRS, of which those near another ground are found by their bounds."""

    def __init__(self, crs: str) -> None:
        self.crs = crs
        self.grounds: list[Ground] = []
        self._bounds = np.empty((4, 16))  # in the order of `grounds`; the columns after them are unused

    def add(self, ground: Ground) -> None:
        count = len(self.grounds)
        if count == self._bounds.shape[1]:
            self._bounds = np.concatenate([self._bounds, np.empty_like(self._bounds)], axis=1)
        self._bounds[:, count] = ground.bounds
        self.grounds.append(ground)

    def near(self, ground: Ground) -> list[Ground]:
        """Return the grounds that may overlap another one; those that only touch it do not."""
        if ground.grid.crs != self.crs:
            return [other for other in self.grounds if _circles_meet(_circle(ground), _circle(other))]
        left, right, bottom, top = ground.bounds
        lefts, rights, bottoms, tops = self._bounds[:, : len(self.grounds)]
        if turn := _turn(self.crs):  # the same place may be written a whole turn away
            shift = np.round((left + right - lefts - rights) / 2 / turn) * turn
            lefts, rights = lefts + shift, rights + shift
        least = (right - left) * 1e-9, (top - bottom) * 1e-9
        across = np.minimum(right, rights) - np.maximum(left, lefts) > least[0]
        down = np.minimum(top, tops) - np.maximum(bottom, bottoms) > least[1]
        return [self.grounds[index] for index in np.flatnonzero(across & down)]


def _circles_meet(one: Circle, other: Circle) -> bool:
    return math.dist(one[:3], other[:3]) <= one[3] + other[3]


@lru_cache(maxsize=1_024)
def _turn(crs: str) -> float:
    """Return by how much x grows around the Earth; 0 in a CRS that does not go around it."""
    if CRS.from_user_input(crs).is_geographic:
        return 360.0
    return WEB_MERCATOR_TURN_M if crs == "EPSG:3857" else 0.0


def _circle(ground: Ground) -> Circle:
    """Return a sphere around a scene's outline."""
    return _CIRCLES.once(ground.key, lambda: _circle_around(ground))


def _circle_around(ground: Ground) -> Circle:
    along = np.linspace(0, 1, 9)
    start, end = np.zeros_like(along), np.ones_like(along)
    edge = np.concatenate(
        [np.stack(side, axis=-1) for side in ((along, start), (along, end), (start, along), (end, along))]
    )
    pixels = edge * np.array([ground.grid.columns, ground.grid.rows]) * ground.grid.tile_px
    lon, lat = np.radians(to_wgs84(ground.grid.crs, apply_affine(ground.grid.transform, pixels))).T
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    centre = points.mean(axis=0)
    # The outline bulges between its points by less than a twentieth of the radius.
    radius = 1.05 * float(np.linalg.norm(points - centre, axis=1).max())
    return float(centre[0]), float(centre[1]), float(centre[2]), radius


def _centre(ground: Ground) -> tuple[int, int]:
    """Return longitude and latitude of a scene's middle in whole degrees: neighbours share a plane."""
    middle = np.array([ground.grid.columns, ground.grid.rows]) * ground.grid.tile_px / 2
    lon, lat = to_wgs84(ground.grid.crs, apply_affine(ground.grid.transform, middle))
    return round(float(lon)), round(float(lat))


def _outline(ground: Ground, centre: tuple[int, int]) -> BaseGeometry:
    """Return the tiles with data in the plane of a place: overlapping scenes ask for it many times."""
    checkpoint()
    return _OUTLINES.once((ground.key, centre), lambda: ground.outline_in(_plane(*centre)), _corners)


def _corners(outline: BaseGeometry) -> int:
    return int(shapely.get_num_coordinates(outline))


@lru_cache(maxsize=4_096)
def _plane(lon: int, lat: int) -> Transformer:
    """Return the equal-area projection centred on whole degrees; areas are true wherever its centre is."""
    crs = CRS.from_dict({"proj": "laea", "lon_0": lon, "lat_0": lat, "datum": "WGS84", "units": "m"})
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _uncovered_parts(ground: Ground, others: Sequence[Ground]) -> int:
    """Return how many of PARTS parts of a ground's area the others leave uncovered."""
    place = _digest(ground.key, *(other.key for other in others))
    return _PARTS.once(place, lambda: _compare(ground, others))


def _compare(ground: Ground, others: Sequence[Ground]) -> int:
    centre = _centre(ground)
    mine = _outline(ground, centre)
    rest = mine.difference(shapely.union_all([_outline(other, centre) for other in others]))
    if not mine.area:
        return PARTS
    parts = round(PARTS * rest.area / mine.area)
    if parts < LEAST:
        return 0
    return PARTS if parts > PARTS - LEAST else parts


def _runs(cells: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return start and end of each run of ones in a row."""
    runs, start = [], 0
    for value, group in groupby(cells.tolist()):
        end = start + sum(1 for _ in group)
        if value:
            runs.append((start, end))
        start = end
    return runs
