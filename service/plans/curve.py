"""Cost against expected accuracy, as the threshold on the utilities slides. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.manifest import CurvePoint
from service.money import Money
from service.plans.decision import Decision
from service.plans.objectives import Policy
from service.plans.planner import Decide


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """What this scene would cost at one threshold, beside what the bundle measured there."""

    threshold: float
    expected_accuracy: float
    wanted: int
    patches: int
    cost: Money
    saving: Money
    """Billable: everything's bill minus this one."""


def cost_curve(decide: Decide, measured: Sequence[CurvePoint]) -> list[CostPoint]:
    """Decide at every measured threshold, from the highest (buys least) to the lowest."""
    points = sorted(measured, key=lambda point: -point.threshold)
    return [_point(decide(Policy(threshold=point.threshold)), point) for point in points]


def nearest(curve: Sequence[CostPoint], wanted: int, threshold: float) -> int | None:
    """Index of the point that wants most nearly as many patches; ties go to the nearer threshold."""
    if not curve:
        return None
    return min(
        range(len(curve)),
        key=lambda at: (abs(curve[at].wanted - wanted), abs(curve[at].threshold - threshold)),
    )


def _point(decision: Decision, measured: CurvePoint) -> CostPoint:
    return CostPoint(
        threshold=measured.threshold,
        expected_accuracy=measured.accuracy,
        wanted=decision.wanted,
        patches=int(np.count_nonzero(decision.selected)),
        cost=decision.bill.amount,
        saving=decision.billable_saving,
    )
