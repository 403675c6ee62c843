"""Jobs as JSON."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, Field

from service.jobs.tables import Job, JobStatus
from service.web.openapi import Problem
from service.web.paging import Link

JobPath = Annotated[UUID, Path(description="Id of the job.")]
RESULTS = {"plan": "/v1/plans/{}", "classification": "/v1/classifications/{}"}
"""Addresses of what jobs make."""


class JobProgress(BaseModel):
    """The tiles of a job that are done. Reading the file comes before the first, planning after the last."""

    tiles_done: int = Field(description="Number of tiles that the networks have seen.")
    tiles: int | None = Field(description="Number of all tiles; absent until the file is read.")
    share: float = Field(
        description="Share of the tiles that are done, 0 to 1; 1 once the job has succeeded."
    )


class JobOut(BaseModel):
    """A request whose work is done after its answer."""

    id: UUID = Field(description="Id of the job.")
    kind: str = Field(description="Kind of the work.", examples=["plan"])
    status: JobStatus = Field(
        description="State of the job; `succeeded`, `failed` and `cancelled` are final."
    )
    progress: JobProgress = Field(description="Progress of the present attempt.")
    eta: datetime | None = Field(
        description="Time at which the tiles will be done if they go on as fast. Absent when it is unknown."
    )
    attempts: int = Field(description="Number of attempts that were begun: one after the other.")
    cancel_requested: bool = Field(description="Whether the job was cancelled; a running one stops soon.")
    created_at: datetime = Field(description="Time of the request.")
    by: str = Field(description="Id of the key that asked for it, which may have been revoked since.")
    started_at: datetime | None = Field(description="Time at which the present attempt began.")
    finished_at: datetime | None = Field(description="Time at which the job ended.")
    result: dict[str, UUID] | None = Field(
        description="Ids of what a job that has succeeded has made, such as `plan`."
    )
    problem: Problem | None = Field(
        description="Problem document of a job that has failed: the one that the request would have answered."
    )
    links: list[Link] = Field(description="Links to this job, and to its results or to cancel it.")

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        """Write a job."""
        return cls(
            id=job.id,
            kind=job.kind,
            status=JobStatus(job.status),
            progress=_progress(job),
            eta=eta_of(job),
            attempts=job.attempts,
            cancel_requested=job.cancel_requested,
            created_at=job.created_at,
            by=job.key_id,
            started_at=job.started_at,
            finished_at=job.finished_at,
            result=None if job.result is None else {name: UUID(one) for name, one in job.result.items()},
            problem=None if job.problem is None else Problem.model_validate(job.problem),
            links=links_of(job),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values without what is null, as answers hold them."""
        return self.model_dump(mode="json", exclude_none=True)


def address_of(job_id: object) -> str:
    """Return the address of a job."""
    return f"/v1/jobs/{job_id}"


def links_of(job: Job) -> list[Link]:
    """Return the links of a job: to itself, to what it made, and to cancel it while that is possible."""
    links = [Link(rel="self", href=address_of(job.id))]
    for name, one in (job.result or {}).items():
        links.append(Link(rel="result", href=RESULTS[name].format(one), title=name))
    if not job.is_finished:
        links.append(Link(rel="cancel", href=f"{address_of(job.id)}/cancel", title="POST here"))
    return links


def eta_of(job: Job) -> datetime | None:
    """Return when the tiles of a running job will be done if the rest takes as long as those before."""
    running = job.status == JobStatus.RUNNING and job.tiles_done
    if not running or job.tiles is None or job.started_at is None or job.progress_at is None:
        return None
    left = (job.tiles - job.tiles_done) / job.tiles_done
    return job.progress_at + (job.progress_at - job.started_at) * left


def _progress(job: Job) -> JobProgress:
    share = job.tiles_done / job.tiles if job.tiles else 0.0
    return JobProgress(
        tiles_done=job.tiles_done,
        tiles=job.tiles,
        share=1.0 if job.status == JobStatus.SUCCEEDED else round(share, 4),
    )
