"""Scale and offset tags: used when they are plausible, else what was meant or a refusal."""

import numpy as np
import pytest

from service.imagery.plausibility import RadiometryImplausibleError
from service.imagery.radiometry import to_imagery
from tests.support.covers import LAKE, codes, digital, make_land, make_rgb, shows

LAND = make_land()[:3]
SCALE, NONE = (1e-4,) * 3, (0.0,) * 3


def test_to_imagery_uses_plausible_tags_without_a_warning() -> None:
    for raster in (
        make_rgb(digital(LAND) + 1000, scales=SCALE, offsets=(-0.1,) * 3),
        make_rgb(digital((LAND + 0.2) / 2.75e-5, 1), scales=(2.75e-5,) * 3, offsets=(-0.2,) * 3),
        make_rgb(digital(LAND, 1e4) * 2, scales=(5e-5, 5e-5, 5e-5)),
    ):
        found = to_imagery(raster, is_scene=True, strict=True)
        assert (shows(found, LAND), codes(found)) == (True, [])
        assert "scale and offset tags" in found.radiometry


def test_to_imagery_uses_the_tags_of_dark_water() -> None:
    lake = make_land(LAKE)[:3]
    found = to_imagery(
        make_rgb(digital(lake) + 1000, scales=SCALE, offsets=(-0.1,) * 3), is_scene=True, strict=True
    )
    assert (shows(found, lake), codes(found)) == (True, [])


@pytest.mark.parametrize(
    ("name", "pixels", "scales", "offsets"),
    [
        ("scaled-already", LAND.astype("float32"), SCALE, NONE),
        ("offset-applied-already", digital(LAND), SCALE, (-0.1,) * 3),
        ("offset-in-digital-numbers", digital(LAND) + 1000, SCALE, (-1000.0,) * 3),
        ("landsat-scaled-already", LAND.astype("float32"), (2.75e-5,) * 3, (-0.2,) * 3),
        ("scale-of-100", digital(LAND), (100.0,) * 3, NONE),
    ],
)
def test_to_imagery_reads_what_wrong_tags_meant_and_warns(
    name: str, pixels: np.ndarray, scales: tuple[float, ...], offsets: tuple[float, ...]
) -> None:
    found = to_imagery(make_rgb(pixels, scales=scales, offsets=offsets), is_scene=True, strict=True)
    assert shows(found, LAND), name
    assert codes(found) == ["radiometry-doubtful"]
    assert "By the file's tags" in found.warnings[0].detail


@pytest.mark.parametrize(
    ("scales", "offsets"),
    [((1e-4, 1.0, 1.0), NONE), (SCALE, (-0.1, 0.0, 0.0)), ((1e-4, 1e-4, -1e-4), NONE)],
)
def test_to_imagery_refuses_tags_that_differ_between_bands(
    scales: tuple[float, ...], offsets: tuple[float, ...]
) -> None:
    raster = make_rgb(digital(LAND) + 1000, scales=scales, offsets=offsets)
    with pytest.raises(RadiometryImplausibleError, match="differ less"):
        to_imagery(raster, is_scene=True, strict=True)
    assert codes(to_imagery(raster)) == ["radiometry-implausible"]


def test_to_imagery_uses_scales_that_differ_as_those_of_a_sensor_do() -> None:
    scales = (2.2e-5, 2.1e-5, 2.0e-5)
    numbers = np.rint(LAND / np.array(scales)[:, None, None]).astype("uint16")
    found = to_imagery(make_rgb(numbers, scales=scales), is_scene=True, strict=True)
    assert (shows(found, LAND), codes(found)) == (True, [])
