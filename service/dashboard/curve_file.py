"""The curve of a plan, with every point that its chart draws, as a file."""

from decimal import Decimal
from uuid import UUID

from fastapi import APIRouter, Response

from service.bundles.registry import BundlesDep
from service.dashboard.plan_page import read_record
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.plans.curve import PlanCurvePoint, curve_of
from service.pricing.repository import terms_of
from service.web.tabular import Columns, Row, file_answer
from service.web.turns import TurnDep

router = APIRouter(prefix=f"{PATH}/plans/{{plan_id}}", include_in_schema=False)
POINT_COLUMNS: Columns = {
    "threshold": "text", "patches": "integer", "currency": "text", "cost": "money", "saving": "money",
    "accuracy": "text", "accuracy_low": "text", "accuracy_high": "text", "nearest_to_plan": "text",
    "objects": "text", "objects_low": "text", "objects_high": "text", "correct_labels": "text",
}  # fmt: skip
"""Accuracies and shares from 0 to 1; columns of objects are empty for a bundle that counts nothing."""


@router.get("/curve.csv", name="send_curve")
def curve(
    visitor: VisitorDep, database: DatabaseDep, bundles: BundlesDep, plan_id: UUID, _turn: TurnDep
) -> Response:
    """Send the points of the curve of a plan, the cheapest first; none without the plan's bundle."""
    record = read_record(database, visitor.workspace_id, plan_id)
    points = list[PlanCurvePoint]()
    if bundles.holds(record.plan.provenance):
        predictor = bundles.of_plan(record.plan.provenance)
        points = curve_of(record.plan, record.scene, terms_of(record.price_list), predictor).points
    return file_answer("csv", f"curve-{plan_id}", POINT_COLUMNS, map(_row, points))


def _row(point: PlanCurvePoint) -> Row:
    low, high = point.interval or (None, None)
    here = point.here
    objects = (
        [None] * 4
        if here is None
        else [here.objects, here.objects_low, here.objects_high, here.correct_share]
    )
    return (
        point.threshold, point.patches, point.cost.currency, Decimal(point.cost.amount),
        Decimal(point.saving.amount), point.expected_accuracy, low, high, "yes" if point.chosen else "no",
        *objects,
    )  # fmt: skip
