"""The CRS and the geotransform of an upload: refused with the true cause, or settled on the Earth."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from service.geotiff.errors import GeoreferenceError
from service.geotiff.ground import FloatArray, to_wgs84, transform_points
from service.geotiff.preflight import Placement

_ROUNDING = 0.01  # pixels by which an edge may lie beyond the 180th meridian or a pole
_ASTRAY_M = 10_000.0  # a point that leaves its CRS and comes back this far away was outside the CRS's area
# Corners, middles of the sides, and centre of a raster of 1 x 1; the last one is the centre.
_PROBES = [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0), (0, 0.5), (1, 0.5), (0.5, 1), (0.5, 0.5)]


def read_transform(values: Iterable[float], placement: Placement) -> Affine:
    """Return the geotransform that the decoder reports; 422 when there is none or it is not usable."""
    transform = Affine(*(float(value) for value in values))
    if transform.is_identity or not placement.geotransform:
        raise _unplaced(placement)
    if not all(map(math.isfinite, transform[:6])) or not abs(transform.determinant) > 0:
        raise GeoreferenceError("The raster's geotransform is not finite, or gives its pixels no area.")
    return transform


def read_crs(description: object) -> str:
    """Return the CRS that the decoder reports as "EPSG:n"; 422 when there is none or EPSG lacks it."""
    if not isinstance(description, Mapping):
        raise GeoreferenceError(
            "The raster has no coordinate reference system. Assign the right one: "
            "gdal_edit.py -a_srs EPSG:32633 in.tif, or rio edit-info --crs EPSG:32633 in.tif, with its code."
        )
    epsg = description.get("epsg")
    if not isinstance(epsg, int) or not _usable(epsg):
        name = str(description.get("name"))[:100]
        code = f"EPSG:{epsg}" if epsg else "no EPSG code"
        raise GeoreferenceError(
            f"The raster's coordinate reference system ({name!r}, {code}) is not a two-dimensional system of "
            "the EPSG register. Reproject the raster, for example to its UTM zone: "
            "gdalwarp -t_srs EPSG:32633 in.tif out.tif.",
            crs=name,
        )
    return f"EPSG:{epsg}"


def settle(transform: Affine, crs: str, width: int, height: int) -> Affine:
    """Return the geotransform in the range of longitudes, or of eastings, that its CRS gives its centre.

    A raster from 185 to 186 degrees comes to lie between -175 and -174. One across the 180th meridian stays
    whole. An edge beyond that meridian or a pole by a hundredth of a pixel at most is put on it. Raises 422
    when a point of the raster lies outside the area of the CRS.
    """
    if not np.isfinite(_probe(transform, width, height)).all():
        raise GeoreferenceError("The raster's geotransform is not finite at its corners. Correct it.")
    system = CRS.from_user_input(crs)
    if system.is_geographic:
        turn = 2 * math.pi / system.axis_info[0].unit_conversion_factor
        return _settle_degrees(transform, crs, width, height, round(turn, 9))
    astray = _ASTRAY_M / system.axis_info[0].unit_conversion_factor
    return _settle_plane(transform, crs, width, height, astray)


def _unplaced(placement: Placement) -> GeoreferenceError:
    if placement.control_points and not placement.geotransform:
        return GeoreferenceError(
            f"The raster has no geotransform: ground control points ({placement.control_points}) place it. "
            "Warp it to its UTM zone: gdalwarp -tps -t_srs EPSG:32633 in.tif out.tif.",
            control_points=placement.control_points,
        )
    if placement.rational_polynomials:
        return GeoreferenceError(
            "The raster has no geotransform: rational polynomial coefficients (RPCs) place it. Orthorectify "
            "it: gdalwarp -rpc -to RPC_DEM=heights.tif -t_srs EPSG:32633 in.tif out.tif, with its UTM zone."
        )
    return GeoreferenceError(
        "The raster has no geotransform. If a world file (.tfw) or an .aux.xml lies beside it, "
        "gdal_translate in.tif out.tif writes its place into the file. Otherwise give it one: "
        "gdal_edit.py -a_srs EPSG:32633 -a_ullr WEST NORTH EAST SOUTH in.tif."
    )


@lru_cache(maxsize=256)
def _usable(epsg: int) -> bool:
    try:
        crs = CRS.from_epsg(epsg)
    except CRSError:
        return False
    return (crs.is_projected or crs.is_geographic) and len(crs.axis_info) == 2


def _settle_degrees(transform: Affine, crs: str, width: int, height: int, turn: float) -> Affine:
    points = _probe(transform, width, height)
    turns = round(points[-1, 0] / turn)
    if abs(turns) > 1:
        raise _outside(points, crs, " They may be metres: assign the CRS that they belong to.")
    transform = Affine.translation(-turns * turn, 0) @ transform
    transform = _drop_rounding(transform, width, height, turn)
    points = _probe(transform, width, height)
    if np.ptp(points[:, 0]) > turn * (1 + 1e-9):
        raise _outside(points, crs, " It covers more than the whole Earth.")
    if np.abs(points[:, 1]).max() > turn / 4:
        swapped = np.abs(points[:, 0]).max() <= turn / 4
        raise _outside(points, crs, " Longitude and latitude may be swapped." if swapped else "")
    if not np.isfinite(to_wgs84(crs, points)).all():
        raise _outside(points, crs, "")
    return transform


def _drop_rounding(transform: Affine, width: int, height: int, turn: float) -> Affine:
    """Move a raster by the hundredth of a pixel at most by which it lies beyond 180 degrees or a pole."""
    points = _probe(transform, width, height)
    pixel = abs(transform.a) + abs(transform.b), abs(transform.d) + abs(transform.e)
    shift = [0.0, 0.0]
    for axis, (limit, step) in enumerate(zip((turn / 2, turn / 4), pixel, strict=True)):
        beyond = points[:, axis].max() - limit, -limit - points[:, axis].min()
        if 0 < beyond[0] <= _ROUNDING * step:
            shift[axis] = -beyond[0]
        elif 0 < beyond[1] <= _ROUNDING * step:
            shift[axis] = beyond[1]
    return Affine.translation(*shift) @ transform


def _settle_plane(transform: Affine, crs: str, width: int, height: int, astray: float) -> Affine:
    points = _probe(transform, width, height)
    returned = _there_and_back(points, crs)
    if abs(returned[-1, 0] - points[-1, 0]) > astray:
        # A map that repeats itself every turn around the Earth, such as Mercator beyond its edge.
        transform = Affine.translation(returned[-1, 0] - points[-1, 0], 0) @ transform
        points = _probe(transform, width, height)
        returned = _there_and_back(points, crs)
    gaps = returned - points
    wrapped = gaps[np.abs(gaps[:, 0]) > astray, 0]
    repeats = np.ptp(np.abs(wrapped)) < astray if wrapped.size else True
    if np.abs(gaps[:, 1]).max() > astray or abs(gaps[-1, 0]) > astray or not repeats:
        raise _outside(points, crs, "")
    return transform


def _there_and_back(points: FloatArray, crs: str) -> FloatArray:
    degrees = to_wgs84(crs, points)
    if not np.isfinite(degrees).all():
        raise _outside(points, crs, "")
    returned = transform_points("EPSG:4326", crs, degrees)
    if not np.isfinite(returned).all():
        raise _outside(points, crs, "")
    return returned


def _probe(transform: Affine, width: int, height: int) -> FloatArray:
    """Return nine points (9, 2) of a raster in its CRS, the centre last."""
    return np.array([transform @ (column * width, row * height) for column, row in _PROBES])


def _outside(points: FloatArray, crs: str, hint: str) -> GeoreferenceError:
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    return GeoreferenceError(
        f"The raster's corners (x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g}) lie outside "
        f"the area of {crs}.{hint} Correct its geotransform or its CRS.",
        extent=[float(west), float(south), float(east), float(north)],
    )
