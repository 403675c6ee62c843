"""Retention: pixels beyond the days of their workspace are deleted, and those still needed are not."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.app import create_app
from service.database.engine import Database
from service.retention.policy import apply_retention
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.ordering import buy, code, open_budget, place, plan_scene, publish_prices
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("spread_utilities")


def make_older(database: Database, days: int) -> None:
    """Move plans and delivered files into the past; a superuser's trick, for no test can wait."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("plan", "delivered_file", "delivered_part"):
            session.execute(text(f"UPDATE {table} SET created_at = created_at - interval '{days} days'"))


def keep(client: TestClient, scene_days: int | None, delivery_days: int | None) -> Any:
    days = {"scene_days": scene_days, "delivery_days": delivery_days}
    return client.put("/v1/retention", json=days)


def events(client: TestClient, kind: str) -> list[Any]:
    return [
        (event.get("key"), event["detail"])
        for event in client.get("/v1/audit", params={"kind": kind}).json()["items"]
    ]


def test_retention_is_off_until_it_is_set(client: TestClient, database: Database, settings: Settings) -> None:
    publish_prices(client)
    plan_scene(client)
    make_older(database, 9_999)

    assert client.get("/v1/retention").json() == {"scene_days": None, "delivery_days": None}
    assert apply_retention(database, settings.blobs) == 0


def test_older_pixels_are_deleted_and_newer_ones_are_not(
    client: TestClient, database: Database, settings: Settings
) -> None:
    publish_prices(client)
    open_budget(client)
    plan = plan_scene(client)
    order = buy(client, plan)
    assert keep(client, 30, 60).status_code == 200
    make_older(database, 31)

    assert apply_retention(database, settings.blobs) == 1
    assert code(client.get(f"/v1/plans/{plan.id}/scene.tif")) == (410, "pixels-deleted")
    assert "by the workspace's retention" in client.get(f"/v1/plans/{plan.id}/scene.tif").json()["detail"]
    tile, patch = plan.bought[0]
    file = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    assert client.get(file).status_code == 200
    make_older(database, 30)
    assert apply_retention(database, settings.blobs) == 1
    assert code(client.get(file)) == (410, "pixels-deleted")
    assert apply_retention(database, settings.blobs) == 0
    assert [(key, detail["by"]) for key, detail in events(client, "pixels-deleted")] == [
        (None, "retention"), (None, "retention"),
    ]  # fmt: skip


def test_scene_that_was_planned_again_or_has_an_open_order_is_kept(
    client: TestClient, database: Database, settings: Settings
) -> None:
    publish_prices(client)
    open_budget(client)
    keep(client, 30, 30)
    order = place(client, plan_scene(client)).json()["id"]
    make_older(database, 31)

    assert apply_retention(database, settings.blobs) == 0
    client.post(f"/v1/orders/{order}/cancel")
    again = plan_scene(client)
    assert apply_retention(database, settings.blobs) == 0
    make_older(database, 31)
    assert apply_retention(database, settings.blobs) == 1
    assert code(client.get(f"/v1/plans/{again.id}/scene.tif")) == (410, "pixels-deleted")


def test_each_change_of_the_retention_is_in_the_audit_log(client: TestClient) -> None:
    for _ in range(2):
        keep(client, 30, None)

    assert [detail for _, detail in events(client, "retention-set")] == [
        {"scene_days": "30", "delivery_days": "unlimited"}
    ]


@pytest.mark.parametrize("days", [0, -1, 36_501, 1.5, "soon"])
def test_impossible_days_are_refused(client: TestClient, days: object) -> None:
    answer = client.put("/v1/retention", json={"scene_days": days, "delivery_days": None})

    assert answer.status_code == 422
    assert client.get("/v1/retention").json()["scene_days"] is None


def test_server_applies_the_retention_by_itself(
    client: TestClient, database: Database, settings: Settings
) -> None:
    publish_prices(client)
    plan = plan_scene(client)
    keep(client, 1, None)
    make_older(database, 2)
    often = settings.model_copy(update={"sweep_seconds": 0.05})
    with TestClient(create_app(often), headers={"Authorization": f"Bearer {KEY}"}) as server:
        eventually(lambda: server.get(f"/v1/plans/{plan.id}/scene.tif").status_code == 410)
