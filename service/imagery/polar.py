"""Polygons that touch or contain a pole, as polygons of longitude and latitude from -180 to 180 degrees."""

from collections.abc import Sequence

import numpy as np
import shapely

from service.geotiff.ground import FloatArray

_NEAR = 1e-9  # degrees from a pole, a tenth of a millimetre; such a point has no longitude
_STEP = 5.0  # most degrees of longitude between points, because straight lines bend near a pole
_QUARTERS = (-180, -90, 0, 90)


def is_polar(ring: FloatArray) -> bool:
    """Say whether the polygon inside a closed ring (P, 2) of longitude and latitude reaches a pole.

    So does one so near that its sides, straight on the ground, are not straight in longitude and latitude.
    """
    if np.abs(ring[:, 1]).max() < 80:  # scenes are far smaller than ten degrees
        return False
    steps = np.abs((np.diff(ring[:, 0]) + 180) % 360 - 180)
    if np.abs(ring[:, 1]).max() > 89.9 and steps.max() > 2 * _STEP:
        return True
    return bool(shapely.distance(_valid(shapely.Polygon(_to_plane(ring))), shapely.Point(0, 0)) <= _NEAR)


def split_at_pole(rings: Sequence[FloatArray], precision: float) -> list[shapely.Polygon]:
    """Return a polygon, its outer ring first, in longitude and latitude rounded to `precision` degrees.

    Each quarter of a turn is converted on its own, where longitudes are unambiguous, and then joined.
    """
    outer, *holes = (_to_plane(ring) for ring in rings)
    polygon, pole = _valid(shapely.Polygon(outer, holes)), float(np.copysign(90, rings[0][:, 1].mean()))
    reach = 2 * float(np.abs(outer).max())
    pieces: list[shapely.Geometry] = []
    for west in _QUARTERS:
        sides = np.radians([west, west + 45, west + 90])
        corners = np.stack([np.cos(sides), np.sin(sides)], axis=1) * reach * ((1,), (2,), (1,))
        quarter = shapely.Polygon([(0, 0), *corners])
        for part in shapely.get_parts(shapely.intersection(polygon, quarter)):
            if isinstance(part, shapely.Polygon) and part.area > _NEAR**2:
                edges = (part.exterior, *part.interiors)
                written = [_to_degrees(np.asarray(edge.coords), west, pole) for edge in edges]
                outside, *inside = (_valid(shapely.Polygon(ring)) for ring in written)
                # A hole with a corner at the pole shares a side with its ring once that corner is a side.
                pieces.append(shapely.difference(outside, shapely.union_all(inside)))
    joined = shapely.get_parts(shapely.union_all(pieces, grid_size=precision))
    return [piece for piece in joined if isinstance(piece, shapely.Polygon) and not piece.is_empty]


def _to_plane(ring: FloatArray) -> FloatArray:
    """Project longitude and latitude to a plane in which the distance from the pole is in degrees."""
    angle, distance = np.radians(ring[:, 0]), 90 - np.abs(ring[:, 1])
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)


def _valid(polygon: shapely.Polygon) -> shapely.Geometry:
    return polygon if polygon.is_valid else shapely.make_valid(polygon)


def _to_degrees(ring: FloatArray, west: float, pole: float) -> list[tuple[float, float]]:
    """Return a closed ring (P, 2) of a quarter as longitudes from `west` to `west` + 90 and latitudes."""
    points: list[tuple[float, float]] = []
    opened = ring[:-1]
    for at, point in enumerate(opened):
        if np.hypot(*point) > _NEAR:
            after = opened[(at + 1) % len(opened)]
            points += [_degrees(one, west, pole) for one in _bent(point, after, west)]
            continue
        # The pole lies on every meridian: on the one that leads to it, then on the one that leads away.
        sides = (opened[at - 1], opened[(at + 1) % len(opened)])
        points += [(_degrees(side, west, pole)[0], pole) for side in sides]
    return [*points, points[0]]


def _degrees(point: FloatArray, west: float, pole: float) -> tuple[float, float]:
    middle = west + 45
    longitude = middle + (np.degrees(np.arctan2(point[1], point[0])) - middle + 180) % 360 - 180
    distance = float(np.hypot(*point))
    return float(np.clip(longitude, west, west + 90)), pole - float(np.copysign(distance, pole))


def _bent(start: FloatArray, end: FloatArray, west: float) -> list[FloatArray]:
    """Return the start of a straight edge and points along it at every few degrees of longitude."""
    if np.hypot(*end) <= _NEAR:
        return [start]
    first, last = (_degrees(point, west, 90.0)[0] for point in (start, end))
    angles = np.radians(np.linspace(first, last, int(abs(last - first) / _STEP) + 2)[1:-1])
    rays, step = np.stack([np.cos(angles), np.sin(angles)], axis=1), end - start
    across = step[0] * rays[:, 1] - step[1] * rays[:, 0]
    along = (start[1] * rays[:, 0] - start[0] * rays[:, 1]) / np.where(across == 0, 1, across)
    return [start, *(start + part * step for part, slope in zip(along, across, strict=True) if slope != 0)]
