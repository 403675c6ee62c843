"""A job on the dashboard: how far it is, and in the end its plan or the reason why there is none."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.dashboard.forms import FormDep
from service.dashboard.frame import go_to, show
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.jobs.repository import find_job
from service.jobs.routes import cancel_one
from service.jobs.schemas import JobOut
from service.settings import BlobsDep

router = APIRouter(prefix=f"{PATH}/jobs/{{job_id}}", include_in_schema=False)


@router.get("", name="show_job")
def job(request: Request, visitor: VisitorDep, database: DatabaseDep, job_id: UUID) -> Response:
    """Show the progress of a job; a job that has made a plan leads to it."""
    with database.sessions() as session:
        found = JobOut.of(find_job(session, visitor.workspace_id, job_id))
    if found.result and "plan" in found.result:
        return RedirectResponse(f"{PATH}/plans/{found.result['plan']}", 303)
    return show(request, visitor, "job.html", job=found)


@router.post("/cancel", name="cancel_planning")
def cancel(sent: FormDep, blobs: BlobsDep, job_id: UUID) -> Response:
    """Cancel a job, as `POST /v1/jobs/{job_id}/cancel` does."""
    sent.allow("cancel_job")
    cancel_one(job_id, sent.visitor, sent.database, blobs)
    notice = "The job is cancelled. Nothing is stored."
    return go_to(sent.request, sent.visitor, f"{PATH}/jobs/{job_id}", notice)
