"""RFC 7946 geometries: ring directions, and splits at the antimeridian and the poles."""

from typing import Any

import antimeridian
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from service.geotiff.ground import to_wgs84
from service.imagery.geojson import bounds, geometry
from service.imagery.tile_grid import TileGrid
from service.plans.maps import outlines

GEOD = Geod(ellps="WGS84")
SQUARE = np.array([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)], np.float64)


def grid_at(crs: str, longitude: float, latitude: float, side: int = 3) -> TileGrid:
    """Return a grid of tiles of 560 m centred at a place."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    half = side * 280
    transform = Affine(10, 0, x - half, 0, -10, y + half)
    return TileGrid(columns=side, rows=side, tile_px=56, transform=transform, crs=crs)


CROSSING = [
    grid_at("EPSG:32660", 180, 60),
    grid_at("EPSG:32601", -180, 60),
    grid_at("EPSG:32660", 180, 1),
    grid_at("EPSG:32701", 180, -45),
    grid_at("EPSG:3413", 180, 75),
]
POLAR = [
    grid_at("EPSG:3413", 0, 90),
    grid_at("EPSG:3413", 0, 90, side=4),
    grid_at("EPSG:3031", 0, -90),
    grid_at("EPSG:5041", 0, 90),
]


def every_outline(grid: TileGrid) -> list[dict[str, Any]]:
    return outlines(grid, *np.divmod(np.arange(grid.tile_count * 16), 16))


def area_m2(document: dict[str, Any]) -> float:
    """Measure a geometry with geodesics along its edges, whatever the longitudes."""
    shape = shapely.geometry.shape(document)
    return sum(abs(GEOD.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(shape))


@pytest.mark.parametrize("grid", CROSSING + POLAR, ids=lambda grid: grid.crs)
def test_outlines_at_antimeridian_and_poles_are_legal_geojson_with_true_areas(grid: TileGrid) -> None:
    places, areas = every_outline(grid), grid.patch_areas_m2().ravel()
    assert any(place["type"] == "MultiPolygon" for place in places) or grid in POLAR
    # Squares of 140 m; a projection's map scale differs from 1 at the edge of its zone.
    assert areas.min() > 0.9 * 140**2
    assert areas.max() < 1.1 * 140**2
    assert np.ptp(areas) / areas.mean() < 1e-4
    for place, area in zip(places, areas, strict=True):
        shape = shapely.geometry.shape(place)
        west, south, east, north = shape.bounds
        assert shape.is_valid
        assert -180 <= west <= east <= 180
        assert -90 <= south <= north <= 90
        assert area_m2(place) == pytest.approx(area, rel=2e-4)
        for part in shapely.get_parts(shape):
            assert part.exterior.is_ccw


@pytest.mark.parametrize("grid", CROSSING, ids=lambda grid: grid.crs)
def test_bounds_of_a_crossing_scene_are_as_narrow_as_the_scene(grid: TileGrid) -> None:
    west, south, east, north = bounds(every_outline(grid))
    assert west > 179
    assert east < -179
    assert south < north
    footprint = grid.footprint_wgs84()
    assert footprint["type"] == "MultiPolygon"
    assert bounds([footprint]) == pytest.approx([west, south, east, north], abs=1e-4)


@pytest.mark.parametrize("grid", POLAR, ids=lambda grid: grid.crs)
def test_footprint_around_a_pole_reaches_it_on_every_meridian(grid: TileGrid) -> None:
    footprint = grid.footprint_wgs84()
    west, south, east, north = bounds([footprint])
    assert (west, east) == (-180, 180)
    assert max(north, -south) == 90
    assert area_m2(footprint) == pytest.approx(grid.patch_areas_m2().sum(), rel=1e-2)


@pytest.mark.parametrize("turn", [1, -1], ids=["legal", "reversed"])
def test_geometry_turns_outer_rings_counter_clockwise_and_holes_clockwise(turn: int) -> None:
    hole = SQUARE / 4 + 1
    placed = shapely.geometry.shape(geometry([SQUARE[::turn], hole[::turn]]))
    assert isinstance(placed, shapely.Polygon)
    assert placed.exterior.is_ccw
    assert not placed.interiors[0].is_ccw
    assert placed.area == 15


@pytest.mark.parametrize("shift", [178.0, -182.0, 538.0])
def test_geometry_splits_a_hole_with_its_ring(shift: float) -> None:
    def wrapped(ring: NDArray[np.float64]) -> NDArray[np.float64]:
        longitude = (ring[:, 0] + shift + 180) % 360 - 180
        return np.stack([longitude, ring[:, 1]], axis=1)

    placed = geometry([wrapped(SQUARE), wrapped(SQUARE / 2 + 1)])
    shape = shapely.geometry.shape(placed)
    assert placed["type"] == "MultiPolygon"
    assert [part.area for part in shapely.get_parts(shape)] == [6, 6]
    assert list(shape.bounds) == [-180, 0, 180, 4]
    assert bounds([placed]) == [178, 0, -178, 4]


@given(
    middle=st.tuples(st.floats(179.5, 180.5), st.floats(-75, 75)),
    half=st.floats(0.6, 3),
    angle=st.floats(0, np.pi),
    hole=st.floats(0.1, 0.9),
)
def test_geometry_splits_as_the_library_for_it_does(
    middle: tuple[float, float], half: float, angle: float, hole: float
) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    square = (SQUARE / 2 - 1) * half @ turn
    rings = [square + middle, square[::-1] * hole + middle]
    for ring in rings:
        ring[:, 0] = (ring[:, 0] + 180) % 360 - 180
    ours = shapely.geometry.shape(geometry(rings))
    # Record 58: at the poles the library's areas are not the true ones.
    theirs = antimeridian.fix_polygon(shapely.Polygon(rings[0], rings[1:]), great_circle=False)
    assert ours.is_valid
    assert ours.symmetric_difference(theirs).area < 1e-5 * ours.area


def test_outlines_wrap_a_raster_in_degrees_beyond_180() -> None:
    grid = TileGrid(
        columns=2, rows=1, tile_px=56, transform=Affine(1e-4, 0, 179.9944, 0, -1e-4, 10), crs="EPSG:4326"
    )
    assert to_wgs84(grid.crs, np.array([180.0056, 10.0]))[0] > 180
    longitudes = [lon for place in every_outline(grid) for lon, _ in place["coordinates"][0]]
    assert max(longitudes) <= 180
    assert bounds(every_outline(grid))[0] > 179
