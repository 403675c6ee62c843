"""The view of operations: jobs, requests, room and keys, and who may see figures of the whole server."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace, first_workspace
from service.access.roles import Role
from service.database.engine import Database
from service.pricing.repository import ensure_examples
from service.settings import Settings
from tests.support.dashboard import sign_in, words_of
from tests.support.databases import KEY
from tests.support.jobs import app_of, ended, job_of, plan_later
from tests.support.operations import NOBODY
from tests.support.ordering import plan_scene, publish_prices

OPERATIONS = "/dashboard/operations"
OF_SERVER = ("requests", "refusals")


@pytest.fixture
def strangers(database: Database) -> dict[Role, str]:
    """Add a second workspace, and return keys of it by their roles."""
    with database.sessions.begin() as session:
        other = create_workspace(session, "other")
        ensure_examples(session, other.id)
        return {role: create_key(session, other, f"their {role}", role) for role in Role}


def key_of(database: Database, role: Role) -> str:
    with database.sessions.begin() as session:
        return create_key(session, first_workspace(session), "own", role)


def rows_of(browser: TestClient, listed: str) -> list[dict[str, str]]:
    answer = browser.get(f"{OPERATIONS}/{listed}.csv")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def working(settings: Settings) -> Iterator[TestClient]:
    """Run an application whose worker does jobs, signed in."""
    with app_of(settings) as client:
        publish_prices(client)
        client.follow_redirects = False
        sign_in(client)
        yield client


def test_jobs_lead_to_their_results_and_to_their_reasons(working: TestClient) -> None:
    made, broken = plan_later(working), plan_later(working, scene=b"II*\0no raster")
    assert ended(working, made)["status"] == "succeeded"
    failed = ended(working, broken)
    assert failed["status"] == "failed"
    page = working.get(OPERATIONS).text
    assert f'<a href="/dashboard/plans/{job_of(working, made)["result"]["plan"]}">The plan</a>' in page
    assert failed["problem"]["title"] in words_of(page)
    assert "Succeeded: 1" in words_of(page)
    only = working.get(f"{OPERATIONS}?status=failed").text
    assert failed["id"] in only
    assert job_of(working, made)["id"] not in only
    assert "No job has this status." in working.get(f"{OPERATIONS}?status=running").text
    by_status = {row["status"]: row for row in rows_of(working, "jobs")}
    assert set(by_status) == {"succeeded", "failed"}
    assert by_status["failed"]["problem"] == failed["problem"]["type"].rpartition("/")[2]


def test_jobs_and_room_of_another_workspace_are_not_shown(
    working: TestClient, strangers: dict[Role, str]
) -> None:
    job = ended(working, plan_later(working))["id"]
    working.cookies.clear()
    sign_in(working, strangers[Role.ADMIN])
    page = working.get(OPERATIONS).text
    assert job not in page
    assert "There is no job yet." in page
    assert rows_of(working, "jobs") == []
    assert [row["workspace"] for row in rows_of(working, "room")] == ["other"]


def test_operator_sees_requests_refusals_and_room_of_all_workspaces(
    client: TestClient, browser: TestClient, strangers: dict[Role, str]
) -> None:
    publish_prices(client)
    plan_scene(client)
    theirs = {"Authorization": f"Bearer {strangers[Role.ADMIN]}"}
    assert client.get(f"/v1/plans/{NOBODY}", headers=theirs).status_code == 404
    before = {row["code"]: int(row["answers"]) for row in _refusals(browser)}
    assert client.get(f"/v1/plans/{NOBODY}", headers=theirs).status_code == 404
    after = {row["code"]: int(row["answers"]) for row in _refusals(browser)}
    assert after["not-found"] == before["not-found"] + 1
    times = {(row["method"], row["route"]): row for row in rows_of(browser, "requests")}
    plans = times["GET", "/v1/plans/{plan_id}"]
    assert int(plans["refused"]) >= 2
    assert float(plans["mean_seconds"]) > 0
    room = {row["workspace"]: row for row in rows_of(browser, "room")}
    assert (set(room), int(room["default"]["plans"]), int(room["other"]["plans"])) == (
        {"default", "other"},
        1,
        0,
    )
    assert int(room["default"]["stored_bytes"]) > 0
    page = words_of(browser.get(OPERATIONS).text)
    assert "All workspaces, since this process started" in page
    assert "Schema of the database" in page


def test_visitors_led_to_the_sign_in_form_are_not_counted_as_refused(browser: TestClient) -> None:
    def counted() -> int:
        return {row["code"]: int(row["answers"]) for row in _refusals(browser)}.get("unauthenticated", 0)

    before = counted()
    browser.cookies.clear()
    assert browser.get(OPERATIONS, follow_redirects=False).status_code == 303
    assert counted() == before
    browser.cookies.clear()
    assert browser.get(OPERATIONS, headers={"Accept": "application/json"}).status_code == 401
    assert counted() == before + 1


def _refusals(browser: TestClient) -> list[dict[str, str]]:
    browser.cookies.clear()
    sign_in(browser, KEY)
    return rows_of(browser, "refusals")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.FINANCE, Role.VIEWER])
def test_figures_of_the_server_are_hidden_from_other_keys_where_it_has_two_workspaces(
    browser: TestClient, database: Database, strangers: dict[Role, str], role: Role
) -> None:
    for key in (key_of(database, role), strangers[role]):
        browser.cookies.clear()
        sign_in(browser, key)
        page = browser.get(OPERATIONS)
        assert page.status_code == 200
        assert 'id="requests"' not in page.text
        assert [browser.get(f"{OPERATIONS}/{one}.csv").status_code for one in OF_SERVER] == [404, 404]
        assert len(rows_of(browser, "room")) == 1


@pytest.mark.parametrize(("role", "sees"), [(Role.ADMIN, True), (Role.VIEWER, False), (Role.BUYER, False)])
def test_admins_of_the_only_workspace_see_the_figures_of_the_server(
    browser: TestClient, database: Database, role: Role, sees: bool
) -> None:
    sign_in(browser, key_of(database, role))
    assert ('id="requests"' in browser.get(OPERATIONS).text) == sees


def test_keys_show_their_calls_and_admins_see_all_of_them(browser: TestClient, database: Database) -> None:
    reader = key_of(database, Role.VIEWER)
    sign_in(browser, reader)
    (own,) = rows_of(browser, "keys")
    assert (own["name"], own["role"], own["state"]) == ("own", "viewer", "in use")
    (again,) = rows_of(browser, "keys")
    assert int(again["calls_since_start"]) == int(own["calls_since_start"]) + 1
    assert again["last_used_at"] > own["last_used_at"]
    assert "Only your own key is shown" in words_of(browser.get(OPERATIONS).text)
    browser.cookies.clear()
    sign_in(browser)
    names: list[Any] = [row["name"] for row in rows_of(browser, "keys")]
    assert sorted(names) == ["operator", "own"]
