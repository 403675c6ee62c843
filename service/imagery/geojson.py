"""RFC 7946 geometries from rings of longitude and latitude: split at the antimeridian, closed at a pole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate

from service.geotiff.ground import FloatArray
from service.imagery.polar import is_polar, split_at_pole

DECIMALS = 8
"""Decimals of a degree in documents: about a millimetre."""

POLE = 90 - 1e-9
"""Latitude from which a point counts as a pole, without a longitude: a tenth of a millimetre from it."""

Geometry = dict[str, Any]


def unwrap(rings: FloatArray) -> FloatArray:
    """Let longitudes of rings (..., P, 2) continue beyond 180 degrees without a jump at the antimeridian."""
    rings = rings.copy()
    rings[..., 0] = np.unwrap(rings[..., 0], period=360, axis=-1)
    return rings


def geometry(rings: Sequence[FloatArray]) -> Geometry:
    """Write rings, the outer one first, as a Polygon, or a MultiPolygon across the antimeridian.

    RFC 7946, sections 3.1.6 and 3.1.9: outer rings run counter-clockwise and holes clockwise, whatever
    their direction was.
    """
    if is_polar(rings[0]):
        return _document(split_at_pole(rings, 10.0**-DECIMALS))
    outer, *holes = (_closed(unwrap(ring)) for ring in rings)
    polygon = shapely.Polygon(outer, [_beside(hole, outer) for hole in holes])
    west, _, east, _ = polygon.bounds
    if west >= -180 and east <= 180:
        return _document([polygon])
    turns = range(int(np.floor((west + 180) / 360)), int(np.floor((east + 180) / 360)) + 1)
    strips = [shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90) for turn in turns]
    parts = [
        translate(shapely.intersection(polygon, strip), -360 * turn)
        for turn, strip in zip(turns, strips, strict=True)
    ]
    # Slivers narrower than the written decimals vanish.
    pieces = shapely.get_parts(shapely.set_precision(parts, 10.0**-DECIMALS))
    return _document([piece for piece in pieces if isinstance(piece, shapely.Polygon) and not piece.is_empty])


def bounds(geometries: Sequence[Geometry]) -> list[float]:
    """Return west, south, east and north of some geometries, by the shortest way round the Earth.

    West is greater than east if that way crosses the antimeridian (RFC 7946, section 5.2).
    """
    outer = [np.asarray(polygon[0]) for one in geometries for polygon in _polygons(one)]
    low, high = (np.array([pick(ring, axis=0) for ring in outer]) for pick in (np.min, np.max))
    west, east = shortest_way(low[:, 0], high[:, 0])
    return [west, float(low[:, 1].min()), east, float(high[:, 1].max())]


def shortest_way(west: FloatArray, east: FloatArray) -> tuple[float, float]:
    """Return where the shortest way round the Earth past N stretches of longitude (N,) starts and ends.

    Its start is greater than its end if it crosses the antimeridian.
    """
    in_order = np.argsort(west, kind="stable")
    starts, ends = west[in_order], np.maximum.accumulate(east[in_order])
    gaps = np.append(starts[1:], starts[0] + 360) - ends
    widest = len(gaps) - 1 - int(gaps[::-1].argmax())
    return float(starts[(widest + 1) % len(starts)]), float(ends[widest])


def _polygons(one: Geometry) -> list[Any]:
    polygons: list[Any] = one["coordinates"]
    return [polygons] if one["type"] == "Polygon" else polygons


def _closed(ring: FloatArray) -> FloatArray:
    """Close a ring: unwrapping leaves a rounding error in its last point."""
    return np.concatenate([ring[:-1], ring[:1]])


def _beside(hole: FloatArray, outer: FloatArray) -> FloatArray:
    """Shift a hole by whole turns around the Earth to lie beside its outer ring."""
    turns = np.round((outer[:, 0].mean() - hole[:, 0].mean()) / 360)
    return np.asarray(hole + np.array([360 * turns, 0]))


def _document(polygons: Sequence[shapely.Polygon]) -> Geometry:
    written = [
        [np.asarray(ring.coords).round(DECIMALS).tolist() for ring in (one.exterior, *one.interiors)]
        for one in shapely.orient_polygons(np.array(polygons))
    ]
    if len(written) == 1:
        return {"type": "Polygon", "coordinates": written[0]}
    return {"type": "MultiPolygon", "coordinates": written}
