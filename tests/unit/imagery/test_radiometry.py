"""The conversion of pixel values to 8-bit colours."""

from dataclasses import replace

import numpy as np
import pytest

from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.encodings import RADIOMETRIES, RadiometryError
from service.imagery.nodata import NoValidPixelsError
from service.imagery.radiometry import to_imagery
from tests.support.rasters import UTM_10M, make_noise, make_raster, write_geotiff


def one_value(
    value: float,
    dtype: str,
    radiometry: str | None = None,
    *,
    scales: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
) -> int:
    """Return the 8-bit colour of a raster whose pixels all have one value."""
    pixels = np.full((3, 4, 4), value).astype(dtype)
    return int(
        to_imagery(make_raster(pixels, scales=scales, offsets=offsets), radiometry=radiometry).rgb[0, 0, 0]
    )


@pytest.mark.parametrize(
    ("value", "dtype", "radiometry", "expected"),
    [
        (77, "uint8", None, 77),
        (3558, "uint16", None, 255),  # ESA's true-colour image: 255 is reflectance 0.3558
        (1779, "uint16", None, 128),
        (9000, "uint16", None, 255),
        (1779, "int16", None, 128),
        (-50, "int16", None, 0),
        (0.1779, "float32", None, 128),
        (1779, "float64", None, 128),
        (2779, "uint16", "reflectance-1e4-offset1000", 128),
        (500, "uint16", "reflectance-1e4-offset1000", 0),
        (1779, "float32", "reflectance-1e4", 128),
        (200, "uint16", "uint8", 200),
        (400, "uint16", "uint8", 255),
    ],
)
def test_to_imagery_scales_values_by_radiometry(
    value: float, dtype: str, radiometry: str | None, expected: int
) -> None:
    assert one_value(value, dtype, radiometry) == expected


def test_to_imagery_uses_scale_and_offset_tags_unless_overridden() -> None:
    tags = {"scales": (2e-4,) * 3, "offsets": (-0.1,) * 3}
    assert one_value((0.1779 + 0.1) / 2e-4, "float64", None, **tags) == 128
    assert one_value(1779, "uint16", "reflectance-1e4", **tags) == 128
    assert one_value(2779, "uint16", None, scales=(1e-4,) * 3, offsets=(-0.1,) * 3) == 128


def test_to_imagery_lists_the_known_radiometries() -> None:
    with pytest.raises(RadiometryError) as caught:
        to_imagery(make_raster(make_noise()), radiometry="dB")
    assert all(name in caught.value.detail for name in RADIOMETRIES)


def test_to_imagery_makes_non_finite_pixels_invalid_and_black() -> None:
    pixels = make_noise(3, 8, 8, "float32")
    pixels[0, 0, 0], pixels[1, 1, 1], pixels[2, 2, 2] = np.nan, np.inf, -np.inf
    found = to_imagery(make_raster(pixels))
    assert np.argwhere(~found.valid).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert not found.rgb[:, ~found.valid].any()


def test_to_imagery_takes_every_form_of_nan_without_a_warning() -> None:
    """Converting a signalling NaN, which only damaged files have, once made the server warn."""
    pixels = make_noise(3, 8, 8, "float32")
    pixels.view(np.uint32)[0, 0, 0] = 0x7F800001
    found = to_imagery(make_raster(pixels), is_scene=True)
    assert np.argwhere(~found.valid).tolist() == [[0, 0]]


def test_to_imagery_ignores_invalid_values_of_unused_bands() -> None:
    pixels = make_noise(4, 8, 8, "float32")
    pixels[3] = np.nan
    assert to_imagery(make_raster(pixels)).valid.all()


def test_to_imagery_treats_zero_in_all_bands_of_reflectance_as_no_data() -> None:
    pixels = make_noise(3, 8, 8, "uint16")
    pixels[:, 0, 0] = 0
    pixels[:2, 1, 1] = 0
    assert np.argwhere(~to_imagery(make_raster(pixels)).valid).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_to_imagery_refuses_a_raster_without_valid_pixels(dtype: str) -> None:
    pixels = np.full((3, 8, 8), np.nan if dtype == "float32" else 0).astype(dtype)
    with pytest.raises(NoValidPixelsError):
        to_imagery(make_raster(pixels))


def test_to_imagery_counts_float_nodata_in_used_bands() -> None:
    pixels = make_noise(3, dtype="float32")
    pixels[0, 1, 1] = -9999
    found = read_geotiff(write_geotiff(pixels, nodata=-9999), Limits())
    assert found.valid.all()
    assert np.argwhere(~to_imagery(found).valid).tolist() == [[1, 1]]


def test_to_imagery_keeps_crs_and_transform() -> None:
    found = to_imagery(replace(make_raster(make_noise()), crs="EPSG:3857"))
    assert (found.crs, found.transform) == ("EPSG:3857", UTM_10M)
