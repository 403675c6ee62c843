"""The tiles and patches of a scene: from indices to rings on the ground and to areas in square metres.

Tile t = row * columns + column. Patch i of a tile is column-major, as in the paper: row i % 4, column i // 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Proj

from models.grid import GRID, PATCHES
from service.geotiff.ground import FloatArray, to_wgs84
from service.imagery.geojson import geometry, unwrap

_EDGE_POINTS = 16  # points along each side of the footprint
# Ring of a cell, in (column, row) steps from its upper left corner: counter-clockwise in a north-up raster.
_RING = np.array([(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)], np.float64)

Indices = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class TileGrid:
    """The tiles of a scene: `columns` x `rows` of `tile_px` low-resolution (LR) pixels a side."""

    columns: int
    rows: int
    tile_px: int
    transform: Affine  # LR pixel corner (column, row) -> CRS, after averaging
    crs: str  # "EPSG:n"

    @property
    def tile_count(self) -> int:
        """Number of tiles."""
        return self.columns * self.rows

    def patch_corners(self, tiles: Indices, patches: Indices) -> FloatArray:
        """Return closed rings (N, 5, 2) of N patches in the grid's CRS, in which their edges are straight."""
        tiles, patches = self._checked(tiles, patches)
        column = tiles % self.columns * GRID + patches // GRID
        row = tiles // self.columns * GRID + patches % GRID
        return self._rings(column, row, self.tile_px / GRID)

    def patch_rings_wgs84(self, tiles: Indices, patches: Indices) -> FloatArray:
        """Return closed rings (N, 5, 2) of N patches, longitude and latitude, counter-clockwise.

        Longitudes continue beyond 180 degrees if a ring crosses the antimeridian; a ring around a pole ends
        360 degrees from its start. `geojson.geometry` makes either an RFC 7946 geometry.
        """
        return _counter_clockwise(to_wgs84(self.crs, self.patch_corners(tiles, patches)))

    def tile_rings_wgs84(self, tiles: Indices) -> FloatArray:
        """Return closed rings (N, 5, 2) of N tiles, like patch_rings_wgs84."""
        tiles, _ = self._checked(tiles, np.zeros_like(tiles))
        rings = self._rings(tiles % self.columns, tiles // self.columns, self.tile_px)
        return _counter_clockwise(to_wgs84(self.crs, rings))

    def patch_areas_m2(self) -> FloatArray:
        """Return the area (T, 16) of every patch on the WGS 84 ellipsoid, in square metres.

        The corners are projected with Lambert's azimuthal equal-area projection centred on the scene
        (Snyder 1987, chapter 24), and each quadrangle is measured there by the shoelace formula.
        """
        return (
            self._areas(GRID)
            .reshape(self.rows, GRID, self.columns, GRID)
            .transpose(0, 2, 3, 1)
            .reshape(-1, 16)
        )

    def footprint_wgs84(self) -> dict[str, Any]:
        """Return the outline of all tiles as an RFC 7946 geometry."""
        along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)[:, None]
        sides = [start + (end - start) * along for start, end in pairwise(_RING)]
        outline = np.concatenate([*sides, _RING[:1]]) * (self.columns, self.rows) * self.tile_px
        return geometry([to_wgs84(self.crs, apply_affine(self.transform, outline))])

    def centre_wgs84(self) -> FloatArray:
        """Return longitude and latitude of the centre of all tiles."""
        middle = np.array([self.columns, self.rows]) * self.tile_px / 2
        return to_wgs84(self.crs, apply_affine(self.transform, middle))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return {
            "columns": self.columns,
            "rows": self.rows,
            "tile_px": self.tile_px,
            "transform": list(self.transform[:6]),
            "crs": self.crs,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TileGrid":
        """Read a grid that `to_json` wrote."""
        return cls(
            columns=values["columns"],
            rows=values["rows"],
            tile_px=values["tile_px"],
            transform=Affine(*values["transform"]),
            crs=values["crs"],
        )

    def _checked(self, tiles: Indices, patches: Indices) -> tuple[Indices, Indices]:
        tiles, patches = np.asarray(tiles, np.int64), np.asarray(patches, np.int64)
        if ((tiles < 0) | (tiles >= self.tile_count)).any() or ((patches < 0) | (patches >= PATCHES)).any():
            raise ValueError(f"tiles are 0..{self.tile_count - 1}, patches 0..{PATCHES - 1}")
        return tiles, patches

    def _rings(self, column: Indices, row: Indices, step: float) -> FloatArray:
        start = np.stack([column, row], axis=-1).astype(np.float64)
        return apply_affine(self.transform, (start[:, None] + _RING) * step)

    def _areas(self, split: int) -> FloatArray:
        """Return areas (rows * split, columns * split) of the cells of each tile cut split x split."""
        column = np.arange(self.columns * split + 1) * (self.tile_px / split)
        row = np.arange(self.rows * split + 1) * (self.tile_px / split)
        nodes = apply_affine(self.transform, np.stack(np.meshgrid(column, row), axis=-1))
        x, y = np.moveaxis(to_equal_area(self.crs, nodes, self.centre_wgs84()), -1, 0)
        # Shoelace of a quadrangle: half the cross product of its diagonals.
        across = x[1:, 1:] - x[:-1, :-1], y[1:, 1:] - y[:-1, :-1]
        back = x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:]
        area: FloatArray = np.abs(across[0] * back[1] - across[1] * back[0]) / 2
        return area


def quadrangle_area_m2(transform: Affine, crs: str, width: float, height: float) -> float:
    """Return the area in square metres of a raster of width x height pixels, however large or warped."""
    pieces = TileGrid(
        columns=16, rows=16, tile_px=1, transform=transform @ Affine.scale(width / 16, height / 16), crs=crs
    )
    return float(pieces._areas(1).sum())


def apply_affine(transform: Affine, points: NDArray[Any]) -> FloatArray:
    """Apply an affine transform to points (..., 2)."""
    linear = np.array([[transform.a, transform.d], [transform.b, transform.e]])
    return np.asarray(points @ linear + (transform.c, transform.f), np.float64)


def to_equal_area(crs: str, points: FloatArray, centre: FloatArray) -> FloatArray:
    """Project points (..., 2) of `crs` to metres of an equal-area plane around a longitude and latitude."""
    lon, lat = centre
    # Gives the numbers of a Transformer from EPSG:4326, which takes ten times as long to make.
    plane = Proj({"proj": "laea", "lon_0": lon, "lat_0": lat, "datum": "WGS84", "units": "m"})
    degrees = to_wgs84(crs, points)
    return np.stack(plane(degrees[..., 0], degrees[..., 1]), axis=-1)


def _counter_clockwise(rings: FloatArray) -> FloatArray:
    """Unwrap the longitudes of rings (N, 5, 2) and reverse the rings that run clockwise."""
    rings = unwrap(rings)
    x, y = rings[..., 0] - rings[:, :1, 0], rings[..., 1] - rings[:, :1, 1]
    twice = (x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(axis=1)
    return np.where((twice < 0)[:, None, None], rings[:, ::-1], rings)
