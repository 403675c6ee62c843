"""The choice of the red, green and blue bands."""

import numpy as np
import pytest

from service.imagery.bands import BandsAmbiguousError, BandsMissingError
from service.imagery.radiometry import to_imagery
from tests.support.rasters import make_noise, make_raster


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
    found = to_imagery(make_raster(make_noise(4), descriptions=descriptions))
    assert found.bands == bands
    assert "descriptions" in found.bands_from


@pytest.mark.parametrize(
    "descriptions", [("B8", "B11", "B12"), ("red", "red", "blue"), ("nir", "red", "green")]
)
def test_choose_bands_refuses_descriptions_that_name_other_bands(descriptions: tuple[str, ...]) -> None:
    with pytest.raises(BandsAmbiguousError, match="bands=R,G,B"):
        to_imagery(make_raster(make_noise(3), descriptions=descriptions))


def test_choose_bands_prefers_colour_interpretation_to_order() -> None:
    found = to_imagery(make_raster(make_noise(4), colours=("undefined", "blue", "green", "red")))
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
    found = to_imagery(make_raster(make_noise(count, dtype=dtype)))
    assert found.bands == bands
    assert f"customary order of {count} {dtype} bands" in found.bands_from


@pytest.mark.parametrize("count", [5, 6, 8, 11, 14])
def test_choose_bands_without_customary_order_needs_the_option(count: int) -> None:
    with pytest.raises(BandsAmbiguousError, match="bands=R,G,B") as caught:
        to_imagery(make_raster(make_noise(count)))
    assert caught.value.extra["band_count"] == count
    found = to_imagery(make_raster(make_noise(count)), bands="5, 1,2")
    assert found.bands == (5, 1, 2)
    np.testing.assert_array_equal(found.rgb, make_noise(count)[[4, 0, 1]])


@pytest.mark.parametrize(
    "bands", ["1,2", "1,2,3,4", "0,1,2", "1,2,9", "r,g,b", "1;2;3", "-1,2,3", "1,2,3" * 999]
)
def test_choose_bands_refuses_unusable_numbers(bands: str) -> None:
    with pytest.raises(BandsAmbiguousError, match=r"of 1 to 4"):
        to_imagery(make_raster(make_noise(4)), bands=bands)


@pytest.mark.parametrize(
    "colours", [("gray",), ("gray", "alpha"), ("gray", "undefined"), ("red", "green", "alpha")]
)
def test_choose_bands_refuses_fewer_than_three(colours: tuple[str, ...]) -> None:
    with pytest.raises(BandsMissingError, match="of the three bands needed"):
        to_imagery(make_raster(make_noise(len(colours)), colours=colours))
