"""The kept counts of a workspace's plans and scenes equal a complete count."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.plans import stored
from service.plans.stored import _ADDED, PlanCounts, StoredPlans, count_plans
from tests.support.bundles import make_geotiff
from tests.support.ordering import TIFF, publish_prices
from tests.support.planner import plan_for_many_rows

QUERY = {"price_list": "acme", "max_patches": "1"}


def plan_new(client: TestClient, place: int) -> str:
    """Plan the scene of a place; return the plan's id."""
    scene = make_geotiff(west=500_000.0 + 10_000 * place)
    answer = client.post("/v1/plans", content=scene, headers=TIFF, params=QUERY)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("at_once", [10_000, 1], ids=["at once", "one by one"])
def test_counts_keep_up_with_plans_replans_and_deletions(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(stored, "AT_ONCE", at_once)
    counts = PlanCounts()

    def kept() -> StoredPlans:
        with database.sessions() as session:
            found = counts.read(session, workspace_id)
            assert found == count_plans(session, workspace_id)
        return found

    publish_prices(client)
    assert kept().plans == 0
    first = plan_new(client, 1)
    one = kept()
    assert (one.plans, one.pictured) == (1, one.tiles)
    client.post(f"/v1/plans/{first}/replan", json={"max_patches": 2})
    second = plan_new(client, 2)
    three = kept()
    assert (three.plans, three.tiles, three.pictured) == (3, 3 * one.tiles, 2 * one.tiles)
    assert client.delete(f"/v1/plans/{first}/pixels").status_code == 200
    deleted = kept()
    assert (deleted.plans, deleted.pictured) == (3, one.tiles)
    assert deleted.scene_bytes < three.scene_bytes
    assert plan_new(client, 1) != first
    assert client.delete(f"/v1/plans/{second}/pixels").status_code == 200
    assert (kept().plans, kept().pictured) == (4, one.tiles)


def test_counts_of_another_history_are_given_up(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    publish_prices(client)
    plan_new(client, 1)
    counts = PlanCounts()
    with database.sessions() as session:
        true = counts.read(session, workspace_id)
        counts._known[workspace_id] = StoredPlans(**{**vars(true), "hash": b"another", "plans": 7})
        assert counts.read(session, workspace_id) == true


def test_added_plans_are_found_in_indexes_by_the_role_that_serves(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    publish_prices(client)
    plan_new(client, 1)
    with database.sessions() as session:
        now = count_plans(session, workspace_id)
    values = {"workspace": workspace_id, "seq": now.seq, "deleted_at": now.deleted_at, "most": 10}
    plan = plan_for_many_rows(database, _ADDED.text, values)

    assert not any("Seq Scan" in line for line in plan), plan
    for index in ("ix_scene_pixels_deleted", "ix_plan_scene_id", "pk_plan", "pk_scene", "evidence"):
        assert any("Index" in line and index in line for line in plan), (index, plan)
