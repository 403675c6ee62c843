"""Jobs: requests whose work is done after their answer."""

from collections.abc import Callable
from datetime import datetime

from loupe.answers.base import Answer, Json, Link, Part
from loupe.problems import ClientError, JobCancelledError, problem_of


class JobProgress(Part):
    """The tiles of a job that are done. Reading the file comes before the first, planning after the last."""

    tiles_done: int
    """Number of tiles that the networks have seen."""
    tiles: int | None = None
    """Number of all tiles; None until the file is read."""
    share: float
    """Share of the tiles that are done, 0 to 1; 1 once the job has succeeded."""


class Job(Answer):
    """A request whose work is done after its answer."""

    id: str
    """Id of the job."""
    kind: str
    """Kind of the work."""
    status: str
    """State of the job; `succeeded`, `failed` and `cancelled` are final."""
    progress: JobProgress
    """Progress of the present attempt."""
    eta: datetime | None = None
    """Time at which the tiles will be done if they go on as fast. None when it is unknown."""
    attempts: int
    """Number of attempts that were begun: one after the other."""
    cancel_requested: bool
    """Whether the job was cancelled; a running one stops soon."""
    created_at: datetime
    """Time of the request."""
    by: str
    """Id of the key that asked for it, which may have been revoked since."""
    started_at: datetime | None = None
    """Time at which the present attempt began."""
    finished_at: datetime | None = None
    """Time at which the job ended."""
    result: dict[str, str] | None = None
    """Ids of what a job that has succeeded has made, such as `plan`."""
    problem: Json | None = None
    """Problem document of a job that has failed: the one that the request would have answered."""
    links: tuple[Link, ...]
    """Links to this job, and to its results or to cancel it."""

    def made(self, kind: str) -> str:
        """Return the id of what the job has made, such as its `plan`.

        Errors: ProblemError if the job failed, JobCancelledError if it was cancelled, ClientError while it
        has not ended or if it makes nothing of this kind.
        """
        if self.problem is not None:
            raise problem_of(int(self.problem.get("status", 500)), self.problem)
        if self.status == "cancelled":
            raise JobCancelledError(self.id)
        if self.result is None or kind not in self.result:
            raise ClientError(f"The job {self.id} ({self.kind}, {self.status}) has made no {kind}.")
        return self.result[kind]


JobSeen = Callable[[Job], None]
"""Called with a job each time it is read."""


def as_documents(seen: JobSeen | None) -> Callable[[Json], None] | None:
    """Return a function for job documents that calls `seen` with the jobs."""
    return None if seen is None else lambda document: seen(Job.read(document))
