"""Rasters read from uploads: valid pixels, orientation and coordinate reference system."""

import numpy as np
import pytest
from affine import Affine

from service.errors import LoupeError
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from tests.support.rasters import UTM_10M, make_noise, write_geotiff


def read(body: bytes) -> Raster:
    return read_geotiff(body, Limits())


def test_read_geotiff_needs_integer_nodata_in_all_bands() -> None:
    pixels = make_noise()
    pixels[:, 0, 0] = 0
    pixels[0, 1, 1] = 0
    assert np.argwhere(~read(write_geotiff(pixels, nodata=0)).valid).tolist() == [[0, 0]]


def test_read_geotiff_makes_transparent_pixels_invalid() -> None:
    pixels = make_noise(4)
    pixels[3], pixels[3, :5] = 255, 0
    found = read(write_geotiff(pixels, photometric="rgb", colours=["red", "green", "blue", "alpha"]))
    assert not found.valid[:5].any()
    assert found.valid[5:].all()


def test_read_geotiff_flips_a_south_up_raster_exactly() -> None:
    pixels = make_noise()
    north_up = read(write_geotiff(pixels))
    south_up = Affine(10, 0, 500_000, 0, 10, 5_700_000 - 32 * 10)
    found = read(write_geotiff(pixels[:, ::-1], transform=south_up))
    assert found.transform == north_up.transform
    np.testing.assert_array_equal(found.pixels, north_up.pixels)


def test_read_geotiff_keeps_a_rotated_raster() -> None:
    rotated = UTM_10M @ Affine.rotation(30)
    found = read(write_geotiff(make_noise(), transform=rotated))
    assert found.transform.almost_equals(rotated, 1e-6)
    np.testing.assert_array_equal(found.pixels, make_noise())


def test_read_geotiff_recognises_a_crs_without_its_code() -> None:
    wkt = 'LOCAL_CS["somewhere",UNIT["metre",1]]'
    with pytest.raises(LoupeError, match="coordinate reference system"):
        read(write_geotiff(make_noise(), crs=wkt))
    proj = "+proj=utm +zone=32 +datum=WGS84 +units=m +no_defs"
    assert read(write_geotiff(make_noise(), crs=proj)).crs == "EPSG:32632"
