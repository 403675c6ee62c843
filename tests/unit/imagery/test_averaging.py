"""Area-weighted averages of a raster in coarser pixels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.imagery.averaging import average_down

Floats = NDArray[np.float64]
Case = tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[float, float]]  # rgb, valid, factors


@st.composite
def images(draw: st.DrawFn) -> Case:
    """Draw small images with some invalid pixels, and factors to average them by."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    height, width = draw(st.integers(3, 24)), draw(st.integers(3, 24))
    factors = tuple(
        draw(st.one_of(st.just(1.0), st.sampled_from([1.5, 2.0, 3.0]), st.floats(1.05, 3))) for _ in "xy"
    )
    rgb = generator.integers(0, 256, (3, height, width)).astype(np.uint8)
    valid = generator.random((height, width)) < draw(st.sampled_from([1.0, 0.8, 0.2, 0.0]))
    return rgb, valid, (factors[0], factors[1])


def overlap(index: int, factor: float, length: int) -> Floats:
    """Return the share of each of `length` pixels that lies in [index * factor, (index + 1) * factor)."""
    pixels = np.arange(length)
    shares: Floats = np.clip(
        np.minimum(pixels + 1, (index + 1) * factor) - np.maximum(pixels, index * factor), 0, 1
    )
    return shares


@settings(max_examples=150, deadline=None)
@given(images())
def test_average_down_is_the_area_weighted_mean_of_valid_pixels(case: Case) -> None:
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
            valid_share = weights.sum() / (factors[0] * factors[1])
            assert share[row, column] == pytest.approx(valid_share, abs=1.1e-5)
            if share[row, column]:
                expected = (rgb * weights).sum(axis=(1, 2)) / weights.sum()
                np.testing.assert_allclose(averaged[:, row, column], expected, atol=0.501)
            else:
                assert not averaged[:, row, column].any()


def test_average_down_ignores_a_sliver_of_a_valid_pixel() -> None:
    valid = np.array([[False, False, False, True]])
    averaged, share = average_down(np.full((3, 1, 4), 200, np.uint8), valid, (1.5 + 1e-6, 1.0))
    assert not share.any()
    assert not averaged.any()


@settings(max_examples=50, deadline=None)
@given(images(), st.integers(2, 3))
def test_average_down_conserves_the_mean(case: Case, factor: int) -> None:
    rgb = case[0].repeat(factor, axis=1).repeat(factor, axis=2)
    averaged, share = average_down(rgb, np.ones(rgb.shape[1:], np.bool_), (float(factor), float(factor)))
    assert averaged.mean() == pytest.approx(rgb.mean(), abs=1e-9)
    np.testing.assert_array_equal(averaged, case[0])
    assert (share == 1).all()
