"""Coordinates in WGS 84 and lengths on the ground, by PROJ through pyproj, without the network."""

import math
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer

WGS84 = Geod(ellps="WGS84")

FloatArray = NDArray[np.float64]


def to_wgs84(crs: str, points: FloatArray) -> FloatArray:
    """Convert points (..., 2) of `crs` ("EPSG:n", x then y) to longitude, latitude; infinite if undefined."""
    return transform_points(crs, "EPSG:4326", points)


def transform_points(source: str, target: str, points: FloatArray) -> FloatArray:
    """Convert points (..., 2) from one CRS to another, both x (east) first; infinite if undefined."""
    x, y = _transformer(source, target).transform(points[..., 0], points[..., 1])
    return np.stack([np.asarray(x), np.asarray(y)], axis=-1)


def transform_near(source: str, target: str, points: FloatArray, x: float) -> FloatArray:
    """Convert points (..., 2) like `transform_points`, each into the turn around the Earth nearest to `x`.

    A map across the 180th meridian continues beyond the range in which PROJ answers.
    """
    moved, turn = transform_points(source, target, points), turn_length(target)
    if turn:
        with np.errstate(invalid="ignore"):  # infinite where the CRS is undefined
            moved[..., 0] += turn * np.round((x - moved[..., 0]) / turn)
    return moved


@lru_cache(maxsize=64)
def turn_length(crs: str) -> float:
    """Return the x after which a map repeats itself: 360 degrees, the width of Mercator, or 0 for others."""
    axes = CRS.from_user_input(crs)
    if axes.is_geographic:
        return round(2 * math.pi / axes.axis_info[0].unit_conversion_factor, 9)
    # On a cylinder x grows with the longitude alone, at one rate.
    probes = np.array([(lon, lat) for lat in (0.0, 50.0) for lon in (-121.0, -120.0, -119.0, 0.0, 1.0, 2.0)])
    steps = np.diff(transform_points("EPSG:4326", crs, probes)[:, 0].reshape(2, 2, 3))
    if not np.isfinite(steps).all() or not np.ptp(steps) < 1e-9 * abs(steps[0, 0, 0]):
        return 0.0
    return abs(float(steps[0, 0, 0])) * 360


def pixel_steps_m(transform: Affine, crs: str, width: int, height: int) -> tuple[float, float, float]:
    """Return a pixel's ground length in metres along a row and down a column, and their angle in degrees.

    Measured with geodesics on WGS 84 at the raster's centre, so that pixels of Web Mercator and of
    geographic systems have their true size on the ground.
    """
    column, row = width / 2, height / 2
    points = np.array([transform @ at for at in ((column, row), (column + 1, row), (column, row + 1))])
    lon, lat = to_wgs84(crs, points).T
    azimuths, _, lengths = WGS84.inv([lon[0]] * 2, [lat[0]] * 2, lon[1:], lat[1:])
    angle = abs((azimuths[1] - azimuths[0] + 180) % 360 - 180)
    return float(lengths[0]), float(lengths[1]), float(angle)


def offset_m(start: FloatArray, end: FloatArray) -> tuple[float, float]:
    """Return the metres east and north from one (longitude, latitude) to another, along the geodesic."""
    azimuth, _, length = WGS84.inv(*start, *end)
    return length * math.sin(math.radians(azimuth)), length * math.cos(math.radians(azimuth))


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
