"""Encodings that no tag declares: recognised by their range, or refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.imagery.encodings import RadiometryError
from service.imagery.plausibility import RadiometryImplausibleError
from service.imagery.radiometry import to_imagery
from tests.support.covers import COVERS, LAKE, SNOW, codes, digital, make_land, make_rgb, shows, true_colours

LAND = make_land()


def changed(pixels: NDArray[Any], where: Any, value: float) -> NDArray[Any]:
    pixels = pixels.copy()
    pixels[where] = value
    return pixels


EVERYWHERE, ONE_PIXEL, TWO_ROWS = slice(None), (slice(None), 3, 3), (slice(None), slice(0, 2))

READ_WITHOUT_A_WARNING = {
    "reflectance": LAND[:3].astype("float32"),
    "reflectance-with-a-glint": changed(LAND[:3].astype("float32"), ONE_PIXEL, 6.5),
    "reflectance-x-10000": digital(LAND[:3]),
    "reflectance-x-10000-as-float": digital(LAND[:3]).astype("float32"),
    "reflectance-x-10000-int16": digital(LAND[:3], dtype="int16"),
}
READ_WITH_A_WARNING = {
    "8-bit-as-float": true_colours(LAND).astype("float32"),
    "8-bit-as-uint16": true_colours(LAND).astype("uint16"),
    "8-bit-as-fractions-of-1": (true_colours(LAND) / 255).astype("float32"),
    "8-bit-x-257": true_colours(LAND).astype("uint16") * 257,
    "8-bit-x-256": true_colours(LAND).astype("uint16") * 256,
    "8-bit-x-16": true_colours(LAND).astype("uint16") * 16,
    "8-bit-in-12-bits": np.rint(true_colours(LAND) * (4095 / 255)).astype("uint16"),
    "percent": (LAND[:3] * 100).astype("float32"),
}


@pytest.mark.parametrize("pixels", READ_WITHOUT_A_WARNING.values(), ids=READ_WITHOUT_A_WARNING)
def test_to_imagery_reads_usual_encodings_without_a_warning(pixels: NDArray[Any]) -> None:
    found = to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert codes(found) == []
    mask = np.ones(found.valid.shape, bool)
    mask[3, 3] = False  # the glint
    off = np.abs(found.rgb.astype(int) - true_colours(LAND))[:, mask]
    assert off.max() <= 3


@pytest.mark.parametrize("pixels", READ_WITH_A_WARNING.values(), ids=READ_WITH_A_WARNING)
def test_to_imagery_recognises_undeclared_encodings_and_warns(pixels: NDArray[Any]) -> None:
    found = to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert codes(found) == ["radiometry-doubtful"]
    assert shows(found, LAND)
    assert "radiometry=range:" in found.warnings[0].detail
    assert found.warnings[0].figures.keys() == {"low", "high"}


def test_to_imagery_recognises_landsat_collection_2_by_its_range_and_names() -> None:
    numbers = digital((LAND[:3] + 0.2) / 2.75e-5, 1)
    named = to_imagery(
        make_rgb(numbers, descriptions=("SR_B4", "SR_B3", "SR_B2")), is_scene=True, strict=True
    )
    assert (shows(named, LAND), codes(named)) == (True, ["radiometry-doubtful"])


REFUSED = {
    "radiance": (3600 + LAND[:3] * 14_000).astype("uint16"),
    "reflectance-x-65535": digital(LAND[:3], 65_535),
    "percent-or-8-bit": (LAND[:3] * 300).astype("float32") + 0.1,
    "decibels": (10 * np.log10(LAND[:3])).astype("float32"),
    "zero-or-one": (LAND[:3] > 0.1).astype("uint8"),
    "reflectance-scaled-twice": (LAND[:3] * 1e-4).astype("float32"),
    "beyond-16-bit": digital(LAND[:3], 1e7, "uint32"),
    "constant": np.full((3, 24, 24), 800, "uint16"),
}


@pytest.mark.parametrize("pixels", REFUSED.values(), ids=REFUSED)
def test_to_imagery_refuses_implausible_scenes_with_range_and_remedy(pixels: NDArray[Any]) -> None:
    with pytest.raises(RadiometryImplausibleError, match="radiometry=") as caught:
        to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert caught.value.code == "radiometry-implausible"
    assert set(caught.value.problem()) >= {"measured", "remedy"}


@pytest.mark.parametrize("pixels", REFUSED.values(), ids=REFUSED)
def test_to_imagery_warns_of_implausible_deliveries(pixels: NDArray[Any]) -> None:
    found = to_imagery(make_rgb(pixels))
    assert set(codes(found)) & {"radiometry-implausible", "radiometry-doubtful"}


def test_to_imagery_plans_snow_and_clouds_with_a_warning() -> None:
    for covers in (SNOW, np.full((4, 4), 1.2)):
        found = to_imagery(make_rgb(digital(make_land(covers)[:3])), is_scene=True, strict=True)
        assert codes(found) == ["radiometry-doubtful"]
        assert "nearly all white" in found.warnings[0].detail
        assert found.rgb.min() == 255


@pytest.mark.parametrize("depth", [1.0, 0.7])  # the darker lake has no number above 255
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_to_imagery_plans_dark_water(dtype: str, depth: float) -> None:
    lake = make_land(LAKE * depth)[:3]
    pixels = digital(lake) if dtype == "uint16" else lake.astype(dtype)
    assert shows(to_imagery(make_rgb(pixels), is_scene=True, strict=True), lake)


def test_to_imagery_plans_scenes_that_are_mostly_sea_or_cloud() -> None:
    for others in (LAKE * 2, np.full((4, 4), 0.9)):
        land = make_land(np.vstack([COVERS[:1], others[1:]]))[:3]
        found = to_imagery(make_rgb(digital(land)), is_scene=True, strict=True)
        assert (shows(found, land), codes(found)) == (True, [])


def test_to_imagery_warns_of_a_pile_at_the_top_of_12_bits() -> None:
    pixels = np.clip(digital(LAND[:3] * 2), 0, 4095)
    found = to_imagery(make_rgb(pixels), is_scene=True, strict=True)
    assert codes(found) == ["radiometry-doubtful"]
    assert "radiometry=range:0-4095" in found.warnings[0].detail


@pytest.mark.parametrize("fill", [65_535, 1e20, -9999])
@pytest.mark.parametrize("where", [ONE_PIXEL, TWO_ROWS])
def test_to_imagery_reads_the_rest_beside_undeclared_fill(where: Any, fill: float) -> None:
    found = to_imagery(make_rgb(changed(LAND[:3].astype("float32"), where, fill)), is_scene=True, strict=True)
    assert codes(found) == ["undeclared-nodata"]
    assert shows(found, LAND)
    assert not found.valid[where[1:]].any()


@pytest.mark.parametrize(
    ("radiometry", "pixels"),
    [
        ("range:0-4000", LAND[:3] / 0.3558 * 4000),
        ("range:-0.5-.5", LAND[:3] / 0.3558 - 0.5),
        ("range:1e2-1E4", LAND[:3] / 0.3558 * 9900 + 100),
        ("reflectance-percent", LAND[:3] * 100),
        ("reflectance-65535", LAND[:3] * 65_535),
        ("landsat-collection2", (LAND[:3] + 0.2) / 2.75e-5),
    ],
)
def test_to_imagery_reads_numbers_as_asked_for(radiometry: str, pixels: NDArray[np.float64]) -> None:
    assert shows(to_imagery(make_rgb(pixels), radiometry=radiometry, is_scene=True, strict=True), LAND)


@pytest.mark.parametrize(
    "radiometry",
    [
        "range:4000-0",
        "range:5-5",
        "range:nan-1",
        "range:0-inf",
        "range:0-1e999",
        "range:0",
        "range:a-b",
        "range",
    ],
)
def test_to_imagery_refuses_unusable_ranges(radiometry: str) -> None:
    with pytest.raises(RadiometryError, match="range:0-4000"):
        to_imagery(make_rgb(digital(LAND[:3])), radiometry=radiometry)


def test_to_imagery_does_what_was_asked_for_and_warns_if_it_is_black() -> None:
    found = to_imagery(make_rgb(digital(LAND[:3])), radiometry="range:0-65535000", is_scene=True, strict=True)
    assert "nearly black" in found.warnings[0].detail
