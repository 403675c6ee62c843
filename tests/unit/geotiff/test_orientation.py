"""Rasters stored mirrored or turned by quarter turns: north up in the end, each pixel in its place."""

from typing import Any

import numpy as np
import pytest
from affine import Affine

from service.geotiff.ground import to_wgs84
from service.geotiff.orientation import turn_north_up
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from tests.support.rasters import UTM32, UTM_10M, make_noise, write_geotiff

NOISE = make_noise()
VALID = make_noise(1, seed=3)[0] > 100
HEIGHT, WIDTH = VALID.shape


def stored(*, transposed: bool, east_west: bool, north_south: bool) -> tuple[Any, Any, Affine]:
    """Return `NOISE`, `VALID` and `UTM_10M` in another order of storage: the same place of every pixel."""
    pixels, valid, transform = NOISE, VALID, UTM_10M
    if east_west:
        transform = transform @ Affine.translation(WIDTH, 0) @ Affine.scale(-1, 1)
        pixels, valid = pixels[:, :, ::-1], valid[:, ::-1]
    if north_south:
        transform = transform @ Affine.translation(0, HEIGHT) @ Affine.scale(1, -1)
        pixels, valid = pixels[:, ::-1], valid[::-1]
    if transposed:
        transform = transform @ Affine(0, 1, 0, 1, 0, 0)
        pixels, valid = pixels.swapaxes(1, 2), valid.T
    return pixels, valid, transform


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("east_west", [False, True])
@pytest.mark.parametrize("north_south", [False, True])
def test_turn_north_up_restores_each_of_the_eight_orders(
    *, transposed: bool, east_west: bool, north_south: bool
) -> None:
    order = stored(transposed=transposed, east_west=east_west, north_south=north_south)
    pixels, valid, transform = turn_north_up(*order, UTM32)
    np.testing.assert_array_equal(pixels, NOISE)
    np.testing.assert_array_equal(valid, VALID)
    assert transform.almost_equals(UTM_10M)


@pytest.mark.parametrize("angle", [-40, 30, 44])
def test_turn_north_up_keeps_other_rotations(angle: float) -> None:
    rotated = UTM_10M @ Affine.rotation(angle)
    pixels, _, transform = turn_north_up(NOISE, VALID, rotated, UTM32)
    np.testing.assert_array_equal(pixels, NOISE)
    assert transform == rotated


def test_turn_north_up_reads_axes_that_count_westward_and_southward() -> None:
    crs = "EPSG:2048"  # South Africa: westing and southing
    transform = Affine(-10, 0, 0, 0, 10, 3_700_000)
    pixels, _, kept = turn_north_up(NOISE, VALID, transform, crs)
    assert pixels is NOISE
    corners = to_wgs84(crs, np.array([kept @ (0, 0), kept @ (WIDTH, 0), kept @ (0, HEIGHT)]))
    assert corners[1, 0] > corners[0, 0]  # columns run east
    assert corners[2, 1] < corners[0, 1]  # rows run south


def test_turn_north_up_keeps_polar_rasters_as_their_map_shows_them() -> None:
    for crs in ("EPSG:3413", "EPSG:3031", "EPSG:5041"):
        pixels, _, kept = turn_north_up(NOISE, VALID, UTM_10M, crs)
        assert pixels is NOISE
        assert kept == UTM_10M


def test_read_geotiff_turns_a_mirrored_file_around() -> None:
    pixels, _, transform = stored(transposed=False, east_west=True, north_south=False)
    found = read_geotiff(write_geotiff(pixels, transform=transform), Limits())
    np.testing.assert_array_equal(found.pixels, NOISE)
    assert found.transform == UTM_10M
