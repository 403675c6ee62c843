"""Calibration of counts drawn from what is predicted, and of counts that are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.objects import random_scenes
from training.objects.maps import tiles_of
from training.objects.tiles import ObjectTiles
from training.where.coverage import expected_by_patch, expected_by_tile, read_by_tile


def drawn(scale: float = 1.0) -> ObjectTiles:
    """Return tiles whose counts come from the predicted distributions, times `scale`."""
    tiles = tiles_of(random_scenes(40, side=2))
    mean, variance = tiles.mean.numpy(), tiles.variance.numpy()
    counts = np.random.default_rng(1).negative_binomial(mean**2 / (variance - mean), mean / variance)
    return replace(tiles, counts=torch.from_numpy(np.round(scale * counts)).double())


def test_counts_drawn_from_the_prediction_are_covered_as_stated() -> None:
    for found in (expected_by_patch([drawn()]), expected_by_tile([drawn()])):
        assert found.coverage == pytest.approx((0.8, 0.95), abs=0.05)
        assert found.pit == pytest.approx([0.1] * 10, abs=0.06)
        assert found.expected[-1] == pytest.approx(found.true[-1], rel=0.2)
        assert sum(found.pit) == pytest.approx(1)


def test_twice_as_many_objects_as_predicted_show_at_the_upper_end() -> None:
    found = expected_by_tile([drawn(2.0)])
    assert found.pit[-1] > 0.2
    assert found.coverage[0] < 0.7


def test_readings_that_are_drawn_as_they_say_are_covered_as_often() -> None:
    tiles = tiles_of(random_scenes(400))
    torch.manual_seed(0)
    read = 0.2 + torch.rand(tiles.read.shape).double()
    drawn = replace(tiles, read=read, read_variance=1.001 * read, counts=torch.poisson(read))
    assert read_by_tile([drawn]).coverage == pytest.approx((0.8, 0.95), abs=0.02)
