"""Scenes and deliveries across the 180th meridian and around the poles: areas, outlines, placed pixels."""

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from service.geotiff.ground import WGS84, to_wgs84
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.geojson import bounds, geometry
from service.imagery.placement import place_patch
from service.imagery.radiometry import Imagery, to_imagery
from service.imagery.tile_grid import TileGrid
from service.imagery.tiling import Tiles, cut_tiles
from service.plans.maps import lattice_to_wgs84, outlines
from tests.support.rasters import make_imagery, write_geotiff

LATITUDE = 52.0
DEGREE = 1e-4  # a pixel of geographic rasters: 11 m down, 7 m across


def raster_at(crs: str, longitude: float, latitude: float, step: float, side: int = 48) -> Affine:
    """Return the transform of a raster of `side` pixels centred at a place."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    return Affine(step, 0, x - side / 2 * step, 0, -step, y + side / 2 * step)


def tiles_of(crs: str, transform: Affine) -> Tiles:
    pixels = np.full((3, 48, 48), 90, np.uint8)
    body = write_geotiff(pixels, crs=crs, transform=transform, photometric="rgb")
    return cut_tiles(to_imagery(read_geotiff(body, Limits())), 8, 9.75, 0.5)


CROSSING = {
    "EPSG:4326": raster_at("EPSG:4326", 180, LATITUDE, DEGREE),
    "EPSG:4326 most west": raster_at("EPSG:4326", 179.999, LATITUDE, DEGREE),
    "EPSG:4326 counted to 360": raster_at("EPSG:4326", 180.001, LATITUDE, DEGREE),
    "EPSG:32601": raster_at("EPSG:32601", 180, LATITUDE, 10),
    "EPSG:32660": raster_at("EPSG:32660", 180, LATITUDE, 10),
    "EPSG:3857": raster_at("EPSG:3857", 180, LATITUDE, 17),
    "EPSG:3832": raster_at("EPSG:3832", 180, LATITUDE, 17),
    "EPSG:3413": raster_at("EPSG:3413", 180, 75, 10),
}


@pytest.mark.parametrize("name", CROSSING)
def test_cut_tiles_plans_a_scene_across_the_antimeridian(name: str) -> None:
    tiles = tiles_of(name.split(maxsplit=1)[0], CROSSING[name])
    grid = tiles.grid
    assert grid.columns >= 4
    places = outlines(grid, *np.divmod(np.arange(grid.tile_count * 16), 16))
    west, _, east, _ = bounds(places)
    assert west > 179
    assert east < -179
    shapes = [shapely.geometry.shape(place) for place in places]
    areas = [
        sum(abs(WGS84.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(one)) for one in shapes
    ]
    np.testing.assert_allclose(areas, grid.patch_areas_m2().ravel(), rtol=2e-3)
    assert tiles.planned_km2 == pytest.approx(sum(areas) / 1e6, rel=1e-4)


def test_cut_tiles_plans_longitudes_of_0_to_360_where_they_lie() -> None:
    shifted = tiles_of("EPSG:4326", Affine(DEGREE, 0, 190, 0, -DEGREE, LATITUDE))
    plain = tiles_of("EPSG:4326", Affine(DEGREE, 0, -170, 0, -DEGREE, LATITUDE))
    np.testing.assert_allclose(shifted.grid.transform[:6], plain.grid.transform[:6], atol=1e-12)
    np.testing.assert_allclose(shifted.grid.patch_areas_m2(), plain.grid.patch_areas_m2(), rtol=1e-6)


@pytest.mark.parametrize("beyond", [1e-9, 5e-7])
def test_cut_tiles_draws_no_sliver_beyond_180(beyond: float) -> None:
    grid = tiles_of("EPSG:4326", Affine(DEGREE, 0, 180 - 48 * DEGREE + beyond, 0, -DEGREE, LATITUDE)).grid
    places = outlines(grid, *np.divmod(np.arange(grid.tile_count * 16), 16))
    assert {place["type"] for place in [*places, grid.footprint_wgs84()]} == {"Polygon"}


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031", "EPSG:5041"])
@pytest.mark.parametrize("off", [0.0, 3.0])
def test_cut_tiles_plans_around_and_beside_a_pole(crs: str, off: float) -> None:
    latitude = (90 - off) * (-1 if crs == "EPSG:3031" else 1)
    tiles = tiles_of(crs, raster_at(crs, 100, latitude, 10))
    places = outlines(tiles.grid, *np.divmod(np.arange(tiles.grid.tile_count * 16), 16))
    areas = [
        sum(
            abs(WGS84.geometry_area_perimeter(part)[0])
            for part in shapely.get_parts(shapely.geometry.shape(one))
        )
        for one in places
    ]
    np.testing.assert_allclose(areas, tiles.grid.patch_areas_m2().ravel(), rtol=1e-3)


def colours(crs: str, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a colour (3, ...) for points (..., 2) that depends on their longitude and latitude alone."""
    degrees = to_wgs84(crs, points)
    east, north = (degrees[..., 0] % 360 - 180) * 2e4, (degrees[..., 1] - LATITUDE) * 2e4
    waves = [np.sin(east / 9), np.sin(north / 7), np.cos((east + north) / 11)]
    return np.asarray(np.rint(128 + 100 * np.array(waves)), np.uint8)


def seen(crs: str, transform: Affine, height: int, width: int) -> Imagery:
    """Return an image of the colours of the ground."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = np.stack(transform @ (x, y), axis=-1)
    return make_imagery(colours(crs, points), transform=transform, crs=crs)


SCENES = ["EPSG:4326", "EPSG:4326 most west", "EPSG:32601", "EPSG:3857", "EPSG:3832"]
DELIVERED = {
    "EPSG:4326": ("EPSG:4326", raster_at("EPSG:4326", 180, LATITUDE, 2e-5, 400), 400),
    "EPSG:4326 most west": ("EPSG:4326", raster_at("EPSG:4326", -180, LATITUDE, 2e-5, 400), 400),
    "EPSG:4269": ("EPSG:4269", raster_at("EPSG:4269", 180, LATITUDE, 2e-5, 400), 400),
    "EPSG:32660": ("EPSG:32660", raster_at("EPSG:32660", 180, LATITUDE, 2, 350), 350),
    "EPSG:3857": ("EPSG:3857", raster_at("EPSG:3857", 180, LATITUDE, 3.2, 350), 350),
    "EPSG:3832": ("EPSG:3832", raster_at("EPSG:3832", 180, LATITUDE, 3.2, 350), 350),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("delivered", DELIVERED)
def test_place_patch_finds_the_ground_on_both_sides_of_180(scene: str, delivered: str) -> None:
    grid = tiles_of(scene.split(maxsplit=1)[0], CROSSING[scene]).grid
    crs, transform, side = DELIVERED[delivered]
    imagery = seen(crs, transform, side, side)
    size = 10
    middle = grid.rows // 2 * grid.columns + grid.columns // 2
    for tile in (middle - 1, middle):
        for patch in (0, 4, 8, 12):
            placed = place_patch(imagery, grid, tile, patch, size).pixels
            corner = grid.patch_corners(np.array([tile]), np.array([patch]))[0, 0]
            step = grid.transform @ Affine.scale(grid.tile_px / 4 / size)
            target = Affine(step.a, step.b, corner[0], step.d, step.e, corner[1])
            expected = seen(grid.crs, target, size, size).rgb
            assert np.abs(placed.astype(int) - expected).mean() < 8, (tile, patch)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:5041", "EPSG:3031"])
@pytest.mark.parametrize("offset", [(0, 0), (10, 0), (7, 13)], ids=["corner", "side", "inside"])
def test_geometry_writes_any_shape_around_a_pole(crs: str, offset: tuple[int, int]) -> None:
    middle = 2_000_000 if crs == "EPSG:5041" else 0
    corner = Affine(10, 0, middle - 120 + offset[0], 0, -10, middle + 120 - offset[1])
    grid = TileGrid(columns=3, rows=3, tile_px=8, transform=corner, crs=crs)
    scale = grid.patch_areas_m2().mean()
    generator = np.random.default_rng(5)
    for share in (0.4, 0.6, 0.9):
        cells = np.argwhere(generator.random((12, 12)) < share)
        shapes = shapely.union_all([shapely.box(x, y, x + 1, y + 1) for y, x in cells])
        for part in shapely.get_parts(shapes):
            lattice = [np.asarray(ring.coords) for ring in (part.exterior, *part.interiors)]
            rings = [lattice_to_wgs84(grid, ring) for ring in lattice]
            shape = shapely.geometry.shape(geometry(rings))
            assert shape.is_valid
            found = sum(abs(WGS84.geometry_area_perimeter(one)[0]) for one in shapely.get_parts(shape))
            assert found == pytest.approx(part.area * scale, rel=0.02)
