"""The curve: what sliding the threshold would cost, and which point a plan is."""

import numpy as np
import pytest

from models.manifest import CurvePoint
from service.money import Money
from service.planner import Decide, decider
from service.planner.curve import CostPoint, cost_curve, nearest, wilson
from tests.support.prices import terms


def prices(minimum: str = "0") -> Decide:
    """Sixteen patches of 1 km2 at 10 USD with the utilities 0, 1/16 ... 15/16."""
    utilities = (np.arange(16)[None] / 16).astype(np.float32)
    return decider(utilities, np.ones(1, dtype=bool), np.full((1, 16), 1e6), terms(minimum=minimum))


def measured(*thresholds: float) -> list[CurvePoint]:
    return [
        CurvePoint(threshold=threshold, mean_patches=0.0, accuracy=1 - threshold / 2)
        for threshold in thresholds
    ]


def test_each_point_is_what_the_policy_would_cost_at_that_threshold() -> None:
    curve = cost_curve(prices(), measured(0.0, 0.5, 1.0), None)
    assert curve == [
        point(1.0, wanted=0, patches=0, cost=0, saving=16000),
        point(0.5, wanted=8, patches=8, cost=8000, saving=8000),
        point(0.0, wanted=16, patches=16, cost=16000, saving=0),
    ]


def test_a_minimum_flattens_the_cheap_end() -> None:
    curve = cost_curve(prices(minimum="12"), measured(0.95, 0.9, 0.5, 0.0), None)
    assert [(one.patches, one.cost.minor) for one in curve] == [(0, 0), (12, 12000), (12, 12000), (16, 16000)]


def test_the_chosen_point_wants_as_many_patches_then_has_the_nearest_threshold() -> None:
    curve = cost_curve(prices(), measured(0.0, 0.45, 0.5, 0.9), None)
    assert [curve[at].threshold for at in range(4)] == [0.9, 0.5, 0.45, 0.0]
    assert nearest(curve, wanted=8, threshold=0.5) == 1
    assert nearest(curve, wanted=15, threshold=0.5) == 3
    twins = cost_curve(prices(), measured(0.48, 0.5), None)  # both want eight
    assert nearest(twins, wanted=8, threshold=0.47) == 1


def test_a_bundle_without_a_curve_has_no_point() -> None:
    assert nearest(cost_curve(prices(), [], None), wanted=3, threshold=0.5) is None


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
def test_the_interval_is_the_published_one(right: int, images: int, low: float, high: float) -> None:
    assert wilson(right / images, images) == pytest.approx((low, high), abs=5e-5)


def test_more_images_make_a_narrower_interval() -> None:
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
        cost=Money(cost, "USD"),
        saving=Money(saving, "USD"),
    )
