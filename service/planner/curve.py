"""Cost against expected accuracy, as the threshold on the utilities changes. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner import Decide
from service.planner.decision import Decision
from service.planner.objectives import Policy, TargetAccuracy

NORMAL_95 = 1.959964
"""The 97.5 % quantile of the normal distribution."""


class MeasuredPoint(Protocol):
    """A threshold on the utilities, and the accuracy that a bundle's evaluation measured there."""

    @property
    def threshold(self) -> float:
        """The least utility of the patches that were bought."""

    @property
    def accuracy(self) -> float:
        """The share of tiles that were classified correctly."""


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """The cost of a scene at one threshold, beside the accuracy that the bundle measured there."""

    threshold: float
    expected_accuracy: float
    interval: tuple[float, float] | None
    """The 95 % interval of the accuracy; None if the bundle does not state its number of images."""
    wanted: int
    patches: int
    selected: NDArray[np.bool_] = field(compare=False, repr=False)
    """(T, 16): the patches that are bought."""
    cost: Money
    saving: Money
    """Billable: the bill for everything minus this one."""


def target_for(accuracy: float, measured: Iterable[MeasuredPoint]) -> TargetAccuracy | None:
    """Choose the measured point that buys least of those that reach `accuracy`; None if none does."""
    enough = [point for point in measured if point.accuracy >= accuracy]
    point = max(enough, key=lambda one: one.threshold, default=None)
    if point is None:
        return None
    return TargetAccuracy(accuracy=accuracy, threshold=point.threshold, measured=point.accuracy)


def cost_curve(decide: Decide, measured: Iterable[MeasuredPoint], images: int | None) -> list[CostPoint]:
    """Decide at every measured threshold, from the highest (buys least) to the lowest.

    `images` is the number of images that the accuracy was measured on, if known.
    """
    points = sorted(measured, key=lambda point: -point.threshold)
    return [_point(decide(Policy(threshold=point.threshold)), point, images) for point in points]


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` > 0 independent trials.

    Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001) stays inside 0..1 and is not empty
    at a share of 0 or 1.
    """
    square = NORMAL_95**2 / count
    centre = share + square / 2
    half = NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square))


def nearest(curve: Sequence[CostPoint], wanted: int, threshold: float) -> int | None:
    """Return the index of the point whose patch count is closest; ties go to the closest threshold."""
    if not curve:
        return None
    return min(
        range(len(curve)),
        key=lambda at: (abs(curve[at].wanted - wanted), abs(curve[at].threshold - threshold)),
    )


def _point(decision: Decision, measured: MeasuredPoint, images: int | None) -> CostPoint:
    return CostPoint(
        threshold=measured.threshold,
        expected_accuracy=measured.accuracy,
        interval=None if images is None else wilson(measured.accuracy, images),
        wanted=decision.wanted,
        patches=int(np.count_nonzero(decision.selected)),
        selected=decision.selected,
        cost=decision.bill.amount,
        saving=decision.billable_saving,
    )
