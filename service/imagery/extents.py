"""The extents of scenes in degrees, of many at once. Pure geometry.

An extent is west, south, east and north. West lies from -180 to 180 degrees; east is larger than 180 if the
scene crosses the antimeridian, so that its middle is the middle of the scene.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from service.geotiff.ground import FloatArray, to_wgs84
from service.imagery.geojson import shortest_way, unwrap
from service.imagery.tile_grid import TileGrid

# Closed outline of a raster in shares of its width and height: corners, and the middles of its sides.
_OUTLINE = np.array(
    [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5), (0, 0)], np.float64
)


def extents_wgs84(grids: Sequence[TileGrid]) -> FloatArray:
    """Return the extents (N, 4) of the outlines of N grids.

    The one of a scene around a pole has all longitudes, and the pole.
    """
    found = np.zeros((len(grids), 4))
    in_order = sorted(range(len(grids)), key=lambda number: grids[number].crs)
    for crs, group in groupby(in_order, key=lambda number: grids[number].crs):
        numbers = list(group)
        found[numbers] = _extents(to_wgs84(crs, _outlines([grids[number] for number in numbers])))
    return found


def extent_around(extents: FloatArray) -> FloatArray:
    """Return the extent (4,) around N of them, by the shortest way round the Earth; N is at least 1."""
    west, east = shortest_way(extents[:, 0], extents[:, 2])
    return np.array([west, extents[:, 1].min(), east if east > west else east + 360, extents[:, 3].max()])


def beside(extents: FloatArray, longitude: float) -> FloatArray:
    """Return the extents (N, 4), each on the turn around the Earth that is nearest to a longitude."""
    turns = np.round((longitude - (extents[:, 0] + extents[:, 2]) / 2) / 360)
    return np.asarray(extents + 360 * turns[:, None] * (1, 0, 1, 0))


def _outlines(grids: Sequence[TileGrid]) -> FloatArray:
    """Return the outlines (N, 9, 2) of grids in their CRS."""
    sizes = np.array([(one.columns * one.tile_px, one.rows * one.tile_px) for one in grids], np.float64)
    a, b, c, d, e, f = np.array([one.transform[:6] for one in grids]).T[:, :, None]
    x, y = np.moveaxis(_OUTLINE * sizes[:, None], -1, 0)
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)


def _extents(outlines: FloatArray) -> FloatArray:
    rings = unwrap(outlines)
    west, south = rings.min(axis=1).T
    east, north = rings.max(axis=1).T
    polar = np.abs(rings[:, -1, 0] - rings[:, 0, 0]) > 180  # the outline runs once around the Earth
    is_north = south + north > 0
    west, east = np.where(polar, -180, west), np.where(polar, 180, east)
    north = np.where(polar & is_north, 90, north)
    south = np.where(polar & ~is_north, -90, south)
    turns: NDArray[np.float64] = 360 * np.floor((west + 180) / 360)
    return np.stack([west - turns, south, east - turns, north], axis=-1)
