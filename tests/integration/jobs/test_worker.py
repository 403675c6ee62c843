"""The worker beside the server: restarts, dead colleagues, and its end."""

import threading
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.jobs import worker
from service.plans import making
from service.settings import Settings
from tests.support.jobs import app_of, ended, job_of, plan_later, plans
from tests.support.ordering import publish_prices
from tests.support.waiting import eventually


def test_worker_goes_on_when_the_database_has_dropped_its_connections(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RESTART_S", 0.1)
    drop = text("""
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """)
    with app_of(settings) as client:
        publish_prices(client)
        first = ended(client, plan_later(client))
        with database.sessions.begin() as session:
            session.execute(drop)
        second = ended(client, plan_later(client))
    assert (first["status"], second["status"]) == ("succeeded", "succeeded")


@pytest.mark.parametrize("heartbeat", ["-1 hour", "6 hours"], ids=["long ago", "by a clock that was ahead"])
def test_job_of_a_dead_worker_is_taken_again(settings: Settings, database: Database, heartbeat: str) -> None:
    with app_of(settings, worker=False) as client:
        publish_prices(client)
        answer = plan_later(client)
    with database.sessions.begin() as session:  # as kill -9 during the first attempt leaves it
        dead = session.execute(
            text("""INSERT INTO procrastinate.procrastinate_workers (last_heartbeat)
                VALUES (now() + CAST(:heartbeat AS interval)) RETURNING id"""),
            {"heartbeat": heartbeat},
        ).scalar_one()
        session.execute(
            text("SELECT procrastinate.procrastinate_fetch_job_v2(NULL, :worker)"), {"worker": dead}
        )
        session.execute(text("UPDATE job SET status = 'running', attempts = 1, started_at = now()"))
    with app_of(settings) as client:
        job = ended(client, answer)

        assert (job["status"], job["attempts"]) == ("succeeded", 2)
        assert plans(client) == [job["result"]["plan"]]


def test_turn_that_a_clock_put_off_by_hours_comes_now(settings: Settings, database: Database) -> None:
    with app_of(settings, worker=False) as client:
        publish_prices(client)
        answer = plan_later(client)
    with database.sessions.begin() as session:
        session.execute(
            text("UPDATE procrastinate.procrastinate_jobs SET scheduled_at = now() + interval '6 hours'")
        )
    with app_of(settings) as client:
        assert ended(client, answer)["status"] == "succeeded"


def test_worker_that_ends_leaves_its_job_to_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciding, decide = threading.Event(), making.decide_plan

    def slow(*args: Any) -> Any:
        deciding.set()
        eventually(running[0].app_state["draining"].is_set)
        return decide(*args)

    running: list[TestClient] = []
    with monkeypatch.context() as patch:
        patch.setattr(making, "decide_plan", slow)
        with app_of(settings) as client:
            running.append(client)
            publish_prices(client)
            answer = plan_later(client)
            assert deciding.wait(60)
    with app_of(settings) as client:
        job = ended(client, answer)

        assert (job["status"], job["attempts"]) == ("succeeded", 1)
        assert plans(client) == [job["result"]["plan"]]


def test_jobs_are_shown_while_they_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, decide = threading.Event(), making.decide_plan

    def slow(*args: Any) -> Any:
        assert go_on.wait(60)
        return decide(*args)

    monkeypatch.setattr(making, "decide_plan", slow)
    with app_of(settings) as client:
        publish_prices(client)
        answer = plan_later(client)
        eventually(lambda: job_of(client, answer)["status"] == "running")
        eventually(lambda: job_of(client, answer)["progress"].get("tiles") == 6)
        during = job_of(client, answer)
        go_on.set()
        after = ended(client, answer)

    assert (during["progress"]["tiles_done"], during["progress"]["share"]) == (6, 1.0)
    assert UUID(after["result"]["plan"])
    assert [link["rel"] for link in during["links"]] == ["self", "cancel"]
    assert [link["rel"] for link in after["links"]] == ["self", "result"]
