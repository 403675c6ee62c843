"""A job on the dashboard: how far it is, and in the end what it made or the reason why there is nothing."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from service.classification import work as classification_work
from service.classification.repository import find_classification
from service.dashboard.changes import PageWatch, job_mark
from service.dashboard.forms import FormDep
from service.dashboard.frame import go_to, show
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.jobs.repository import find_job
from service.jobs.routes import cancel_one
from service.jobs.schemas import JobOut
from service.plans import planning
from service.rounds import planning as later_rounds
from service.settings import BlobsDep

router = APIRouter(prefix=f"{PATH}/jobs/{{job_id}}", include_in_schema=False)
TITLES: Mapping[str, str] = {
    planning.PLAN: "Planning job",
    planning.REPLAN: "Re-planning job",
    later_rounds.KIND: "Job of a next round",
    classification_work.KIND: "Classification job",
}
"""Title of a job by its kind."""


@router.get("", name="show_job")
def job(request: Request, visitor: VisitorDep, database: DatabaseDep, job_id: UUID) -> Response:
    """Show the progress of a job; a job that has succeeded leads to what it made."""
    with database.sessions() as session:
        mark = job_mark(session, visitor.workspace_id, job_id)
        found = JobOut.of(find_job(session, visitor.workspace_id, job_id))
        made = page_of_result(session, visitor.workspace_id, found.result or {})
    if made is not None:
        return RedirectResponse(made, 303)
    watch = None if found.finished_at else PageWatch.at(f"{PATH}/jobs/{job_id}", mark)
    title = TITLES.get(found.kind, "Job")
    return show(request, visitor, "job.html", job=found, watch=watch, title=title)


def page_of_result(session: Session, workspace_id: UUID, result: Mapping[str, UUID]) -> str | None:
    """Return the page of what a job made: its plan, or the order whose tiles it labelled."""
    if "plan" in result:
        return f"{PATH}/plans/{result['plan']}"
    if "classification" in result:
        made = find_classification(session, workspace_id, result["classification"])
        return f"{PATH}/orders/{made.order_id}#labels"
    return None


@router.post("/cancel", name="cancel_planning")
def cancel(sent: FormDep, blobs: BlobsDep, job_id: UUID) -> Response:
    """Cancel a job, as `POST /v1/jobs/{job_id}/cancel` does."""
    sent.allow("cancel_job")
    cancel_one(job_id, sent.visitor, sent.database, blobs)
    notice = "The job is cancelled. Nothing is stored."
    return go_to(sent.request, sent.visitor, f"{PATH}/jobs/{job_id}", notice)
