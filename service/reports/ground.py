"""The ground of scenes: which share of one scene's area others do not cover. Pure.

Areas are compared in Lambert's azimuthal equal-area projection, centred on the scene that is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import groupby

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from service.geotiff.ground import FloatArray, to_wgs84
from service.imagery.tile_grid import TileGrid, apply_affine

PARTS = 10**9
"""Shares are whole numbers of this many parts, so that money is divided by integers."""
LEAST = PARTS // 100_000
"""Smallest share that counts: edges of 110 km, drawn with 64 segments, are exact to less than this."""
SEGMENTS = 64
WEB_MERCATOR_TURN_M = 2 * np.pi * 6_378_137.0


@dataclass(frozen=True)
class Ground:
    """The tiles of a scene that have data. Grounds of the same tiles of the same grid are equal."""

    grid: TileGrid
    planned: bytes  # one byte per tile: 1 if it has data, else 0

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.grid, self.planned))

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, then y, of the scene in the grid's CRS."""
        corners = np.array([(0, 0), (0, 1), (1, 0), (1, 1)]) * (self.grid.columns, self.grid.rows)
        x, y = apply_affine(self.grid.transform, corners * self.grid.tile_px).T
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())

    def may_overlap(self, other: "Ground") -> bool:
        """Return False if the bounds in a common CRS have no area in common; edges may touch."""
        if self.grid.crs != other.grid.crs:
            return True
        left, right, bottom, top = self.bounds
        left_2, right_2, bottom_2, top_2 = other.bounds
        if turn := _turn(self.grid.crs):  # the same place may be written a whole turn away
            shift = round((left + right - left_2 - right_2) / 2 / turn) * turn
            left_2, right_2 = left_2 + shift, right_2 + shift
        across, down = min(right, right_2) - max(left, left_2), min(top, top_2) - max(bottom, bottom_2)
        return across > (right - left) * 1e-9 and down > (top - bottom) * 1e-9

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


class Coverage:
    """Grounds that were counted before."""

    def __init__(self) -> None:
        self._grounds: list[Ground] = []
        self._known: set[Ground] = set()
        self._circles = np.empty((16, 4))  # of the grounds, in their order; the rows after them are unused

    def add(self, ground: Ground) -> None:
        """Count a ground as covered."""
        if ground in self._known:
            return
        if len(self._grounds) == len(self._circles):
            self._circles = np.concatenate([self._circles, np.empty_like(self._circles)])
        self._circles[len(self._grounds)] = _circle(ground)
        self._grounds.append(ground)
        self._known.add(ground)

    def uncovered(self, ground: Ground) -> Fraction:
        """Return the share of a ground's area, 0 to 1, that none of the added grounds covers."""
        if ground in self._known:
            return Fraction(0)
        near = self._near(ground)
        return Fraction(_uncovered_parts(ground, near), PARTS) if near else Fraction(1)

    def _near(self, ground: Ground) -> tuple[Ground, ...]:
        """Return the added grounds whose circle meets this one's."""
        *centre, radius = _circle(ground)
        circles = self._circles[: len(self._grounds)]
        apart = np.linalg.norm(circles[:, :3] - centre, axis=1)
        near = (self._grounds[index] for index in np.flatnonzero(apart <= circles[:, 3] + radius))
        return tuple(other for other in near if ground.may_overlap(other))


@lru_cache(maxsize=1_024)
def _turn(crs: str) -> float:
    """Return by how much x grows around the Earth; 0 in a CRS that does not go around it."""
    system = CRS.from_user_input(crs)
    if system.is_geographic:
        return 360.0
    return WEB_MERCATOR_TURN_M if crs == "EPSG:3857" else 0.0


@lru_cache(maxsize=65_536)
def _circle(ground: Ground) -> tuple[float, float, float, float]:
    """Return centre and radius of a sphere around a scene's outline, for an Earth of radius 1."""
    along = np.linspace(0, 1, 9)
    start, end = np.zeros_like(along), np.ones_like(along)
    sides = [(along, start), (along, end), (start, along), (end, along)]
    edge = np.concatenate([np.stack(side, axis=-1) for side in sides])
    pixels = edge * np.array([ground.grid.columns, ground.grid.rows]) * ground.grid.tile_px
    lon, lat = np.radians(to_wgs84(ground.grid.crs, apply_affine(ground.grid.transform, pixels))).T
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    centre = points.mean(axis=0)
    # The outline bulges between its points by less than a twentieth of the radius.
    radius = 1.05 * float(np.linalg.norm(points - centre, axis=1).max())
    return float(centre[0]), float(centre[1]), float(centre[2]), radius


@lru_cache(maxsize=16_384)
def _uncovered_parts(ground: Ground, others: Sequence[Ground]) -> int:
    """Return how many of PARTS parts of a ground's area the others leave uncovered."""
    centre = np.array([ground.grid.columns, ground.grid.rows]) * ground.grid.tile_px / 2
    lon, lat = to_wgs84(ground.grid.crs, apply_affine(ground.grid.transform, centre))
    crs = CRS.from_dict({"proj": "laea", "lon_0": lon, "lat_0": lat, "datum": "WGS84", "units": "m"})
    plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    mine = ground.outline_in(plane)
    rest = mine.difference(shapely.union_all([other.outline_in(plane) for other in others]))
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
