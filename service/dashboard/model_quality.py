"""The view of models: what the bundles were measured to give, and what became of their labels and plans."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.bundles.registry import Bundles, BundlesDep
from service.dashboard.bundle_curves import CURVE_COLUMNS, TASKS, curve_rows, read_bundles
from service.dashboard.frame import MODELS, show
from service.dashboard.own_labels import LABEL_COLUMNS, LabelView, label_rows
from service.dashboard.plan_weeks import MOST_PLANS, WEEK_COLUMNS, read_weeks, week_rows
from service.dashboard.session import VisitorDep
from service.database.engine import DatabaseDep
from service.truth.calibration import by_bundle
from service.truth.repository import known_tiles
from service.web.tabular import Columns, file_answer
from service.web.turns import TurnDep

router = APIRouter(prefix=MODELS, include_in_schema=False)
Chart = Literal["curves", "labels", "weeks"]
Rows = Iterable[Sequence[object]]


@router.get("", name="models_page")
def models(
    request: Request, visitor: VisitorDep, database: DatabaseDep, bundles: BundlesDep, _turn: TurnDep
) -> Response:
    """Show the curves of the bundles, their labels against true labels, and plans by week."""
    with database.sessions() as session:
        results = by_bundle(known_tiles(session, visitor.workspace_id))
        weeks = read_weeks(session, visitor.workspace_id)
    values: dict[str, Any] = {
        "bundles": read_bundles(bundles),
        "labels": [LabelView.of(one) for one in results],
        "weeks": weeks,
        "most_plans": MOST_PLANS,
        "tasks": TASKS,
    }
    return show(request, visitor, "models.html", **values)


FILES: dict[Chart, tuple[Columns, Callable[[Session, UUID, Bundles], Rows]]] = {
    "curves": (CURVE_COLUMNS, lambda _session, _workspace, bundles: curve_rows(read_bundles(bundles))),
    "labels": (
        LABEL_COLUMNS,
        lambda session, workspace, _bundles: label_rows(by_bundle(known_tiles(session, workspace))),
    ),
    "weeks": (WEEK_COLUMNS, lambda session, workspace, _bundles: week_rows(read_weeks(session, workspace))),
}
"""Columns and rows of each list of the page as a file."""


@router.get("/{chart}.csv", name="models_file")
def send_file(
    visitor: VisitorDep, database: DatabaseDep, bundles: BundlesDep, chart: Chart, _turn: TurnDep
) -> Response:
    """Send the rows of a chart or table of the page as CSV."""
    columns, rows_of = FILES[chart]
    with database.sessions() as session:
        rows = list(rows_of(session, visitor.workspace_id, bundles))
    return file_answer("csv", chart, columns, rows)
