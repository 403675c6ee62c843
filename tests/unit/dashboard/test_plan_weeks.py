"""Weeks of plans: tiles of which nothing is bought, and mean utilities."""

from datetime import date

import numpy as np
import pytest

from service.dashboard.plan_weeks import PlanWeek


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
