"""The curve of cost against expected accuracy, and the point nearest to a plan."""

from typing import NamedTuple

import numpy as np
import pytest

from service.money import Money
from service.planner import Decide, decider
from service.planner.curve import CostPoint, cost_curve, nearest, target_for, wilson
from tests.support.prices import terms


class Point(NamedTuple):
    """A measured point of a bundle's evaluation."""

    threshold: float
    accuracy: float


def prices(minimum: str = "0") -> Decide:
    """Return the decider of 16 patches of 1 km2 at 10 USD with the utilities 0, 1/16 ... 15/16."""
    utilities = (np.arange(16)[None] / 16).astype(np.float32)
    return decider(utilities, np.ones(1, dtype=bool), np.full((1, 16), 1e6), terms(minimum=minimum))


def measured(*thresholds: float) -> list[Point]:
    return [Point(threshold=threshold, accuracy=1 - threshold / 2) for threshold in thresholds]


def test_cost_curve_prices_the_policy_at_each_threshold() -> None:
    curve = cost_curve(prices(), measured(0.0, 0.5, 1.0), None)
    assert curve == [
        point(1.0, wanted=0, patches=0, cost=0, saving=16000),
        point(0.5, wanted=8, patches=8, cost=8000, saving=8000),
        point(0.0, wanted=16, patches=16, cost=16000, saving=0),
    ]


def test_cost_curve_is_flat_below_a_minimum() -> None:
    curve = cost_curve(prices(minimum="12"), measured(0.95, 0.9, 0.5, 0.0), None)
    assert [(one.patches, one.cost.minor) for one in curve] == [(0, 0), (12, 12000), (12, 12000), (16, 16000)]


def test_nearest_compares_patch_counts_and_then_thresholds() -> None:
    curve = cost_curve(prices(), measured(0.0, 0.45, 0.5, 0.9), None)
    assert [curve[at].threshold for at in range(4)] == [0.9, 0.5, 0.45, 0.0]
    assert nearest(curve, wanted=8, threshold=0.5) == 1
    assert nearest(curve, wanted=15, threshold=0.5) == 3
    twins = cost_curve(prices(), measured(0.48, 0.5), None)  # both want eight
    assert nearest(twins, wanted=8, threshold=0.47) == 1


def test_nearest_is_none_for_an_empty_curve() -> None:
    assert nearest(cost_curve(prices(), [], None), wanted=3, threshold=0.5) is None


@pytest.mark.parametrize(("accuracy", "threshold"), [(0.5, 1.0), (0.7, 0.5), (0.75, 0.5), (1.0, 0.0)])
def test_target_for_takes_the_highest_threshold_that_reaches_the_accuracy(
    accuracy: float, threshold: float
) -> None:
    target = target_for(accuracy, measured(0.0, 0.5, 1.0))
    assert target is not None
    assert (target.accuracy, target.threshold, target.measured) == (accuracy, threshold, 1 - threshold / 2)


def test_target_for_is_none_when_no_point_reaches_the_accuracy() -> None:
    assert target_for(0.8, measured(0.5, 1.0)) is None


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(right: int, images: int, low: float, high: float) -> None:
    assert wilson(right / images, images) == pytest.approx((low, high), abs=5e-5)


def test_cost_curve_interval_narrows_with_more_images() -> None:
    few, many = (cost_curve(prices(), measured(0.5), images)[0].interval for images in (42, 420))
    assert few is not None
    assert many is not None
    assert few[0] < many[0] < 0.75 < many[1] < few[1]


def point(threshold: float, *, wanted: int, patches: int, cost: int, saving: int) -> CostPoint:
    return CostPoint(
        threshold=threshold,
        expected_accuracy=1 - threshold / 2,
        interval=None,
        wanted=wanted,
        patches=patches,
        selected=np.zeros((1, 16), bool),  # not compared
        cost=Money(cost, "USD"),
        saving=Money(saving, "USD"),
    )
