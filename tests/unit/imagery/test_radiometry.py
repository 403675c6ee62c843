"""The choice of the red, green and blue bands, and the conversion of numbers to 8 bit."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from service.errors import LoupeError
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from service.imagery.bands import BandsAmbiguousError, BandsMissingError
from service.imagery.radiometry import RADIOMETRIES, NoValidPixelsError, RadiometryError, to_imagery
from tests.support.rasters import UTM32, UTM_10M, make_noise, write_geotiff


def raster(
    pixels: np.ndarray,
    *,
    descriptions: tuple[str | None, ...] = (),
    colours: tuple[str, ...] = (),
    scales: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
) -> Raster:
    """Return a raster without a file."""
    bands = len(pixels)
    return Raster(
        pixels=pixels,
        valid=np.ones(pixels.shape[1:], np.bool_),
        transform=UTM_10M,
        crs=UTM32,
        descriptions=descriptions or (None,) * bands,
        colours=colours or ("undefined",) * bands,
        scales=scales or (1.0,) * bands,
        offsets=offsets or (0.0,) * bands,
    )


@pytest.mark.parametrize(
    ("descriptions", "bands"),
    [
        (("B4", "B3", "B2", "B8"), (1, 2, 3)),
        (("B02", "B03", "B04", "B08"), (3, 2, 1)),
        (("nir", "Blue", "GREEN", "Red"), (4, 3, 2)),
        (("B02 (blue)", "B03 (green)", "B04 (red)", "B05 (red edge 1)"), (3, 2, 1)),
        (("near infra red", "red", "green", "blue"), (2, 3, 4)),
        (("B8", "B4_reflectance", "B3_reflectance", "B2_reflectance"), (2, 3, 4)),
    ],
)
def test_choose_bands_by_description(descriptions: tuple[str, ...], bands: tuple[int, int, int]) -> None:
    found = to_imagery(raster(make_noise(4), descriptions=descriptions))
    assert found.bands == bands
    assert "descriptions" in found.bands_from


@pytest.mark.parametrize(
    "descriptions", [("B8", "B11", "B12"), ("red", "red", "blue"), ("nir", "red", "green")]
)
def test_choose_bands_refuses_descriptions_that_name_other_bands(descriptions: tuple[str, ...]) -> None:
    with pytest.raises(BandsAmbiguousError, match="bands=R,G,B"):
        to_imagery(raster(make_noise(3), descriptions=descriptions))


def test_choose_bands_prefers_colour_interpretation_to_order() -> None:
    found = to_imagery(raster(make_noise(4), colours=("undefined", "blue", "green", "red")))
    assert (found.bands, found.bands_from) == ((4, 3, 2), "by the file's colour interpretation")


@pytest.mark.parametrize(
    ("count", "dtype", "bands"),
    [
        (3, "uint8", (1, 2, 3)),
        (3, "uint16", (1, 2, 3)),
        (4, "uint8", (1, 2, 3)),
        (4, "uint16", (3, 2, 1)),
        (4, "int16", (3, 2, 1)),
        (4, "float32", (3, 2, 1)),
        (10, "uint16", (3, 2, 1)),
        (12, "uint16", (4, 3, 2)),
        (13, "uint16", (4, 3, 2)),
    ],
)
def test_choose_bands_by_customary_order(count: int, dtype: str, bands: tuple[int, int, int]) -> None:
    found = to_imagery(raster(make_noise(count, dtype=dtype)))
    assert found.bands == bands
    assert f"customary order of {count} {dtype} bands" in found.bands_from


@pytest.mark.parametrize("count", [5, 6, 8, 11, 14])
def test_choose_bands_without_customary_order_needs_the_option(count: int) -> None:
    with pytest.raises(BandsAmbiguousError, match="bands=R,G,B") as caught:
        to_imagery(raster(make_noise(count)))
    assert caught.value.extra["band_count"] == count
    found = to_imagery(raster(make_noise(count)), bands="5, 1,2")
    assert found.bands == (5, 1, 2)
    np.testing.assert_array_equal(found.rgb, make_noise(count)[[4, 0, 1]])


@pytest.mark.parametrize(
    "bands", ["1,2", "1,2,3,4", "0,1,2", "1,2,9", "r,g,b", "1;2;3", "-1,2,3", "1,2,3" * 999]
)
def test_choose_bands_refuses_unusable_numbers(bands: str) -> None:
    with pytest.raises(BandsAmbiguousError, match=r"of 1 to 4"):
        to_imagery(raster(make_noise(4)), bands=bands)


@pytest.mark.parametrize(
    "colours", [("gray",), ("gray", "alpha"), ("gray", "undefined"), ("red", "green", "alpha")]
)
def test_choose_bands_refuses_fewer_than_three(colours: tuple[str, ...]) -> None:
    with pytest.raises(BandsMissingError, match="of the three bands needed"):
        to_imagery(raster(make_noise(len(colours)), colours=colours))


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
    return int(to_imagery(raster(pixels, scales=scales, offsets=offsets), radiometry=radiometry).rgb[0, 0, 0])


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
        to_imagery(raster(make_noise()), radiometry="dB")
    assert all(name in caught.value.detail for name in RADIOMETRIES)


def test_to_imagery_makes_non_finite_pixels_invalid_and_black() -> None:
    pixels = make_noise(3, 8, 8, "float32")
    pixels[0, 0, 0], pixels[1, 1, 1], pixels[2, 2, 2] = np.nan, np.inf, -np.inf
    found = to_imagery(raster(pixels))
    assert np.argwhere(~found.valid).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert not found.rgb[:, ~found.valid].any()


def test_to_imagery_ignores_invalid_values_of_unused_bands() -> None:
    pixels = make_noise(4, 8, 8, "float32")
    pixels[3] = np.nan
    assert to_imagery(raster(pixels)).valid.all()


def test_to_imagery_treats_zero_in_all_bands_of_reflectance_as_no_data() -> None:
    pixels = make_noise(3, 8, 8, "uint16")
    pixels[:, 0, 0] = 0
    pixels[:2, 1, 1] = 0
    assert np.argwhere(~to_imagery(raster(pixels)).valid).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_to_imagery_refuses_a_raster_without_valid_pixels(dtype: str) -> None:
    pixels = np.full((3, 8, 8), np.nan if dtype == "float32" else 0).astype(dtype)
    with pytest.raises(NoValidPixelsError):
        to_imagery(raster(pixels))


def read(body: bytes) -> Raster:
    return read_geotiff(body, Limits())


def test_read_geotiff_needs_integer_nodata_in_all_bands() -> None:
    pixels = make_noise()
    pixels[:, 0, 0] = 0
    pixels[0, 1, 1] = 0
    assert np.argwhere(~read(write_geotiff(pixels, nodata=0)).valid).tolist() == [[0, 0]]


def test_to_imagery_counts_float_nodata_in_used_bands() -> None:
    pixels = make_noise(3, dtype="float32")
    pixels[0, 1, 1] = -9999
    found = read(write_geotiff(pixels, nodata=-9999))
    assert found.valid.all()
    assert np.argwhere(~to_imagery(found).valid).tolist() == [[1, 1]]


def test_read_geotiff_makes_transparent_pixels_invalid() -> None:
    pixels = make_noise(4)
    pixels[3, :5] = 0
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


def test_to_imagery_keeps_crs_and_transform() -> None:
    found = to_imagery(replace(raster(make_noise()), crs="EPSG:3857"))
    assert (found.crs, found.transform) == ("EPSG:3857", UTM_10M)
