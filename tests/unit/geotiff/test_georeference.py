"""The place of an upload: the cause when it is missing, equal systems, and the edges of the Earth."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.control import GroundControlPoint

from service.errors import LoupeError
from service.geotiff.decoder import describe_crs
from service.geotiff.errors import GeoreferenceError
from service.geotiff.georeference import settle
from service.geotiff.ground import to_wgs84
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from tests.support.rasters import GEO_KEYS, UTM_10M, handmade_tiff, make_noise, write_geotiff

POINTS = [0.0, 0, 0, 9, 50, 0, 8, 0, 0, 9.1, 50, 0, 0, 8, 0, 9, 49.9, 0]  # pixel, line, 0, x, y, 0


def refusal(body: bytes) -> LoupeError:
    with pytest.raises(GeoreferenceError) as caught:
        read_geotiff(body, Limits())
    return caught.value


def test_read_geotiff_names_ground_control_points_and_their_remedy() -> None:
    error = refusal(handmade_tiff(geo=False, tags=[(33922, 12, POINTS), *GEO_KEYS]))
    assert "ground control points (3)" in error.detail
    assert "gdalwarp -tps" in error.detail


def test_read_geotiff_names_control_points_that_gdal_wrote() -> None:
    with rasterio.MemoryFile() as memory:
        profile = {"driver": "GTiff", "count": 1, "height": 8, "width": 8, "dtype": "uint8"}
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning), memory.open(**profile) as file:
            file.gcps = (
                [GroundControlPoint(*at) for at in ((0, 0, 9, 50), (0, 8, 9.1, 50), (8, 0, 9, 49))],
                4326,
            )
        assert "ground control points (3)" in refusal(memory.read()).detail


def test_read_geotiff_names_rpcs_and_their_remedy() -> None:
    error = refusal(handmade_tiff(geo=False, tags=[(50844, 12, [0.0] * 92)]))
    assert "RPCs" in error.detail
    assert "gdalwarp -rpc" in error.detail


def test_read_geotiff_prefers_a_geotransform_to_rpcs() -> None:
    assert read_geotiff(handmade_tiff(tags=[(50844, 12, [0.0] * 92)]), Limits()).transform == UTM_10M


def test_read_geotiff_names_the_world_file_when_nothing_places_the_raster() -> None:
    assert ".tfw" in refusal(handmade_tiff(geo=False)).detail


def test_read_geotiff_reads_a_transformation_matrix() -> None:
    matrix = [10.0, 0, 0, 500_000, 0, -10, 0, 5_700_000, *[0.0] * 7, 1]
    body = handmade_tiff(geo=False, tags=[(34264, 12, matrix), *GEO_KEYS])
    assert read_geotiff(body, Limits()).transform == UTM_10M


EQUAL = {
    "ESRI:102039": "EPSG:5070",
    "ESRI:102100": "EPSG:3857",
    "IGNF:LAMB93": "EPSG:2154",
    "IGNF:ETRS89UTM32": "EPSG:25832",
    "EPSG:32632+5773": "EPSG:32632",
    "EPSG:2154+5720": "EPSG:2154",
    "EPSG:5555": "EPSG:25832",
    "EPSG:4979": "EPSG:4326",
    "OGC:CRS84": "EPSG:4326",
}


@pytest.mark.parametrize("code", EQUAL)
def test_read_geotiff_takes_systems_that_equal_one_of_epsg(code: str) -> None:
    degrees = EQUAL[code] == "EPSG:4326"
    transform = Affine(1e-4, 0, 9, 0, -1e-4, 50) if degrees else UTM_10M
    assert (
        read_geotiff(write_geotiff(make_noise(), crs=code, transform=transform), Limits()).crs == EQUAL[code]
    )


def test_read_geotiff_refuses_a_system_that_epsg_lacks_by_its_name() -> None:
    assert "World_Mollweide" in refusal(write_geotiff(make_noise(), crs="ESRI:54009")).detail


@pytest.mark.parametrize("form", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_describe_crs_recognises_a_system_without_its_code(form: str) -> None:
    crs = CRS.from_epsg(5070)
    bare = CRS.from_json_dict({key: value for key, value in crs.to_json_dict().items() if key != "id"})
    assert describe_crs(bare.to_wkt(form))["epsg"] == 5070


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"Longitude of false origin",-96', '"Longitude of false origin",-97'),
        ('"Easting at false origin",0', '"Easting at false origin",100'),
        ('"Latitude of 1st standard parallel",29.5', '"Latitude of 1st standard parallel",29.6'),
        ('"GRS 1980",6378137', '"GRS 1980",6378100'),
    ],
)
def test_describe_crs_equates_no_system_with_other_parameters(was: str, becomes: str) -> None:
    wkt = CRS.from_epsg(5070).to_wkt()
    assert describe_crs(wkt)["epsg"] == 5070
    assert was in wkt
    assert describe_crs(wkt.replace(was, becomes))["epsg"] is None


def test_describe_crs_takes_no_code_on_trust() -> None:
    wkt = (
        CRS.from_epsg(32632)
        .to_wkt()
        .replace('"Longitude of natural origin",9', '"Longitude of natural origin",10')
    )
    assert 'ID["EPSG",32632]' in wkt
    assert describe_crs(wkt)["epsg"] is None


def test_describe_crs_survives_hostile_text() -> None:
    for wkt in (
        "",
        "GEOGCS[" * 5_000,
        'PROJCS["' + "x" * 100_000 + '"]',
        'COMPD_CS["a",' * 3_000,
        "+proj=pipeline",
    ):
        assert describe_crs(wkt)["epsg"] is None
        assert len(describe_crs(wkt)["name"]) <= 200


def degrees(west: float, north: float, step: float = 1e-4) -> Affine:
    return Affine(step, 0, west, 0, -step, north)


def test_settle_moves_longitudes_of_0_to_360() -> None:
    assert settle(degrees(190, 52), "EPSG:4326", 24, 24).almost_equals(degrees(-170, 52), 1e-9)
    assert settle(degrees(-190, 52), "EPSG:4326", 24, 24).almost_equals(degrees(170, 52), 1e-9)
    assert settle(degrees(13, 52), "EPSG:4326", 24, 24) == degrees(13, 52)


def test_settle_moves_grads_by_400() -> None:
    paris = "EPSG:4807"  # grads from Paris
    moved = settle(degrees(390, 52), paris, 24, 24)
    assert moved.almost_equals(degrees(-10, 52), 1e-9)


@pytest.mark.parametrize("beyond", [1e-9, 1e-7, 1e-6])  # 0.1 mm to a hundredth of a pixel of 1e-4 degrees
def test_settle_puts_an_edge_beyond_180_or_a_pole_by_rounding_on_it(beyond: float) -> None:
    east = settle(degrees(180 - 24e-4 + beyond, 52), "EPSG:4326", 24, 24)
    assert (east @ (24, 0))[0] == pytest.approx(180, abs=1e-12)
    west = settle(degrees(-180 - beyond, 52), "EPSG:4326", 24, 24)
    assert west.c == pytest.approx(-180, abs=1e-12)
    pole = settle(degrees(10, 90 + beyond), "EPSG:4326", 24, 24)
    assert pole.f == pytest.approx(90, abs=1e-12)


def test_settle_keeps_a_raster_across_180_whole() -> None:
    most_east = settle(degrees(179.998, 52), "EPSG:4326", 24, 24)
    assert most_east == degrees(179.998, 52)
    most_west = settle(degrees(179.999, 52), "EPSG:4326", 24, 24)
    assert most_west.almost_equals(degrees(-180.001, 52), 1e-9)


@pytest.mark.parametrize(
    "crs", ["EPSG:32660", "EPSG:32601", "EPSG:3857", "EPSG:3395", "EPSG:3413", "EPSG:3832"]
)
def test_settle_keeps_projected_rasters_across_180(crs: str) -> None:
    x, y = {
        "EPSG:32660": (710_400, 5_700_000),
        "EPSG:32601": (289_600, 5_700_000),
        "EPSG:3857": (20_037_508, 6_800_000),
        "EPSG:3395": (20_037_508, 6_800_000),
        "EPSG:3413": (-1_500_000, 1_500_000),
        "EPSG:3832": (3_339_584, 6_800_000),
    }[crs]
    transform = Affine(10, 0, x - 5_000, 0, -10, y + 5_000)
    longitudes = to_wgs84(crs, np.array([transform @ at for at in ((0, 500), (1_000, 500))]))[:, 0]
    assert np.ptp(longitudes) > 300
    assert settle(transform, crs, 1_000, 1_000) == transform


def test_settle_moves_mercator_beyond_its_edge_by_one_turn() -> None:
    beyond = Affine(10, 0, 21_000_000, 0, -10, 6_800_000)
    moved = settle(beyond, "EPSG:3857", 24, 24)
    assert moved.c == pytest.approx(21_000_000 - 2 * np.pi * 6_378_137, abs=1e-3)
    before, after = (to_wgs84("EPSG:3857", np.array(place @ (24, 24))) for place in (beyond, moved))
    np.testing.assert_allclose(before, after, atol=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031", "EPSG:5041", "EPSG:32761"])
@pytest.mark.parametrize("off", [0, 400_000])
def test_settle_keeps_polar_rasters_with_and_without_the_pole(crs: str, off: float) -> None:
    pole = (2_000_000 if crs in ("EPSG:5041", "EPSG:32761") else 0) + off
    transform = Affine(10, 0, pole - 5_000, 0, -10, pole + 5_000)
    assert settle(transform, crs, 1_000, 1_000) == transform


@pytest.mark.parametrize(
    ("transform", "crs", "said"),
    [
        (Affine(10, 0, 400_000, 0, -10, 5_800_000), "EPSG:4326", "metres"),
        (Affine(1e-4, 0, 52, 0, -1e-4, 113), "EPSG:4326", "swapped"),
        (Affine(1e-4, 0, 113, 0, -1e-4, 95), "EPSG:4326", "y 94.9"),
        (Affine(20, 0, -180, 0, -1e-4, 50), "EPSG:4326", "whole Earth"),
        (Affine(10, 0, 9e9, 0, -10, 9e9), "EPSG:32632", "x 9000000000"),
        (Affine(10, 0, 5e8, 0, -10, 6e6), "EPSG:3035", "outside the area"),
    ],
)
def test_settle_names_the_cause_outside_the_area_of_a_system(transform: Affine, crs: str, said: str) -> None:
    with pytest.raises(GeoreferenceError, match=said):
        settle(transform, crs, 24, 24)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32633", "EPSG:3857", "EPSG:3413"])
@pytest.mark.parametrize("extreme", [1e308, -1e308, 1e200, 1e16, 5e-324])
@pytest.mark.parametrize("place", range(6))
def test_settle_refuses_or_takes_numbers_at_the_ends_of_their_range(
    place: int, extreme: float, crs: str
) -> None:
    usual = [1e-4, 0.0, 9.0, 0.0, -1e-4, 50.0] if crs == "EPSG:4326" else list(UTM_10M[:6])
    transform = Affine(*(extreme if at == place else value for at, value in enumerate(usual)))
    try:
        settled = settle(transform, crs, 32, 32)
    except GeoreferenceError as error:
        json.dumps(error.problem(), allow_nan=False)  # else the refusal itself could not be sent
    else:
        assert np.isfinite(settled[:6]).all()
