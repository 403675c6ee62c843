"""RFC 7946 geometries from rings of longitude and latitude: split at the antimeridian, closed at a pole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate

from service.geotiff.ground import FloatArray

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
    outer, *holes = (_closed(unwrap(_spread(ring))) for ring in rings)
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
    in_order = np.argsort(low[:, 0], kind="stable")
    west, east = low[in_order, 0], np.maximum.accumulate(high[in_order, 0])
    gaps = np.append(west[1:], west[0] + 360) - east
    widest = len(gaps) - 1 - int(gaps[::-1].argmax())
    return [
        float(west[(widest + 1) % len(west)]),
        float(low[:, 1].min()),
        float(east[widest]),
        float(high[:, 1].max()),
    ]


def _polygons(one: Geometry) -> list[Any]:
    polygons: list[Any] = one["coordinates"]
    return [polygons] if one["type"] == "Polygon" else polygons


def _spread(ring: FloatArray) -> FloatArray:
    """Replace a corner at a pole by two: on the meridian that leads to it and on the one that leads away."""
    open_ring, points = ring[:-1], []
    for at, point in enumerate(open_ring):
        if abs(point[1]) < POLE:
            points.append(point)
        else:
            before, after = open_ring[at - 1], open_ring[(at + 1) % len(open_ring)]
            points += [np.array([before[0], point[1]]), np.array([after[0], point[1]])]
    return np.array([*points, points[0]])


def _closed(ring: FloatArray) -> FloatArray:
    """Close a ring; lead one that runs around a pole along both sides of the antimeridian to enclose it."""
    if abs(ring[-1, 0] - ring[0, 0]) < 180:
        return np.concatenate([ring[:-1], ring[:1]])  # unwrapping left a rounding error in the closing point
    pole = np.copysign(90, ring[:, 1].mean())
    return np.concatenate([ring, [(ring[-1, 0], pole), (ring[0, 0], pole)], ring[:1]])


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
