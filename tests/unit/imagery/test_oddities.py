"""Scenes that are planned with a warning, because their picture is not that of usual ground."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.imagery.oddities import scattered_holes
from service.imagery.plausibility import RadiometryImplausibleError
from service.imagery.radiometry import to_imagery
from tests.support.covers import digital, make_land
from tests.support.rasters import make_raster

LAND = make_land()
GRAIN = np.random.default_rng(1).uniform(0.6, 1.4, LAND.shape[1:])
TEXTURED = LAND[:3] * GRAIN
FOREST = np.array([0.03, 0.05, 0.028])[:, None, None] * GRAIN
HALF = np.where(np.arange(LAND.shape[2]) < 8, 0, 1) * np.ones(LAND.shape[1:])

ODD = {
    "raw-numbers-of-11-bits": (np.rint(120 + TEXTURED * 2800).astype("uint16"), "radiometry-doubtful"),
    "reflectance-x-32768": (np.rint(TEXTURED * 32_768).astype("uint16"), "radiometry-doubtful"),
    "kelvin": ((280 + 20 * TEXTURED).astype("float32"), "radiometry-doubtful"),
    "percent-in-8-bits": (np.rint(TEXTURED * 100).astype("uint8"), "radiometry-doubtful"),
    "three-equal-bands": (np.repeat(digital(TEXTURED[:1]), 3, axis=0), "bands-alike"),
    "two-equal-bands": (digital(TEXTURED[[0, 0, 2]]), "bands-alike"),
}


def warned(pixels: NDArray[Any], *more: str) -> list[str]:
    raster = make_raster(pixels, descriptions=("red", "green", "blue", *more))
    return [one.code for one in to_imagery(raster, is_scene=True, strict=True).warnings]


@pytest.mark.parametrize("name", ODD)
def test_odd_scenes_draw_a_warning(name: str) -> None:
    pixels, code = ODD[name]
    assert code in warned(pixels)


@pytest.mark.parametrize("reflectance", [LAND[:3], FOREST], ids=["land", "dark-forest"])
def test_usual_scenes_draw_none(reflectance: NDArray[Any]) -> None:
    assert warned(digital(reflectance)) == []


def test_standardised_values_are_refused() -> None:
    standard = (TEXTURED - TEXTURED.mean()) / TEXTURED.std()
    with pytest.raises(RadiometryImplausibleError, match="standardised"):
        warned(standard.astype("float32"))


def test_negative_dark_water_is_no_8_bit_picture() -> None:
    water = np.array([20, 60, 110])[:, None, None] * GRAIN - 30
    raster = make_raster(np.rint(water).astype("int16"), descriptions=("red", "green", "blue"))
    assert to_imagery(raster, is_scene=True, strict=True).radiometry.startswith("reflectance x 10,000")


def test_unused_mask_band_is_reported() -> None:
    pixels = np.concatenate([LAND[:3], HALF[None]]).astype("float32")
    assert warned(pixels, "alpha") == ["mask-band-unused"]
    assert warned(np.concatenate([LAND[:3], HALF[None] + 1]).astype("float32"), "alpha") == []


def test_scattered_holes_warn_of_ground_lost_in_tiles() -> None:
    shares = np.full(9, 0.5, np.float32)
    (warning,) = scattered_holes(shares, np.zeros(9, np.bool_))
    assert (warning.code, warning.figures["share"]) == ("scattered-holes", 0.5)
    assert not list(scattered_holes(shares, np.arange(9) > 3))
