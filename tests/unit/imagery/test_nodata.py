"""Pixels without data: declared, or recognised as constant fill and reported."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.nodata import NoValidPixelsError
from service.imagery.radiometry import to_imagery
from tests.support.covers import codes, digital, make_land, make_rgb, shows, true_colours
from tests.support.rasters import make_raster, write_geotiff

LAND = make_land()
KINDS = {
    "uint8": true_colours(LAND),
    "uint16": digital(LAND[:3]),
    "int16": digital(LAND[:3], dtype="int16"),
    "float32": LAND[:3].astype("float32"),
}
FILLS = [
    *[(kind, 0) for kind in KINDS],
    ("uint8", 255),
    ("uint16", 65_535),
    ("int16", -9999),
    ("int16", -32_768),
    ("float32", -9999),
    ("float32", 65_535),
    ("float32", 1e20),
    ("float32", -3.4028234663852886e38),
    ("float32", -0.2),
]


def filled(pixels: NDArray[Any], value: float, where: Any) -> NDArray[Any]:
    pixels = pixels.copy()
    pixels[(slice(None), *where)] = value
    return pixels


TOP_THIRD, MIDDLE_TILE = (slice(0, 8), slice(None)), (slice(8, 16), slice(8, 16))


@pytest.mark.parametrize(("kind", "value"), FILLS)
def test_to_imagery_leaves_out_undeclared_fill_and_says_so(kind: str, value: float) -> None:
    found = to_imagery(make_rgb(filled(KINDS[kind], value, TOP_THIRD)), is_scene=True, strict=True)
    assert not found.valid[:8].any()
    assert found.valid[8:].all()
    assert shows(found, LAND)
    assert codes(found) == ["undeclared-nodata"]
    assert found.warnings[0].figures["share"] == pytest.approx(1 / 3, abs=1e-3)
    assert found.gaps[0].share == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_to_imagery_leaves_out_a_whole_black_tile(kind: str) -> None:
    found = to_imagery(make_rgb(filled(KINDS[kind], 0, MIDDLE_TILE)), is_scene=True, strict=True)
    assert not found.valid[MIDDLE_TILE].any()
    assert found.valid.sum() == 24 * 24 - 64


def test_to_imagery_leaves_out_the_black_corners_of_a_warped_raster() -> None:
    rows, columns = np.mgrid[:24, :24]
    corner = rows + columns < 12
    found = to_imagery(make_rgb(filled(KINDS["uint8"], 0, np.nonzero(corner))), is_scene=True, strict=True)
    assert (found.valid == ~corner).all()


def test_to_imagery_keeps_single_black_pixels_and_shadows() -> None:
    pixels = filled(KINDS["uint8"], 0, ([2, 9, 17], [3, 20, 8]))
    distance = np.hypot(*(np.mgrid[:24, :24] - 15))
    shadow = np.where(distance < 4, 0, np.where(distance < 9, (distance - 3) * 2, 999))
    pixels = np.minimum(pixels, shadow).astype("uint8")
    found = to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert (bool(found.valid.all()), codes(found)) == (True, [])


def test_to_imagery_keeps_saturated_clouds() -> None:
    distance = np.hypot(*np.mgrid[:24, :24])
    cloud = np.clip(300 - distance * 8, 0, 255)
    pixels = np.maximum(KINDS["uint8"], cloud).astype("uint8")
    assert (pixels == 255).all(axis=0).mean() > 0.03
    found = to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert (bool(found.valid.all()), codes(found)) == (True, [])


@pytest.mark.parametrize("pixels", [np.zeros((3, 8, 8), kind) for kind in KINDS], ids=KINDS)
def test_to_imagery_refuses_a_raster_of_zeros(pixels: NDArray[Any]) -> None:
    with pytest.raises(NoValidPixelsError):
        to_imagery(make_rgb(pixels), is_scene=True, strict=True)


def test_to_imagery_keeps_black_regions_of_a_delivery_for_the_comparison_with_its_scene() -> None:
    found = to_imagery(make_rgb(filled(KINDS["uint8"], 0, TOP_THIRD)))
    assert (bool(found.valid.all()), codes(found)) == (True, [])
    black = to_imagery(make_rgb(np.zeros((3, 8, 8), "uint8")))
    assert (bool(black.valid.all()), codes(black)) == (True, ["radiometry-implausible"])


@pytest.mark.parametrize(("nodata", "dropped"), [(0.0, 1), (-9999.0, 2)])
@pytest.mark.parametrize("kind", ["int16", "float32"])
def test_to_imagery_drops_a_pixel_by_one_band_only_if_nodata_is_far_from_data(
    kind: str, nodata: float, dropped: int
) -> None:
    pixels = KINDS[kind].copy()
    pixels[:, 5, 5] = nodata
    pixels[0, 9, 9] = nodata
    found = to_imagery(replace(make_rgb(pixels), nodata=nodata))
    assert (~found.valid).sum() == dropped
    assert codes(found) == []


def test_read_geotiff_tells_near_infrared_from_transparency() -> None:
    pixels = np.concatenate([true_colours(LAND), digital(LAND[3:], 255 / 0.4, "uint8")])
    pixels[3, 12:, :12] = 0
    raster = read_geotiff(write_geotiff(pixels), Limits())  # GDAL marks the fourth band as alpha
    found = to_imagery(raster, is_scene=True, strict=True)
    assert (bool(found.valid.all()), found.bands, raster.false_alpha) == (True, (1, 2, 3), 4)
    assert codes(found) == ["alpha-not-transparency"]


def test_read_geotiff_does_not_warn_of_near_infrared_that_would_hide_nothing() -> None:
    pixels = np.concatenate([true_colours(LAND), digital(LAND[3:], 255 / 0.4, "uint8")])
    found = to_imagery(read_geotiff(write_geotiff(pixels), Limits()), is_scene=True, strict=True)
    assert (bool(found.valid.all()), codes(found)) == (True, [])


@pytest.mark.parametrize("feather", [False, True])
def test_read_geotiff_keeps_transparency(feather: bool) -> None:
    alpha = np.full((1, 24, 24), 255, "uint8")
    if feather:
        alpha[:] = 20 + np.arange(24) * 9
    alpha[:, :8] = 0
    pixels = np.concatenate([filled(true_colours(LAND), 0, TOP_THIRD), alpha])
    found = to_imagery(read_geotiff(write_geotiff(pixels), Limits()), is_scene=True, strict=True)
    assert not found.valid[:8].any()
    assert codes(found) == []


def test_to_imagery_names_three_bands_that_are_enough_for_fill() -> None:
    pixels = np.concatenate([filled(digital(LAND[:3]), 0, TOP_THIRD), digital(LAND[3:])])
    found = to_imagery(make_raster(pixels, descriptions=("B4", "B3", "B2", "B8")), is_scene=True, strict=True)
    assert not found.valid[:8].any()


@pytest.mark.parametrize("kind", KINDS)
def test_to_imagery_warns_of_a_band_that_is_missing_over_bright_ground(kind: str) -> None:
    lost, dark = KINDS[kind].copy(), KINDS[kind].copy()
    lost[1, :8, 12:] = 0  # green of bright soil
    dark[0, 12:, :12] = 0  # red of dark water

    (warning,) = to_imagery(make_raster(lost), is_scene=True).warnings
    assert (warning.code, warning.figures["band"]) == ("band-missing-in-part", "green")
    assert warning.figures["share"] == pytest.approx(8 * 12 / 24**2, abs=1e-4)
    assert not to_imagery(make_raster(dark), is_scene=True).warnings
