"""Tiles and patches on the ground: they cover the scene exactly once, and their areas are right."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from service.geotiff.ground import WGS84, to_wgs84
from service.imagery.tile_grid import TileGrid, quadrangle_area_m2, to_equal_area

# CRS, a place in it and its units per metre: UTM, Web Mercator, geographic, Swiss, polar, southern UTM.
PLACES = {
    "EPSG:32632": (500_000, 5_700_000, 1.0),
    "EPSG:3857": (1_000_000, 7_000_000, 1.7),
    "EPSG:4326": (13.2, 53.9, 1e-5),
    "EPSG:2056": (2_679_000, 1_248_000, 1.0),
    "EPSG:3413": (-200_000, -2_200_000, 1.0),
    "EPSG:32756": (330_000, 6_250_000, 1.0),
}


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    """Draw grids of a few tiles anywhere in `PLACES`, north-up, south-up or rotated."""
    crs = draw(st.sampled_from(sorted(PLACES)))
    x, y, unit = PLACES[crs]
    step = draw(st.floats(2, 30)) * unit
    transform = Affine.translation(x, y) @ Affine.scale(step, draw(st.sampled_from([-step, step])))
    if crs != "EPSG:4326":
        transform = transform @ Affine.rotation(draw(st.sampled_from([0.0, 0.0, 17.0, -80.0])))
    return TileGrid(
        columns=draw(st.integers(1, 5)),
        rows=draw(st.integers(1, 5)),
        tile_px=draw(st.sampled_from([4, 8, 30, 56])),
        transform=transform,
        crs=crs,
    )


def every_patch(grid: TileGrid) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(np.arange(grid.tile_count * 16), 16)


def geodesic_areas(rings: np.ndarray) -> np.ndarray:
    return np.array([WGS84.polygon_area_perimeter(*ring[:-1].T)[0] for ring in rings])


@settings(max_examples=40, deadline=None)
@given(grids())
def test_patch_areas_agree_with_geodesics_to_a_millionth(grid: TileGrid) -> None:
    expected = geodesic_areas(grid.patch_rings_wgs84(*every_patch(grid))).reshape(-1, 16)
    # The reference rounds by up to 1 cm2 per ring, which matters for patches of a few square metres.
    np.testing.assert_allclose(grid.patch_areas_m2(), expected, rtol=1e-6, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(grids())
def test_patch_areas_sum_to_tiles_and_scene(grid: TileGrid) -> None:
    areas = grid.patch_areas_m2()
    tiles = geodesic_areas(grid.tile_rings_wgs84(np.arange(grid.tile_count)))
    np.testing.assert_allclose(areas.sum(axis=1), tiles, rtol=1e-4)  # a tile's geodesic edges bend more
    size = grid.columns * grid.tile_px, grid.rows * grid.tile_px
    np.testing.assert_allclose(areas.sum(), quadrangle_area_m2(grid.transform, grid.crs, *size), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(grids())
def test_patch_corners_tile_the_plane_without_gap_or_overlap(grid: TileGrid) -> None:
    patches = shapely.polygons(grid.patch_corners(*every_patch(grid)))
    width, height = grid.columns * grid.tile_px, grid.rows * grid.tile_px
    outline = shapely.Polygon(
        [grid.transform @ at for at in ((0, 0), (width, 0), (width, height), (0, height))]
    )
    assert shapely.area(patches).sum() == pytest.approx(outline.area, rel=1e-9)
    assert shapely.union_all(patches, grid_size=outline.length * 1e-9).area == pytest.approx(
        outline.area, rel=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(grids())
def test_patch_rings_are_closed_counter_clockwise_longitude_latitude(grid: TileGrid) -> None:
    rings = grid.patch_rings_wgs84(*every_patch(grid))
    assert rings.shape == (grid.tile_count * 16, 5, 2)
    np.testing.assert_array_equal(rings[:, 0], rings[:, -1])
    assert shapely.is_ccw(shapely.linearrings(rings)).all()
    footprint = shapely.Polygon(grid.footprint_wgs84()["coordinates"][0])
    assert footprint.exterior.is_ccw
    centres = rings[:, :4].mean(axis=1)
    assert shapely.contains_xy(footprint, *centres.T).all()


def test_patch_corners_number_patches_column_major_in_row_major_tiles() -> None:
    grid = TileGrid(columns=2, rows=2, tile_px=8, transform=Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32632")
    upper_left = grid.patch_corners(np.array([0, 0, 0, 1, 2, 3]), np.array([0, 1, 4, 0, 0, 15]))[:, 0]
    assert upper_left.tolist() == [[0, 0], [0, -20], [20, 0], [80, 0], [0, -80], [140, -140]]


@pytest.mark.parametrize(("tile", "patch"), [(4, 0), (-1, 0), (0, 16), (0, -1)])
def test_patch_corners_refuse_indices_outside_the_grid(tile: int, patch: int) -> None:
    grid = TileGrid(columns=2, rows=2, tile_px=8, transform=Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32632")
    with pytest.raises(ValueError, match=r"0\.\.3"):
        grid.patch_corners(np.array([tile]), np.array([patch]))


@settings(max_examples=25, deadline=None)
@given(grids())
def test_from_json_returns_the_grid_of_to_json(grid: TileGrid) -> None:
    assert TileGrid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_patch_areas_of_web_mercator_are_measured_on_the_ground() -> None:
    """Check that at 60 degrees a Web Mercator metre is half a metre, a little more on the ellipsoid."""
    x, y = 1_000_000, 8_399_737.89
    grid = TileGrid(columns=1, rows=1, tile_px=8, transform=Affine(10, 0, x, 0, -10, y), crs="EPSG:3857")
    assert to_wgs84("EPSG:3857", np.array([x, y]))[1] == pytest.approx(60, abs=1e-4)
    assert grid.patch_areas_m2().sum() == pytest.approx(80 * 80 / 4, rel=0.01)
    assert Geod(ellps="WGS84").a == WGS84.a


@given(lon=st.floats(-180, 180), lat=st.floats(-89.9, 89.9), seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_equal_area_plane_has_the_numbers_of_a_transformer(lon: float, lat: float, seed: int) -> None:
    near = np.random.default_rng(seed).uniform(-1, 1, (4, 5, 2))
    degrees = np.stack([lon + near[..., 0], np.clip(lat + near[..., 1], -90, 90)], axis=-1)
    plane = CRS.from_dict({"proj": "laea", "lon_0": lon, "lat_0": lat, "datum": "WGS84", "units": "m"})
    to_plane = Transformer.from_crs("EPSG:4326", plane, always_xy=True)
    expected = np.stack(to_plane.transform(degrees[..., 0], degrees[..., 1]), axis=-1)

    found = to_equal_area("EPSG:4326", degrees, np.array([lon, lat]))

    assert np.array_equal(found, expected)
