"""The queue: one transaction with the job's row, turns of workspaces, and who sees which jobs."""

import os
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import MIGRATIONS, Database
from service.jobs import repository
from service.jobs.uploads import drop_forgotten
from service.settings import Settings
from tests.support.databases import rows
from tests.support.jobs import app_of, ended, plan_later
from tests.support.ordering import publish_prices

TURNS = "procrastinate.procrastinate_jobs"


@pytest.fixture
def stranger(database: Database) -> dict[str, str]:
    """Return headers with a key of another workspace."""
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "stranger"), "theirs")
    return {"Authorization": f"Bearer {key}"}


def test_job_and_its_turn_are_stored_together_or_not_at_all(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_prices(client)

    def fail(*_args: object) -> None:
        raise repository.TooManyJobsError("A failure after the turn was taken.")

    with monkeypatch.context() as patch:
        patch.setattr("service.jobs.answering.JobOut.of", fail)
        assert plan_later(client).status_code == 429
    assert (rows(database, "job"), rows(database, TURNS)) == (0, 0)

    plan_later(client)
    assert (rows(database, "job"), rows(database, TURNS)) == (1, 1)


def test_turn_is_removed_when_its_job_has_ended(settings: Settings, database: Database) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        ended(client, plan_later(client))
    assert (rows(database, "job"), rows(database, TURNS)) == (1, 0)


def test_workspaces_take_turns(client: TestClient, database: Database, stranger: dict[str, str]) -> None:
    publish_prices(client)
    mine = [plan_later(client).json()["id"] for _ in range(3)]
    client.headers.update(stranger)
    publish_prices(client)
    theirs = [plan_later(client).json()["id"] for _ in range(2)]

    take = text("SELECT (procrastinate.procrastinate_fetch_job_v2(NULL, NULL)).args ->> 'job'")
    with database.sessions.begin() as session:
        turns = [session.execute(take).scalar_one() for _ in range(5)]
    assert turns == [mine[0], theirs[0], mine[1], theirs[1], mine[2]]


def test_workspace_has_a_limited_number_of_unfinished_jobs(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "UNFINISHED_AT_ONCE", 2)
    publish_prices(client)
    first = plan_later(client)
    plan_later(client)
    refused = plan_later(client)
    client.post(f"{first.headers['Location']}/cancel")

    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-jobs")
    assert (refused.json()["unfinished"], refused.json()["limit"]) == (2, 2)
    assert plan_later(client).status_code == 202
    assert len(list((settings.blobs / "jobs").glob("*-*"))) == 2


def test_jobs_are_seen_in_their_workspace_only(client: TestClient, stranger: dict[str, str]) -> None:
    publish_prices(client)
    answer = plan_later(client)
    place = answer.headers["Location"]

    assert client.get("/v1/jobs", headers=stranger).json()["items"] == []
    assert client.get(place, headers=stranger).status_code == 404
    assert client.post(f"{place}/cancel", headers=stranger).status_code == 404
    assert client.get(place).json()["status"] == "queued"


def test_jobs_are_listed_newest_first_and_by_status(client: TestClient) -> None:
    publish_prices(client)
    jobs = [plan_later(client) for _ in range(3)]
    client.post(f"{jobs[1].headers['Location']}/cancel")
    ids = [job.json()["id"] for job in jobs]

    page = client.get("/v1/jobs", params={"limit": 2}).json()
    onward = client.get(page["links"][1]["href"]).json()
    assert [job["id"] for job in page["items"] + onward["items"]] == ids[::-1]
    queued = client.get("/v1/jobs", params={"status": "queued"}).json()["items"]
    assert [job["id"] for job in queued] == [ids[2], ids[0]]


def test_frozen_schema_is_that_of_the_library() -> None:
    """A new version of procrastinate needs its own migrations first; then this names their files."""
    frozen = (MIGRATIONS / "versions" / "2026-11-29-1910_queue.sql").read_text()
    shipped = SchemaManager.get_schema().partition("-- Enums")[2]

    assert shipped.strip() in frozen


def test_unknown_job_is_not_found(client: TestClient) -> None:
    assert client.get(f"/v1/jobs/{uuid4()}").status_code == 404
    assert client.post(f"/v1/jobs/{uuid4()}/cancel").status_code == 404


def test_forgotten_uploads_are_deleted_and_waiting_ones_are_kept(
    client: TestClient, settings: Settings, database: Database
) -> None:
    """A process that is killed between the upload and its job, or after the job's end, leaves a file."""
    publish_prices(client)
    waiting = plan_later(client).json()["id"]
    folder = settings.blobs / "jobs"
    cancelled = plan_later(client).json()["id"]
    client.post(f"/v1/jobs/{cancelled}/cancel").raise_for_status()
    never_queued, recent, in_part = str(uuid4()), str(uuid4()), ".new-abcd1234"
    for name in (cancelled, never_queued, recent, in_part):
        (folder / name).write_bytes(b"left behind")
    for name in (waiting, cancelled, never_queued, in_part):
        os.utime(folder / name, (0, 0))
    drop_forgotten(database, settings.blobs)

    assert {path.name for path in folder.iterdir()} == {waiting, recent}
