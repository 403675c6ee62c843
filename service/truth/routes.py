"""`/v1/orders/{order_id}/truth`: true labels of an order's tiles, and the labels that they prove right."""

from uuid import UUID

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.bundles.card import images_measured
from service.bundles.evaluated import measured_row
from service.bundles.registry import Bundles, BundlesDep
from service.classification.repository import outdated_since
from service.classification.tables import Classification
from service.database.engine import SessionDep
from service.orders.repository import find_order, plan_of
from service.orders.schemas import OrderPath
from service.plans.alternatives_schemas import MeasuredFigures
from service.plans.arrays import PlanArrays
from service.plans.tables import Plan
from service.truth.checks import check_truth
from service.truth.imports import READ, TruthDep
from service.truth.repository import given_for, keep_true_labels, newest_classification, newest_of
from service.truth.schemas import (
    TRUTH_COLUMNS,
    ClassScore,
    OrderTruth,
    TruthScore,
    tiles_of_truth,
    truth_row,
    truth_schema,
)
from service.truth.scoring import TrueLabel, score_by_class, total_score
from service.web.openapi import problems
from service.web.paging import Link
from service.web.tabular import FormDep, file_answer, files_of

router = APIRouter(prefix="/v1/orders", tags=["classification"], responses=problems(401))

_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": truth_schema()},
        "text/csv": {"schema": {"type": "string"}, "example": f"{','.join(READ)}\n0,airplane\n"},
    },
}


@router.put(
    "/{order_id}/truth",
    response_model=OrderTruth,
    summary="Give the true labels of tiles of an order",
    responses=problems(404, 409, 422, 507),
    openapi_extra={"requestBody": _BODY},
)
def put_truth(
    order_id: OrderPath, caller: CallerDep, given: TruthDep, session: SessionDep, bundles: BundlesDep
) -> OrderTruth:
    """Give true labels, as JSON or as CSV with the columns `tile` and `true_label`.

    The newest true label of a tile counts, and earlier ones stay on record with the key that gave them. Tiles
    that are not named keep theirs; null, or an empty cell, takes one back. Repeating a request changes
    nothing. No label, no order and no money changes.
    """
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    plan = plan_of(session, order)
    classes = bundles.of_plan(plan.provenance).manifest.classes
    keep_true_labels(session, caller, order, check_truth(given.tiles, PlanArrays.of(plan).eligible, classes))
    return _written(session, order_id, plan, bundles)


@router.get(
    "/{order_id}/truth",
    response_model=OrderTruth,
    summary="Show the true labels of an order, and how many of its labels are right",
    responses={**files_of(TRUTH_COLUMNS), **problems(404, 422)},
)
def get_truth(
    order_id: OrderPath, caller: CallerDep, session: SessionDep, bundles: BundlesDep, form: FormDep
) -> Response:
    """Show the tiles whose true label is known, and the score of the newest classification.

    The score is counted on these tiles; `evaluation` beside it was measured on other images. CSV and Parquet,
    chosen by the header `Accept` or by `?format=`, have one row for each tile.
    """
    order = find_order(session, caller.workspace_id, order_id)
    written = _written(session, order_id, plan_of(session, order), bundles)
    if form != "json":
        return file_answer(form, "truth", TRUTH_COLUMNS, map(truth_row, written.tiles))
    return JSONResponse(written.model_dump(mode="json"))


def _written(session: Session, order_id: UUID, plan: Plan, bundles: Bundles) -> OrderTruth:
    given, made = given_for(session, order_id), newest_classification(session, order_id)
    truth = newest_of(given)
    labelled = {} if made is None else {tile["tile"]: tile for tile in made.tiles}
    path = f"/v1/orders/{order_id}"
    return OrderTruth(
        order=order_id,
        version=len(given),
        score=None if made is None else _score(session, plan, made, truth, bundles),
        tiles=list(tiles_of_truth(truth, labelled)),
        links=[
            Link(rel="self", href=f"{path}/truth"),
            Link(rel="alternate", href=f"{path}/truth?format=csv", type="text/csv"),
            Link(rel="order", href=path),
        ],
    )


def _score(
    session: Session, plan: Plan, made: Classification, truth: dict[int, TrueLabel], bundles: Bundles
) -> TruthScore:
    by_class = score_by_class(made.tiles, truth)
    return TruthScore(
        **TruthScore.members(total_score(by_class)),
        by_class=[ClassScore(**ClassScore.members(one), true_label=name) for name, one in by_class.items()],
        classification=made.id,
        outdated=outdated_since(session, made) is not None,
        evaluation=_evaluation(plan, made, bundles),
    )


def _evaluation(plan: Plan, made: Classification, bundles: Bundles) -> MeasuredFigures | None:
    """Return what the bundle's evaluation measured with about as many patches as the labels use."""
    if not bundles.holds(plan.provenance) or not made.tiles:
        return None
    manifest = bundles.of_plan(plan.provenance).manifest
    used = [tile["patches_used"] + tile.get("patches_reused", 0) for tile in made.tiles]
    row = measured_row(manifest, plan.task, "plan", float(np.mean(used)))
    return None if row is None else MeasuredFigures.of(row, images_measured(manifest))
