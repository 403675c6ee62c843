"""`/v1/jobs`."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.access.caller import CallerDep
from service.database.engine import DatabaseDep, SessionDep
from service.jobs.repository import cancel_job, find_job, page_of_jobs
from service.jobs.schemas import JobOut, JobPath
from service.jobs.tables import JobStatus
from service.jobs.uploads import drop_upload
from service.settings import BlobsDep
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=problems(401))

ASK_AGAIN_S = 2
"""Seconds after which a client may ask for the progress of a job again."""


@router.get("", response_model_exclude_none=True, summary="List jobs, newest first", responses=problems(422))
def list_jobs(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    page: PageDep,
    status: Annotated[JobStatus | None, Query(description="Only jobs of this status.")] = None,
) -> Page[JobOut]:
    """Return the jobs of the workspace with their progress."""
    jobs, following = page_of_jobs(session, caller.workspace_id, page, status)
    return Page(items=[JobOut.of(job) for job in jobs], links=page_links(request, following))


@router.get(
    "/{job_id}",
    response_model_exclude_none=True,
    summary="Show a job: its progress, and in the end its result or its problem",
    responses=problems(404, 422),
)
def get_job(job_id: JobPath, caller: CallerDep, session: SessionDep, response: Response) -> JobOut:
    """Return the job as it is now. Until it has ended, `Retry-After` says when to ask again.

    A job that has failed is answered with 200 as well; `problem` says why it failed.
    """
    job = find_job(session, caller.workspace_id, job_id)
    if not job.is_finished:
        response.headers["Retry-After"] = str(ASK_AGAIN_S)
    return JobOut.of(job)


@router.post(
    "/{job_id}/cancel",
    name="cancel_job",
    response_model_exclude_none=True,
    summary="Cancel a job",
    responses=problems(404, 409, 422),
)
def cancel_one(job_id: JobPath, caller: CallerDep, database: DatabaseDep, blobs: BlobsDep) -> JobOut:
    """Cancel a job that waits, or ask a running one to stop between two batches: it then stores nothing.

    The error 409 `job-finished` says that the job had ended before.
    """
    with database.sessions.begin() as session:
        job = cancel_job(session, caller.workspace_id, job_id)
        answer = JobOut.of(job)
    if job.is_finished:  # a job that runs drops its upload itself
        drop_upload(blobs, job_id)
    return answer
