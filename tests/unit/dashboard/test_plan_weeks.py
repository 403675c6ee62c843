"""Weeks of plans: tiles of which nothing is bought, mean utilities, and grey values of scenes."""

from datetime import date

import numpy as np
import pytest

from service.dashboard.plan_weeks import PlanWeek
from service.imagery.acquisition import sample_pixels


def test_only_tiles_with_enough_valid_pixels_count() -> None:
    week = PlanWeek(week=date(2026, 11, 30), bundle="tiny 1", task="label")
    selected = np.zeros((3, 16), np.uint8)
    selected[0, 3] = selected[2, 5] = 1
    utilities = np.zeros((3, 16), "<f4")
    utilities[0], utilities[1], utilities[2] = 0.5, 0.1, 9
    valid = np.array([1.0, 0.95, 0.2], "<f4")
    week.count(selected.tobytes(), utilities.tobytes(), valid.tobytes(), is_doubtful=True)
    assert (week.plans, week.tiles, week.empty_tiles, week.doubtful) == (1, 2, 1, 1)
    assert week.empty_share == 0.5
    assert week.mean_utility == pytest.approx(0.3)


def test_week_without_a_planned_tile_has_no_share() -> None:
    week = PlanWeek(week=date(2026, 11, 30), bundle="tiny 1", task="label")
    nothing = np.zeros((1, 16))
    week.count(
        nothing.astype(np.uint8).tobytes(), nothing.astype("<f4").tobytes(), bytes(4), is_doubtful=False
    )
    assert (week.plans, week.empty_share, week.mean_utility) == (1, None, None)
    week.count_greys(sample_pixels(np.full((1, 3, 8, 8), 70, np.uint8)), 8, bytes(4))
    assert (week.brightness, week.contrast) == (None, None)


def test_brightness_and_contrast_are_those_of_planned_tiles() -> None:
    week = PlanWeek(week=date(2026, 11, 30), bundle="tiny 1", task="label")
    levels = np.array([100, 0, 140], np.uint8)  # the second tile has no data
    tiles = np.broadcast_to(levels[:, None, None, None], (3, 3, 8, 8))
    week.count_greys(sample_pixels(tiles), 8, np.array([1, 0.1, 1], "<f4").tobytes())
    assert week.brightness == pytest.approx(120)
    assert week.contrast == pytest.approx(20)
    brighter = np.full((2, 3, 4, 4), 240, np.uint8)  # fewer pixels than are sampled: each one once
    week.count_greys(sample_pixels(brighter), 4, np.ones(2, "<f4").tobytes())
    assert week.brightness == pytest.approx((120 * 128 + 240 * 32) / 160)


def test_pixels_without_data_make_no_scene_darker() -> None:
    week = PlanWeek(week=date(2026, 11, 30), bundle="tiny 1", task="label")
    tile = np.full((1, 3, 8, 8), 200, np.uint8)
    tile[..., 0, :6] = 0
    week.count_greys(sample_pixels(tile), 8, np.array([58 / 64], "<f4").tobytes())
    assert (week.brightness, week.contrast) == (200, 0)
