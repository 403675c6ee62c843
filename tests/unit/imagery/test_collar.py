"""Undeclared black collars of delivered images."""

import numpy as np
from numpy.typing import NDArray

from service.imagery.collar import mark_collar
from tests.support.rasters import make_imagery


def picture(height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(60, 200, (3, height, width)).astype(np.uint8)


def collar(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    return mark_collar(make_imagery(pixels)).collar


def test_mark_collar_finds_a_border_with_compression_noise() -> None:
    pixels = picture()
    noise = np.random.default_rng(4).integers(0, 14, pixels.shape).astype(np.uint8)
    border = np.ones(pixels.shape[1:], np.bool_)
    border[2:-2, 2:-2] = False

    np.testing.assert_array_equal(collar(np.where(border, noise, pixels)), border)


def test_mark_collar_finds_the_wedges_of_a_warped_picture() -> None:
    pixels = picture()
    y, x = np.mgrid[:60, :80]
    wedge = (y < 12 - x * 0.2) | (x > 70 + y * 0.1)
    pixels[:, wedge] = 0

    np.testing.assert_array_equal(collar(pixels), wedge)


def test_mark_collar_leaves_dark_ground_inside_and_short_shadows_at_the_border() -> None:
    pixels = picture()
    pixels[:, 20:40, 20:40] = 0
    pixels[:, :4, 30:36] = 0

    assert collar(pixels) is None


def test_mark_collar_ends_at_a_shadow_that_meets_it() -> None:
    pixels = picture()
    pixels[:, :2] = 0
    pixels[:, 2:30, 40:50] = 12

    found = collar(pixels)

    assert found is not None
    assert found[:2].all()
    assert not found[7:].any()


def test_mark_collar_leaves_a_picture_that_is_black_throughout() -> None:
    assert collar(np.zeros((3, 30, 30), np.uint8)) is None
