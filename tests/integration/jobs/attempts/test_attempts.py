"""Attempts at a job: kept, repeated, given up and superseded, without two effects of one job."""

import threading
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.errors import UnavailableError
from service.jobs import running
from service.jobs.running import ATTEMPTS, AgainError, Office, run_job
from service.jobs.tables import Job, JobStatus
from service.plans import making
from service.settings import Settings
from tests.support.attempts import after_tiles, shown, until_stopped, uploads
from tests.support.jobs import plans


def test_job_that_has_ended_is_not_done_again(client: TestClient, office: Office, job_id: UUID) -> None:
    run_job(office, job_id)
    first = shown(client, job_id)
    run_job(office, job_id)  # a worker was killed before it could tell the queue

    assert shown(client, job_id) == first
    assert plans(client) == [first["result"]["plan"]]


def test_two_attempts_at_once_store_one_plan(
    client: TestClient, office: Office, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was taken for dead goes on beside the one that took its job."""
    monkeypatch.setattr(running, "NOTED_EVERY_S", 3600.0)  # the older one does not notice
    both = threading.Barrier(2)
    decide = making.decide_plan

    def together(*args: Any) -> Any:
        both.wait(60)
        return decide(*args)

    monkeypatch.setattr(making, "decide_plan", together)
    workers = [threading.Thread(target=run_job, args=(office, job_id)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)

    job = shown(client, job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", 2)
    assert plans(client) == [job["result"]["plan"]]


def test_older_attempt_stops_when_a_newer_one_has_begun(
    client: TestClient, office: Office, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_overtaken() -> None:
        run_job(office, job_id)
        until_stopped()

    after_tiles(monkeypatch, 2, be_overtaken)
    run_job(office, job_id)

    job = shown(client, job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", 2)
    assert plans(client) == [job["result"]["plan"]]


def test_attempt_that_a_stopping_worker_cuts_short_is_not_counted(
    client: TestClient, office: Office, job_id: UUID, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_tiles(monkeypatch, 3, office.stop)
    with pytest.raises(AgainError):
        run_job(office, job_id)
    waiting = shown(client, job_id)
    office.stopping.clear()
    kept = uploads(settings)
    run_job(office, job_id)

    assert (waiting["status"], waiting["attempts"]) == ("queued", 0)
    assert len(kept) == 1
    assert shown(client, job_id)["status"] == "succeeded"


def test_job_that_always_fails_unexpectedly_is_given_up(
    client: TestClient, office: Office, job_id: UUID, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(making, "decide_plan", fail)
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(AgainError):
            run_job(office, job_id)
        assert shown(client, job_id)["status"] == "queued"
    run_job(office, job_id)

    job = shown(client, job_id)
    assert (job["status"], job["attempts"], job["problem"]["status"]) == ("failed", ATTEMPTS, 500)
    assert job["problem"]["type"] == "/problems/job-given-up"
    assert f"tried {ATTEMPTS} times" in job["problem"]["detail"]
    assert uploads(settings) == []


def test_job_whose_worker_dies_every_time_is_given_up(
    client: TestClient, office: Office, job_id: UUID, database: Database
) -> None:
    with database.sessions.begin() as session:  # as kill -9 leaves it
        job = session.get_one(Job, job_id)
        job.status, job.attempts = JobStatus.RUNNING, ATTEMPTS
    run_job(office, job_id)

    assert shown(client, job_id)["problem"]["type"] == "/problems/job-given-up"
    assert plans(client) == []


def test_job_waits_for_what_is_not_available(
    client: TestClient, office: Office, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any) -> None:
        raise UnavailableError("The device has no memory for one tile. Try again later.")

    with monkeypatch.context() as patch:
        patch.setattr(making, "decide_plan", away)
        with pytest.raises(AgainError):
            run_job(office, job_id)
    waiting = shown(client, job_id)
    run_job(office, job_id)

    assert (waiting["status"], waiting["attempts"]) == ("queued", 1)
    assert shown(client, job_id)["status"] == "succeeded"
