"""Cost against expected accuracy, as the threshold on the utilities slides. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.manifest import CurvePoint
from service.money import Money
from service.planner import Decide
from service.planner.decision import Decision
from service.planner.objectives import Policy


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """What this scene would cost at one threshold, beside what the bundle measured there."""

    threshold: float
    expected_accuracy: float
    interval: tuple[float, float] | None
    """95 %, of the accuracy; None where the bundle does not say on how many images it was measured."""
    wanted: int
    patches: int
    cost: Money
    saving: Money
    """Billable: everything's bill minus this one."""


NORMAL_95 = 1.959964
"""The 97.5 % quantile of the normal distribution."""


def cost_curve(decide: Decide, measured: Sequence[CurvePoint], images: int | None) -> list[CostPoint]:
    """Decide at every threshold measured on so many images, from the highest (buys least) to the lowest."""
    points = sorted(measured, key=lambda point: -point.threshold)
    return [_point(decide(Policy(threshold=point.threshold)), point, images) for point in points]


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` > 0 independent trials.

    Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001): inside 0..1, and not empty at
    a share of 0 or 1.
    """
    square = NORMAL_95**2 / count
    centre = share + square / 2
    half = NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square))


def nearest(curve: Sequence[CostPoint], wanted: int, threshold: float) -> int | None:
    """Index of the point that wants most nearly as many patches; ties go to the nearer threshold."""
    if not curve:
        return None
    return min(
        range(len(curve)),
        key=lambda at: (abs(curve[at].wanted - wanted), abs(curve[at].threshold - threshold)),
    )


def _point(decision: Decision, measured: CurvePoint, images: int | None) -> CostPoint:
    return CostPoint(
        threshold=measured.threshold,
        expected_accuracy=measured.accuracy,
        interval=None if images is None else wilson(measured.accuracy, images),
        wanted=decision.wanted,
        patches=int(np.count_nonzero(decision.selected)),
        cost=decision.bill.amount,
        saving=decision.billable_saving,
    )
