"""Points on a lattice over each patch, and the pixels of a delivered image under them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from models.grid import GRID
from service.geotiff.ground import FloatArray, to_wgs84, transform_near
from service.imagery.geojson import Geometry, geometry
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import Indices, TileGrid, apply_affine

LATTICE = 80
"""Points per side of a patch: a point stands for 0.016 % of its area."""

_CONTROL = 5  # points per side that are transformed exactly; those between are interpolated


@dataclass(frozen=True, kw_only=True)
class LatticePoints:
    """Points (N, LATTICE, LATTICE) of N patches, by row and column of the patch."""

    columns: FloatArray  # position in the delivered image, in pixels from its upper left corner
    rows: FloatArray
    depth: FloatArray  # distance from the patch's nearest side, in delivered pixels


def sample_patches(imagery: Imagery, grid: TileGrid, tiles: Indices, patches: Indices) -> LatticePoints:
    """Locate the lattice of N patches in a delivered image of any CRS; infinite where that is undefined."""
    side = grid.tile_px / GRID
    control = np.linspace(0, 1, _CONTROL)
    corner_x = tiles % grid.columns * grid.tile_px + patches // GRID * side
    corner_y = tiles // grid.columns * grid.tile_px + patches % GRID * side
    x, y = np.broadcast_arrays(
        corner_x[:, None, None] + control * side, corner_y[:, None, None] + control[:, None] * side
    )
    places = apply_affine(grid.transform, np.stack([x, y], axis=-1))
    delivered = apply_affine(~imagery.transform, to_image_crs(imagery, grid.crs, places))
    across, down = delivered[..., 0], delivered[..., 1]
    columns, rows = _refine(across), _refine(down)
    return LatticePoints(columns=columns, rows=rows, depth=_depth(across, down))


def to_image_crs(imagery: Imagery, crs: str, points: FloatArray) -> FloatArray:
    """Convert points (..., 2) to the CRS of a delivered image, in its own turn around the Earth."""
    height, width = imagery.valid.shape
    return transform_near(crs, imagery.crs, points, (imagery.transform @ (width / 2, height / 2))[0])


def look_up(
    imagery: Imagery, columns: FloatArray, rows: FloatArray
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Say of each point whether it lies in the image, whether its pixel is valid, and if in the collar."""
    height, width = imagery.valid.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    at = np.where(inside, rows, 0).astype(np.int64), np.where(inside, columns, 0).astype(np.int64)
    valid = inside & imagery.valid[at]
    collar = np.zeros_like(inside) if imagery.collar is None else inside & imagery.collar[at]
    return inside, valid, collar


def uncovered(missing: NDArray[np.bool_], grid: TileGrid, tile: int, patch: int) -> Geometry:
    """Return the ground under the missing points (LATTICE, LATTICE) of a patch as an RFC 7946 geometry."""
    boxes = [
        shapely.box(first, row, last, row + 1)
        for row, line in enumerate(missing)
        for first, last in _runs(line)
    ]
    merged = shapely.union_all(boxes).simplify(1.0)
    side = grid.tile_px / GRID
    left = tile % grid.columns * grid.tile_px + patch // GRID * side
    top = tile // grid.columns * grid.tile_px + patch % GRID * side

    def on_ground(ring: shapely.LinearRing) -> FloatArray:
        pixels = np.asarray(ring.coords) * side / LATTICE + (left, top)
        return to_wgs84(grid.crs, apply_affine(grid.transform, pixels))

    pieces = [
        geometry([on_ground(ring) for ring in (piece.exterior, *piece.interiors)])
        for piece in shapely.get_parts(merged)
    ]
    if len(pieces) == 1:
        return pieces[0]
    polygons = [
        polygon
        for piece in pieces
        for polygon in ([piece["coordinates"]] if piece["type"] == "Polygon" else piece["coordinates"])
    ]
    return {"type": "MultiPolygon", "coordinates": polygons}


def _runs(line: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last index plus one of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _refine(control: FloatArray) -> FloatArray:
    """Interpolate control points (N, _CONTROL, _CONTROL) bilinearly at the points (N, LATTICE, LATTICE)."""
    at = (np.arange(LATTICE) + 0.5) / LATTICE * (_CONTROL - 1)
    first = np.minimum(at.astype(np.int64), _CONTROL - 2)
    weights = np.zeros((LATTICE, _CONTROL))
    weights[np.arange(LATTICE), first] = 1 - (at - first)
    weights[np.arange(LATTICE), first + 1] = at - first
    with np.errstate(invalid="ignore"):  # infinite where the CRS is undefined
        return np.asarray(np.einsum("rc,ncd,sd->nrs", weights, control, weights))


def _depth(across: FloatArray, down: FloatArray) -> FloatArray:
    """Return the distance of lattice points from the patch's nearest side, in delivered pixels."""
    along = (np.arange(LATTICE) + 0.5) / LATTICE
    near = np.minimum(along, 1 - along)
    with np.errstate(invalid="ignore"):
        wide = np.hypot(across[:, 0, -1] - across[:, 0, 0], down[:, 0, -1] - down[:, 0, 0])
        high = np.hypot(across[:, -1, 0] - across[:, 0, 0], down[:, -1, 0] - down[:, 0, 0])
    depth: FloatArray = np.minimum(wide[:, None, None] * near, high[:, None, None] * near[:, None])
    return depth
