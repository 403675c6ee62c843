"""Stored plans: provenance, immutability, idempotency, and visibility only in their workspace."""

from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from service.access.repository import create_key, create_workspace
from service.blobs import get
from service.database.engine import Database
from service.plans.repository import keep_scenes
from service.plans.tables import Scene
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import rows
from tests.support.planning import TIFF, bought, plan, send

pytestmark = pytest.mark.usefixtures("spread_utilities")


def test_plan_provenance_names_bundle_prices_input_and_code(client: TestClient, own_blobs: Path) -> None:
    made = plan(client)
    bundle = client.get("/v1/bundles").json()["items"][0]
    prices = {item["name"]: item for item in client.get("/v1/price-lists").json()["items"]}[
        "example-no-minimum"
    ]
    assert made["provenance"] == {
        "bundle": {key: bundle[key] for key in ("name", "version", "sha256")},
        "price_list": {key: prices[key] for key in ("id", "name", "version", "example")},
        "input_sha256": made["scene"]["sha256"],
        "code_version": made["provenance"]["code_version"],
    }
    sha256 = made["scene"]["sha256"]
    assert get(own_blobs, sha256) == make_geotiff()


def test_get_plan_returns_the_plan_as_it_was_made(client: TestClient) -> None:
    answer = send(client)
    assert client.get(answer.headers["Location"]).json() == answer.json()


def test_plan_of_a_known_scene_reuses_scene_and_blob(
    client: TestClient, database: Database, settings: Settings
) -> None:
    first, second = plan(client), plan(client)
    assert first["id"] != second["id"]
    assert bought(first) == bought(second)
    assert (rows(database, "plan"), rows(database, "scene")) == (2, 1)
    assert (
        len([path for path in settings.blobs.rglob("*") if path.is_file()]) == 2
    )  # the scene and its LR pixels


def test_plan_with_another_reading_adds_a_scene(client: TestClient, database: Database) -> None:
    plan(client)
    assert plan(client, bands="3,2,1")["scene"]["bands"] == [3, 2, 1]
    assert (rows(database, "plan"), rows(database, "scene")) == (2, 2)


def test_keep_scenes_stores_each_content_once(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    plan(client)
    with database.sessions.begin() as session:
        stored = session.scalars(select(Scene)).one()
        grid = {**stored.reading["grid"], "transform": [-0.0, *stored.reading["grid"]["transform"][1:]]}
        readings = [stored.reading, {**stored.reading, "grid": grid}, {**stored.reading, "grid": grid}]
        given = [Scene(sha256=stored.sha256, size=stored.size, reading=reading) for reading in readings]
        kept = keep_scenes(session, workspace_id, given)
        again = Scene(sha256=stored.sha256, size=stored.size, reading=readings[1])

        assert kept == [stored, given[1], given[1]]
        assert keep_scenes(session, workspace_id, [again]) == [given[1]]
    assert rows(database, "scene") == 2


def test_database_refuses_to_change_a_plan(client: TestClient, database: Database) -> None:
    plan(client)
    for statement in ("UPDATE plan SET cost_minor = 0", "DELETE FROM plan", "TRUNCATE plan CASCADE"):
        with pytest.raises(DBAPIError), database.sessions.begin() as session:
            session.execute(text(statement))


def test_list_plans_pages_newest_first_without_tiles(client: TestClient) -> None:
    made = [plan(client, max_patches=count)["id"] for count in range(3)]
    first = client.get("/v1/plans?limit=2").json()
    onward = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = client.get(onward).json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert "tiles" not in first["items"][0]
    assert [link["rel"] for link in second["links"]] == ["self"]


def test_plans_are_hidden_from_other_workspaces(client: TestClient, database: Database) -> None:
    made = plan(client)
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "other"), "test")
    headers = {"Authorization": f"Bearer {key}"}
    for view in ("", "/patches", "/shapes", "/curve", "/preview.png"):
        assert client.get(f"/v1/plans/{made['id']}{view}", headers=headers).status_code == 404
    assert client.get("/v1/plans", headers=headers).json()["items"] == []


def test_plan_is_made_once_per_idempotency_key(client: TestClient, database: Database) -> None:
    headers = TIFF | {"Idempotency-Key": "one-and-the-same"}
    first, again = (client.post("/v1/plans", content=make_geotiff(), headers=headers) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert rows(database, "plan") == 1
    other = client.post("/v1/plans?max_patches=1", content=make_geotiff(), headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
