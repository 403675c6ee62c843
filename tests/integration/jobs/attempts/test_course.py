"""The course of a job: cancelled, followed, and stored in its own workspace."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.jobs import answering, running
from service.jobs.running import Office, run_job
from service.plans import making
from service.settings import Settings
from service.web.idempotency import store_once
from tests.support.attempts import after_tiles, shown, until_stopped, uploads
from tests.support.connections import checked_out
from tests.support.jobs import plan_later, plans
from tests.support.waiting import eventually
from tests.support.watching import watch_computing


def test_cancelled_job_stops_between_batches_and_stores_nothing(
    client: TestClient, office: Office, job_id: UUID, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def cancel() -> None:
        asked.append(client.post(f"/v1/jobs/{job_id}/cancel").json())
        until_stopped()

    after_tiles(monkeypatch, 2, cancel)
    run_job(office, job_id)

    job = shown(client, job_id)
    assert (asked[0]["status"], asked[0]["cancel_requested"]) == ("running", True)
    assert job["status"] == "cancelled"
    assert job["progress"]["tiles_done"] == 2
    assert plans(client) == []
    assert uploads(settings) == []


def test_cancelled_waiting_job_never_runs(
    client: TestClient, office: Office, job_id: UUID, settings: Settings, database: Database
) -> None:
    answer = client.post(f"/v1/jobs/{job_id}/cancel")
    again = client.post(f"/v1/jobs/{job_id}/cancel")
    run_job(office, job_id)  # it was fetched just before

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert again.json() == answer.json() == shown(client, job_id)
    assert plans(client) == []
    assert uploads(settings) == []
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM procrastinate.procrastinate_jobs").all() == [
            (0,)
        ]


def test_job_that_has_ended_cannot_be_cancelled(client: TestClient, office: Office, job_id: UUID) -> None:
    run_job(office, job_id)
    answer = client.post(f"/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-finished")
    assert shown(client, job_id)["status"] == "succeeded"


def test_progress_counts_tiles_and_estimates_the_end(
    client: TestClient, office: Office, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    def look() -> None:
        eventually(lambda: shown(client, job_id)["progress"]["tiles_done"] == 3)
        seen.append(shown(client, job_id))

    after_tiles(monkeypatch, 3, look)
    before = shown(client, job_id)
    run_job(office, job_id)

    assert before["progress"] == {"tiles_done": 0, "share": 0.0}
    assert seen[0]["progress"] == {"tiles_done": 3, "tiles": 6, "share": 0.5}
    assert seen[0]["eta"] > seen[0]["started_at"]
    assert "eta" not in shown(client, job_id)


def test_no_session_is_open_while_a_job_computes(
    office: Office, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "NOTED_EVERY_S", 3600.0)  # a note takes a connection for a moment
    computed: dict[str, int] = {}
    watch_computing(monkeypatch, lambda name: computed.__setitem__(name, checked_out(office.database)))
    run_job(office, job_id)

    assert {"decode", "cut_tiles", "utilities", "plan_purchases", "put"} <= computed.keys()
    assert set(computed.values()) == {0}


def test_effect_is_stored_in_a_session_of_the_jobs_workspace(
    office: Office, job_id: UUID, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    store = making.store_plan

    def look_and_store(session: Session, *made: Any) -> Any:
        seen.append(session.scalar(text("SELECT current_setting('loupe.workspace')")))
        return store(session, *made)

    monkeypatch.setattr(making, "store_plan", look_and_store)
    run_job(office, job_id)
    assert seen == [str(workspace_id)]


def test_upload_waits_though_the_answer_to_the_commit_was_lost(
    client: TestClient, office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*args: Any) -> None:
        store_once(*args)
        raise OperationalError("COMMIT", None, ConnectionResetError())

    with monkeypatch.context() as lost:
        lost.setattr(answering, "store_once", lose)
        assert plan_later(client, "lost-answer").status_code == 503
    again = plan_later(client, "lost-answer")
    assert len(uploads(settings)) == 1  # the one of the repeat is gone
    run_job(office, UUID(again.json()["id"]))
    assert shown(client, UUID(again.json()["id"]))["status"] == "succeeded"
    assert uploads(settings) == []


def test_job_of_a_key_that_was_rotated_is_done(client: TestClient, office: Office, job_id: UUID) -> None:
    me = client.get("/v1/me").json()["key"]["id"]
    client.headers["Authorization"] = f"Bearer {client.post(f'/v1/keys/{me}/rotate').json()['key']}"
    run_job(office, job_id)
    assert (shown(client, job_id)["status"], shown(client, job_id)["by"]) == ("succeeded", me)
