"""Jobs in the database, and their turn in procrastinate's queue, written in one transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError, LoupeError, NotFoundError
from service.jobs.tables import Job, JobStatus
from service.web.paging import Cursor, PageRequest, fetch_page

QUEUE = "jobs"
TASK = "run"
UNFINISHED_AT_ONCE = 50
"""Jobs of a workspace that may wait or run; with uploads of 32 MiB they take 1.6 GB of disk."""

_DEFER = text("""
    SELECT (procrastinate.procrastinate_defer_jobs_v1(ARRAY[ROW(
        :queue, :task, :priority, NULL, NULL, CAST(:args AS jsonb), NULL
    )::procrastinate.procrastinate_job_to_defer_v1]))[1]
""")
_WITHDRAW = text("SELECT procrastinate.procrastinate_cancel_job_v1(:id, false, true)")


class TooManyJobsError(LoupeError):
    """A workspace whose unfinished jobs are as many as it may have."""

    status = 429
    code = "too-many-jobs"
    title = "Too many jobs are waiting"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "60"}


class JobFinishedError(ConflictError):
    """A job that cannot be cancelled any more."""

    code = "job-finished"
    title = "The job has ended"


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A request whose work is done after its answer."""

    kind: str
    request: dict[str, Any]
    """The options as JSON, as the job's kind reads them."""


def queue_job(
    session: Session, caller: Caller, wanted: JobRequest, job_id: UUID, upload_sha256: str | None
) -> Job:
    """Store a job together with its turn in the queue. TooManyJobsError.

    A workspace's second job waits for the first jobs of the others, its third for their second ones, and so
    on: one that sends many does not keep the others waiting.
    """
    unfinished = select(func.count()).where(
        Job.workspace_id == caller.workspace_id, Job.finished_at.is_(None)
    )
    before = session.scalars(unfinished).one()
    if before >= UNFINISHED_AT_ONCE:
        raise TooManyJobsError(
            f"{before} jobs of the workspace wait or run, and it may have {UNFINISHED_AT_ONCE}. Wait until "
            "some have ended, or cancel some: GET /v1/jobs (`loupe jobs list`) shows them.",
            unfinished=before,
            limit=UNFINISHED_AT_ONCE,
        )
    turn = {"queue": QUEUE, "task": TASK, "priority": -before, "args": json.dumps({"job": str(job_id)})}
    job = Job(
        id=job_id,
        workspace_id=caller.workspace_id,
        key_id=caller.key_id,
        kind=wanted.kind,
        request=wanted.request,
        upload_sha256=upload_sha256,
        queue_id=session.execute(_DEFER, turn).scalar_one(),
    )
    session.add(job)
    session.flush()
    session.refresh(job)
    return job


def find_job(session: Session, workspace_id: UUID, job_id: UUID) -> Job:
    """Return a job of the workspace; NotFoundError otherwise."""
    job = session.scalars(select(Job).where(Job.id == job_id, Job.workspace_id == workspace_id)).one_or_none()
    if job is None:
        raise NotFoundError(f"There is no job {job_id}.", job=str(job_id))
    return job


def page_of_jobs(
    session: Session, workspace_id: UUID, page: PageRequest, status: JobStatus | None
) -> tuple[list[Job], Cursor | None]:
    """Return one page of the workspace's jobs, newest first, of one status if it is given."""
    query = select(Job).where(Job.workspace_id == workspace_id)
    return fetch_page(session, query if status is None else query.where(Job.status == status), Job, page)


def lock_job(session: Session, job_id: UUID) -> Job:
    """Return a job, locked and as it is now."""
    return session.get_one(Job, job_id, with_for_update=True, populate_existing=True)


def cancel_job(session: Session, workspace_id: UUID, job_id: UUID) -> Job:
    """Cancel a waiting job, or ask a running one to stop between two batches; once is as good as twice.

    Errors: not-found, job-finished.
    """
    find_job(session, workspace_id, job_id)
    job = lock_job(session, job_id)
    if job.status == JobStatus.CANCELLED:
        return job
    if job.is_finished:
        raise JobFinishedError(
            f"The job has {job.status} and cannot be cancelled.", job=str(job_id), job_status=job.status
        )
    job.cancel_requested = True
    if job.status == JobStatus.QUEUED:
        session.execute(_WITHDRAW, {"id": job.queue_id})
        end_job(job, JobStatus.CANCELLED)
    session.flush()
    session.refresh(job)
    return job


def end_job(
    job: Job,
    status: JobStatus,
    *,
    result: Mapping[str, str] | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """Give a locked job its final status."""
    job.status = status
    job.finished_at = func.clock_timestamp()
    job.result = None if result is None else dict(result)
    job.problem = None if problem is None else {"instance": f"/v1/jobs/{job.id}"} | dict(problem)
