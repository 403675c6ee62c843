"""Deleted pixels: the files are gone, what needs them says so, and every row and proof stays."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.access.keys import id_of
from service.database.engine import Database, connect
from service.ledger.evidence_audit import audit_evidence
from service.ledger.files_audit import audit_files
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.jobs import plan_later
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    buy,
    code,
    deliver,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    send_file,
)
from tests.support.orders import Planned, make_patch

pytestmark = pytest.mark.usefixtures("spread_utilities")


@pytest.fixture
def planned(client: TestClient) -> Planned:
    """Plan a scene, and open a budget to order it."""
    publish_prices(client)
    open_budget(client, "1000.00")
    return plan_scene(client)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def findings(database: Database, settings: Settings) -> list[Any]:
    with database.sessions() as session:
        return [*audit_evidence(session), *audit_files(session, settings.blobs)]


def deletions(client: TestClient) -> list[Any]:
    return [
        (event["key"], event["subject"].split()[0], event["address"])
        for event in client.get("/v1/audit", params={"kind": "pixels-deleted"}).json()["items"]
    ]


def delete(client: TestClient, kind: str, identity: object) -> Any:
    return client.delete(f"/v1/{kind}/{identity}/pixels")


def test_scene_without_pixels_keeps_its_plan_and_answers_gone(
    client: TestClient, planned: Planned, own_blobs: Path, database: Database, settings: Settings
) -> None:
    plan = client.get(f"/v1/plans/{planned.id}").json()
    stored = files(own_blobs)
    deleted = delete(client, "plans", planned.id)

    assert deleted.status_code == 200, deleted.text
    assert set(deleted.json()["files"]) == stored
    assert deleted.json()["deleted_by"] == id_of(KEY)
    assert deleted.json()["freed_bytes"] > 0
    assert files(own_blobs) == set()
    gone = [client.get(f"/v1/plans/{planned.id}/{view}") for view in ("scene.tif", "preview.png")]
    gone.append(place(client, planned))
    assert [code(answer) for answer in gone] == [(410, "pixels-deleted")] * 3
    assert {answer.json()["deleted_at"] for answer in gone} == {gone[0].json()["deleted_at"]}
    assert client.get(f"/v1/plans/{planned.id}").json() == plan
    assert deletions(client) == [(id_of(KEY), "scene", "testclient")]
    assert findings(database, settings) == []


def test_deleting_twice_changes_nothing(client: TestClient, planned: Planned) -> None:
    first, again = (delete(client, "plans", planned.id).json() for _ in range(2))

    assert again == first | {"freed_bytes": 0}
    assert len(deletions(client)) == 1


def test_scene_that_is_sent_again_has_pixels(client: TestClient, planned: Planned) -> None:
    delete(client, "plans", planned.id)
    again = plan_scene(client)

    assert client.get(f"/v1/plans/{again.id}/scene.tif").status_code == 200
    assert code(client.get(f"/v1/plans/{planned.id}/scene.tif")) == (410, "pixels-deleted")
    assert place(client, again).status_code == 201


def test_scene_without_pixels_can_be_planned_again(client: TestClient, planned: Planned) -> None:
    delete(client, "plans", planned.id)
    again = client.post(f"/v1/plans/{planned.id}/replan", json={"max_patches": 2})

    assert again.status_code == 201, again.text
    assert again.json()["patches"]["bought"] == 2


def test_file_of_two_scenes_stays_until_both_are_deleted(
    client: TestClient, planned: Planned, own_blobs: Path
) -> None:
    other = plan_scene(client, bands="3,2,1")
    sha256 = client.get(f"/v1/plans/{other.id}").json()["scene"]["sha256"]

    delete(client, "plans", planned.id)
    assert sha256 in files(own_blobs)
    assert client.get(f"/v1/plans/{other.id}/scene.tif").status_code == 200
    delete(client, "plans", other.id)
    assert files(own_blobs) == set()


def test_open_order_keeps_its_scene_and_what_came(client: TestClient, planned: Planned) -> None:
    order = str(place(client, planned).json()["id"])
    deliver(client, order, *planned.bought[0])

    refused = [delete(client, "plans", planned.id), delete(client, "orders", order)]
    assert [code(answer) for answer in refused] == [(409, "pixels-needed")] * 2
    assert [answer.json()["orders"] for answer in refused] == [[order]] * 2
    client.post(f"/v1/orders/{order}/cancel")
    assert delete(client, "plans", planned.id).status_code == 200


def test_unfinished_job_keeps_the_scene_that_it_begins_with(client: TestClient, planned: Planned) -> None:
    job = client.post(f"/v1/plans/{planned.id}/replan", json={}, headers={"Prefer": "respond-async"})
    other = plan_later(client)

    refused = delete(client, "plans", planned.id)
    assert code(refused) == (409, "pixels-needed")
    assert refused.json()["jobs"] == [job.json()["id"]]
    client.post(f"{job.headers['Location']}/cancel")
    assert delete(client, "plans", planned.id).status_code == 200
    assert client.get(other.headers["Location"]).json()["status"] == "queued"


def test_order_without_pixels_keeps_payments_and_evidence(
    client: TestClient, planned: Planned, own_blobs: Path, database: Database, settings: Settings
) -> None:
    order = buy(client, planned)
    before, ledger = (client.get(path).json() for path in (f"/v1/orders/{order}", "/v1/ledger"))
    scene = set(files(own_blobs)) - {one["sha256"] for one in before["patches"]["delivered"]}
    deleted = delete(client, "orders", order)

    assert deleted.status_code == 200, deleted.text
    assert len(deleted.json()["files"]) == 3
    assert files(own_blobs) == scene
    tile, patch = planned.bought[0]
    gone = client.get(f"/v1/orders/{order}/tiles/{tile}/patches/{patch}")
    unlabelled = client.post(f"/v1/orders/{order}/classification", json={"allow_partial": True})
    assert [code(gone), code(unlabelled)] == [(410, "pixels-deleted")] * 2
    assert client.get(f"/v1/orders/{order}").json() == before
    assert client.get("/v1/ledger").json() == ledger
    assert findings(database, settings) == []
    assert deletions(client) == [(id_of(KEY), "order", "testclient")]
    assert delete(client, "orders", order).json() == deleted.json() | {"freed_bytes": 0}


def test_parts_at_seams_are_deleted_too(
    client: TestClient, planned: Planned, own_blobs: Path, database: Database, settings: Settings
) -> None:
    assert planned
    order = str(place(client, plan_scene(client, max_patches=96)).json()["id"])
    for half in (mosaic(0, 60), mosaic(60)):
        assert send_file(client, order, half).status_code == 201
    assert delete(client, "orders", order).status_code == 200

    with database.sessions() as session:
        for table in ("delivered_file", "delivered_part"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}"))
            assert session.scalar(text(f"SELECT count(*) FROM {table} WHERE pixels <> ''")) == 0
    assert len(files(own_blobs)) == 2  # the scene and its LR pixels
    assert findings(database, settings) == []


def test_new_file_is_used_after_a_deletion(client: TestClient, planned: Planned) -> None:
    order = buy(client, planned)
    delete(client, "orders", order)
    tile, patch = planned.bought[0]
    answer = deliver(client, order, tile, patch, make_patch(tile, patch, seed=8))

    assert answer.json()["version"] == 2
    assert client.get(f"/v1/orders/{order}/tiles/{tile}/patches/{patch}").status_code == 200
    assert delete(client, "orders", order).json()["freed_bytes"] > 0


def test_deleted_patches_are_not_reused(client: TestClient, planned: Planned) -> None:
    order = buy(client, planned)
    reused = client.get(f"/v1/plans/{plan_scene(client).id}").json()["reuse"]
    delete(client, "orders", order)
    bought = client.get(f"/v1/plans/{plan_scene(client).id}").json()["reuse"]

    assert reused["orders"][0]["order"] == order
    assert not (bought or {}).get("orders")


def test_order_without_deliveries_has_no_pixels(client: TestClient, planned: Planned) -> None:
    order = str(place(client, planned).json()["id"])
    client.post(f"/v1/orders/{order}/cancel")

    assert code(delete(client, "orders", order)) == (404, "not-found")


@pytest.mark.parametrize(
    "change",
    [
        "pixels = 'x', pixels_sha256 = NULL",
        "pixels = '', pixels_sha256 = sha256('forged')",
        "pixels = ''",
        "pixels = '', pixels_sha256 = sha256(pixels), size = 0",
    ],
)
def test_database_lets_nothing_but_pixels_go(
    client: TestClient, planned: Planned, database: Database, change: str
) -> None:
    buy(client, planned)
    with database.sessions() as session, pytest.raises(DBAPIError, match=r"append-only|pixels_or_digest"):
        session.execute(text(f"UPDATE delivered_file SET {change}"))


def test_serving_role_cannot_undo_a_deletion(
    client: TestClient, planned: Planned, serving_url: str, workspace_id: UUID
) -> None:
    delete(client, "plans", planned.id)
    served = connect(serving_url)
    undo = text("UPDATE scene SET pixels_deleted_at = NULL, pixels_deleted_by = NULL")
    with served.of(workspace_id).sessions() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(undo)
    served.engine.dispose()


@pytest.mark.parametrize("table", ["scene", '"order"'])
def test_audit_finds_a_mark_without_a_deletion(
    client: TestClient, planned: Planned, database: Database, settings: Settings, table: str
) -> None:
    """A mark would hide that a file is lost."""
    order = buy(client, planned)
    with database.sessions.begin() as session:
        scene = session.scalar(text("SELECT id FROM scene"))
        marked = {"key": id_of(KEY)}
        mark = f"UPDATE {table} SET pixels_deleted_at = now(), pixels_deleted_by = :key"
        session.execute(text(mark), marked)
    found = [(one.rule.split()[0], one.subject) for one in findings(database, settings)]

    assert found == [("F2", f"scene {scene}" if table == "scene" else f"order {order}")]
