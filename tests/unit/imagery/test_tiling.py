"""Scenes cut into tiles: averaging, what is refused, what is left out."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from service.geotiff.errors import GeoreferenceError
from service.geotiff.ground import pixel_steps_m
from service.imagery.averaging import average_down
from service.imagery.tiling import (
    AlreadyHighResolutionError,
    GsdTooCoarseError,
    SceneTooSmallError,
    Tiles,
    cut_tiles,
)
from tests.support import rasters as make

LR_PX, LR_GSD, HR_GSD = 8, 9.75, 0.348


def cut(gsd_x: float, gsd_y: float, height: int = 64, width: int = 80, **options: object) -> Tiles:
    """Tiles of noise with pixels of this size near UTM's central meridian."""
    transform = Affine(gsd_x, 0, 500_000, 0, -gsd_y, 5_700_000)
    image = make.imagery(make.noise(3, height, width), transform=transform, **options)  # type: ignore[arg-type]  # crs, valid
    return cut_tiles(image, LR_PX, LR_GSD, HR_GSD)


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Small images, some pixels invalid, and factors to average them by."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    height, width = draw(st.integers(3, 24)), draw(st.integers(3, 24))
    factors = tuple(
        draw(st.one_of(st.just(1.0), st.sampled_from([1.5, 2.0, 3.0]), st.floats(1.05, 3))) for _ in "xy"
    )
    rgb = generator.integers(0, 256, (3, height, width)).astype(np.uint8)
    valid = generator.random((height, width)) < draw(st.sampled_from([1.0, 0.8, 0.2, 0.0]))
    return rgb, valid, (factors[0], factors[1])


def overlap(index: int, factor: float, length: int) -> np.ndarray:
    """How much of each of `length` pixels lies in [index * factor, (index + 1) * factor)."""
    pixels = np.arange(length)
    return np.clip(np.minimum(pixels + 1, (index + 1) * factor) - np.maximum(pixels, index * factor), 0, 1)


@settings(max_examples=150, deadline=None)
@given(images())
def test_averaging_is_the_area_weighted_mean_of_valid_pixels(case: tuple) -> None:
    rgb, valid, factors = case
    averaged, share = average_down(rgb, valid, factors)
    height, width = share.shape
    assert (width, height) == tuple(
        math.floor(n / f + 1e-9) for n, f in zip(valid.shape[::-1], factors, strict=True)
    )
    for row in range(height):
        for column in range(width):
            weights = np.outer(
                overlap(row, factors[1], len(valid)), overlap(column, factors[0], valid.shape[1])
            )
            weights = weights * valid
            assert share[row, column] == pytest.approx(weights.sum() / (factors[0] * factors[1]), abs=1e-5)
            if weights.sum() > 1e-6:
                expected = (rgb * weights).sum(axis=(1, 2)) / weights.sum()
                np.testing.assert_allclose(averaged[:, row, column], expected, atol=0.501)
            else:
                assert not averaged[:, row, column].any()


@settings(max_examples=50, deadline=None)
@given(images(), st.integers(2, 3))
def test_averaging_conserves_the_mean(case: tuple, factor: int) -> None:
    rgb = case[0].repeat(factor, axis=1).repeat(factor, axis=2)
    averaged, share = average_down(rgb, np.ones(rgb.shape[1:], np.bool_), (float(factor), float(factor)))
    assert averaged.mean() == pytest.approx(rgb.mean(), abs=1e-9)
    np.testing.assert_array_equal(averaged, case[0])
    assert (share == 1).all()


def test_tiles_are_cut_row_by_row() -> None:
    tiles = cut(9.75, 9.75, height=24, width=32)
    assert (tiles.grid.columns, tiles.grid.rows, tiles.grid.tile_count) == (4, 3, 12)
    np.testing.assert_array_equal(tiles.pixels[5], make.noise(3, 24, 32)[:, 8:16, 8:16])
    assert tiles.pixels.shape == (12, 3, 8, 8)
    assert tiles.edge_px == (0, 0)
    assert tiles.left_out_km2 == pytest.approx(0, abs=1e-9)
    assert tiles.planned_km2 == pytest.approx(24 * 32 * 9.75**2 / 1e6, rel=1e-3)


@pytest.mark.parametrize(
    ("gsd", "averaged"), [(8.7, True), (8.9, False), (9.75, False), (14.5, False), (2.4, True)]
)
def test_finer_is_averaged_down_to_the_gsd_on_the_ground(gsd: float, averaged: bool) -> None:
    tiles = cut(gsd, gsd, 80, 80)
    steps = pixel_steps_m(tiles.grid.transform, tiles.grid.crs, tiles.grid.columns * 8, tiles.grid.rows * 8)
    assert steps[0] == pytest.approx(LR_GSD if averaged else gsd, rel=1e-3)
    assert tiles.gsd_m == pytest.approx((gsd, gsd), rel=1e-3)


def test_each_axis_is_judged_on_its_own() -> None:
    tiles = cut(5.9, 10.0, 16, 40)
    assert (tiles.grid.columns, tiles.grid.rows) == (3, 2)
    x, y, _ = pixel_steps_m(tiles.grid.transform, tiles.grid.crs, 24, 16)
    assert (x, y) == pytest.approx((9.75, 10.0), rel=1e-3)


def test_too_coarse_on_one_axis_is_refused_with_the_numbers() -> None:
    with pytest.raises(GsdTooCoarseError, match=r"10 x 15 m .* 9\.75 m .* 14\.6"):
        cut(10, 15)


def test_as_fine_as_what_would_be_bought_is_refused() -> None:
    with pytest.raises(AlreadyHighResolutionError, match=r"0\.348 m"):
        cut(0.3, 0.34)
    assert cut(0.3, 0.36, 300, 300).grid.tile_count > 0


def test_smaller_than_a_tile_is_refused_in_metres() -> None:
    with pytest.raises(SceneTooSmallError, match="70 x 640 m, but one tile of this bundle is 80 x 80 m"):
        cut(10, 10, 64, 7)


def test_sheared_pixels_are_refused() -> None:
    image = make.imagery(make.noise(3, 64, 64), transform=make.UTM_10M @ Affine.shear(8))
    with pytest.raises(GeoreferenceError, match="sheared"):
        cut_tiles(image, LR_PX, LR_GSD, HR_GSD)


def test_rotated_scenes_keep_their_pixels_and_place() -> None:
    transform = make.UTM_10M @ Affine.rotation(30)
    tiles = cut_tiles(make.imagery(make.noise(3, 16, 16), transform=transform), LR_PX, LR_GSD, HR_GSD)
    np.testing.assert_array_equal(tiles.pixels[3], make.noise(3, 16, 16)[:, 8:, 8:])
    assert tiles.grid.transform.almost_equals(transform)


def test_edges_that_fill_no_tile_are_left_out_and_reported() -> None:
    tiles = cut(10, 10, 23, 37)
    assert tiles.edge_px == (5, 7)
    assert (tiles.grid.columns, tiles.grid.rows) == (4, 2)
    assert tiles.planned_km2 + tiles.left_out_km2 == pytest.approx(23 * 37 * 100 / 1e6, rel=1e-3)


def test_invalid_pixels_lower_a_tiles_share() -> None:
    valid = np.ones((16, 16), np.bool_)
    valid[:4, :8] = False
    assert cut(10, 10, 16, 16, valid=valid).valid_share.tolist() == [0.5, 1, 1, 1]
    fine = valid.repeat(5, axis=0).repeat(5, axis=1)
    assert cut(1.95, 1.95, 80, 80, valid=fine).valid_share == pytest.approx([0.5, 1, 1, 1], abs=0.01)


def test_cloud_is_bright_and_colourless() -> None:
    rgb = np.full((3, 16, 16), 90, np.uint8)
    rgb[:, :8, :8] = 240
    rgb[0, 8:, 8:] = 250
    image = make.imagery(rgb)
    assert cut_tiles(image, LR_PX, LR_GSD, HR_GSD).cloud_share.tolist() == [1, 0, 0, 0]
