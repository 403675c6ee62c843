"""One job, from its turn to its end. It may be run by several processes, or again after a kill: once counts.

An attempt computes without a session and ends in one transaction, which locks the job's row, checks that the
attempt is still the newest, and stores the effect together with the job's end.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from service.database.engine import Database
from service.errors import LoupeError, UnavailableError
from service.jobs.repository import end_job, lock_job
from service.jobs.tables import Job, JobStatus
from service.jobs.uploads import drop_upload, read_upload
from service.progress import listening
from service.stopping import Stop, checkpoint, under

logger = logging.getLogger(__name__)

Store = Callable[[Session], Mapping[str, str]]
"""Stores what a job has computed; returns ids by the name of what was made, such as `plan`."""
Perform = Callable[[Job, bytes], Store]
"""Computes a job from its row and its upload, without a session of its own that stays open."""
ATTEMPTS = 3
"""Attempts after which a job fails that ended its worker, or found something unavailable, every time."""
STOPPED_S = 1.0
"""Seconds until a job that a stopping worker gave back is taken again; it must have ended by then."""
NOTED_EVERY_S = 1.0
"""Seconds between two writings of a job's progress, each of which looks whether the job was cancelled."""


class JobGivenUpError(LoupeError):
    """A job that failed unexpectedly in every attempt."""

    status = 500
    code = "job-given-up"
    title = "The job failed"


class AgainError(Exception):
    """An attempt that did not end the job: it is to be taken again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class WorkerStoppingError(UnavailableError):
    """An attempt that is cut short because its worker ends; another one follows elsewhere or later."""


class JobCancelledError(UnavailableError):
    """An attempt whose client has cancelled the job."""


class SupersededError(UnavailableError):
    """An attempt at a job that another attempt has begun or ended meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Office:
    """The parts of the server with which jobs run, and the attempts under way."""

    database: Database
    blobs: Path
    kinds: Mapping[str, Perform]
    stopping: threading.Event = field(default_factory=threading.Event)
    running: set[Stop] = field(default_factory=set)

    def sessions_of(self, job: Job) -> sessionmaker[Session]:
        """Return sessions that see only the workspace of a job: its effect is stored in one of them."""
        return self.database.of(job.workspace_id).sessions

    def stop(self) -> None:
        """Stop every attempt at its next checkpoint, and begin no other, because the process ends."""
        self.stopping.set()
        self.interrupt()

    def interrupt(self) -> None:
        """Stop every attempt at its next checkpoint, because the worker that took the jobs has ended."""
        for stop in list(self.running):
            stop.end(WorkerStoppingError("The worker is stopping."))

    @contextmanager
    def attempt(self) -> Iterator[Stop]:
        """Run an attempt under a Stop of its own."""
        stop = Stop()
        self.running.add(stop)
        try:
            if self.stopping.is_set():
                stop.end(WorkerStoppingError("The worker is stopping."))
            with under(stop):
                yield stop
        finally:
            self.running.discard(stop)


def run_job(office: Office, job_id: UUID) -> None:
    """Make one attempt at a job. AgainError unless it has ended, here or elsewhere."""
    job = _begin(office, job_id)
    if job is not None:
        try:
            _attempt(office, job)
        except SupersededError:
            return
    drop_upload(office.blobs, job_id)


def _attempt(office: Office, job: Job) -> None:
    try:
        with office.attempt() as stop, Watch(office, job, stop).watching():
            checkpoint()
            store = office.kinds[job.kind](job, read_upload(office.blobs, job))
        _end(office, job, store)
    except SupersededError:
        raise
    except WorkerStoppingError as error:
        _give_back(office, job)
        raise AgainError(STOPPED_S) from error
    except JobCancelledError:
        _end(office, job, None)
    except UnavailableError as error:
        _try_again(office, job, error)
    except LoupeError as error:
        _fail(office, job, error)
    except Exception:
        logger.exception("Attempt %d at job %s failed.", job.attempts, job.id)
        _try_again(office, job, _given_up(job))


def _try_again(office: Office, job: Job, error: LoupeError) -> None:
    """Let the job wait for another attempt, or after the last one fail with `error`."""
    if job.attempts >= ATTEMPTS:
        return _fail(office, job, error)
    _give_back(office, job, counted=True)
    raise AgainError(2.0**job.attempts) from error


def _begin(office: Office, job_id: UUID) -> Job | None:
    """Count a new attempt and return the job; None if it has ended, or ends here without being run."""
    with office.database.sessions.begin() as session:
        job = lock_job(session, job_id)
        if job.is_finished:
            return None
        if job.cancel_requested:
            end_job(job, JobStatus.CANCELLED)
            return None
        if job.attempts >= ATTEMPTS:
            end_job(job, JobStatus.FAILED, problem=_given_up(job).problem())
            return None
        job.status, job.attempts = JobStatus.RUNNING, job.attempts + 1
        job.started_at = func.clock_timestamp()
        job.tiles_done, job.tiles, job.progress_at = 0, None, None
        return job


def _end(office: Office, job: Job, store: Store | None) -> None:
    """Store a job's effect and its end in one transaction; a cancelled one has no effect. SupersededError."""
    with office.sessions_of(job).begin() as session:
        now = _lock_attempt(session, job)
        if store is None or now.cancel_requested:
            end_job(now, JobStatus.CANCELLED)
        else:
            end_job(now, JobStatus.SUCCEEDED, result=store(session))


def _fail(office: Office, job: Job, error: LoupeError) -> None:
    with office.sessions_of(job).begin() as session:
        end_job(_lock_attempt(session, job), JobStatus.FAILED, problem=error.problem())


def _give_back(office: Office, job: Job, *, counted: bool = False) -> None:
    """Let a job wait again; an attempt that only the end of its worker cut short is not counted."""
    with office.sessions_of(job).begin() as session:
        now = _lock_attempt(session, job)
        now.status = JobStatus.QUEUED
        if not counted:
            now.attempts -= 1


def _lock_attempt(session: Session, job: Job) -> Job:
    now = lock_job(session, job.id)
    if (now.status, now.attempts) != (JobStatus.RUNNING, job.attempts):
        raise _superseded()
    return now


def _given_up(job: Job) -> JobGivenUpError:
    return JobGivenUpError(
        f"The job was tried {ATTEMPTS} times, and each attempt failed or ended its worker. Nothing was "
        "stored. Give this job's id to the operator of the server, whose log may have the cause.",
        job=str(job.id),
        attempts=job.attempts,
    )


def _superseded() -> SupersededError:
    return SupersededError("Another attempt at this job has begun or has ended it.")


class Watch:
    """A thread beside an attempt: it notes the progress, and stops the attempt when that is asked for."""

    def __init__(self, office: Office, job: Job, stop: Stop) -> None:
        self._office, self._job, self._stop = office, job, stop
        self._tiles: tuple[int, int | None] = (0, None)  # done and all
        self._ended = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what is computed inside the block."""
        thread = threading.Thread(target=self._look, name=f"watch {self._job.id}", daemon=True)
        thread.start()
        try:
            with listening(self._listen):
                yield
        finally:
            self._ended.set()
            thread.join()

    def _listen(self, done: int, total: int) -> None:
        self._tiles = done, total

    def _look(self) -> None:
        while not self._ended.wait(NOTED_EVERY_S):
            if self._office.stopping.is_set():  # the server lets its requests end before its worker
                self._office.stop()
            try:
                self._note(*self._tiles)
            except SQLAlchemyError as error:  # the next look tries again
                logger.warning("The progress of job %s was not noted: %s", self._job.id, type(error).__name__)

    def _note(self, done: int, total: int | None) -> None:
        mine = (Job.id == self._job.id, Job.attempts == self._job.attempts, Job.status == JobStatus.RUNNING)
        change = (
            update(Job).where(*mine).values(progress_at=func.clock_timestamp(), tiles_done=done, tiles=total)
        )
        with self._office.sessions_of(self._job).begin() as session:
            cancelled = session.execute(change.returning(Job.cancel_requested)).scalar_one_or_none()
        if cancelled is None:
            self._stop.end(_superseded())
        elif cancelled:
            self._stop.end(JobCancelledError("The job was cancelled."))
