"""The curves of a plan as charts: accuracy and objects against cost, beside the plan and a choice."""

from dataclasses import dataclass
from decimal import Decimal

from service.bundles.predictor import Predictor
from service.dashboard.chart import Chart, Mark, Point, line_chart
from service.dashboard.plan_page import PlanRecord
from service.plans.curve import ExpectedHere, PlanCurve, PlanCurvePoint, curve_of
from service.plans.what_if import Choice
from service.pricing.repository import terms_of


@dataclass(frozen=True, kw_only=True)
class CurveCharts:
    """The charts of a plan, and the curve that they show."""

    curve: PlanCurve
    accuracy: Chart | None
    """Measured accuracy in per cent; None without a curve."""
    objects: Chart | None
    """Expected objects in bought and reused patches; None for a bundle that counts nothing."""


def charts_of(record: PlanRecord, predictor: Predictor, choice: Choice) -> CurveCharts:
    """Draw what a plan's scene costs and brings at each threshold that its bundle was measured at."""
    curve = curve_of(record.plan, record.scene, terms_of(record.price_list), predictor)
    x_title = f"Cost in {record.plan.currency}"
    chosen = next((point for point in curve.points if point.chosen), None)
    here = None if chosen is None or chosen.here is None else _objects(chosen.cost.amount, chosen.here)
    expected = choice.outcome.expected
    return CurveCharts(
        curve=curve,
        accuracy=line_chart(
            [_accuracy(point) for point in curve.points],
            _marks(_measured(choice), None if chosen is None else _accuracy(chosen)),
            x_title,
            "Measured accuracy",
            y_unit=" %",
        ),
        objects=line_chart(
            [_objects(one.cost.amount, one.here) for one in curve.points if one.here is not None],
            _marks(None if expected is None else _objects(choice.cost.amount, expected), here),
            x_title,
            "Expected objects in bought patches",
        ),
    )


def _marks(choice: Point | None, plan: Point | None) -> list[Mark]:
    found = (("plan", plan), ("choice", choice))
    return [Mark(point=point, kind=kind) for kind, point in found if point is not None]


def _accuracy(point: PlanCurvePoint) -> Point:
    low, high = point.interval or (None, None)
    return Point(
        x=float(Decimal(point.cost.amount)),
        y=100 * point.expected_accuracy,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
    )


def _measured(choice: Choice) -> Point | None:
    if choice.outcome.measured is None:
        return None
    low, high = choice.outcome.interval or (None, None)
    return Point(
        x=choice.cost.major,
        y=100 * choice.outcome.measured.accuracy,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
    )


def _objects(cost: str, here: ExpectedHere) -> Point:
    return Point(x=float(Decimal(cost)), y=here.objects, low=here.objects_low, high=here.objects_high)
