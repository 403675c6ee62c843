"""Replanning: kept and changed options, and the superseded plan that can no longer be ordered."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.bundles.classifying import ClassifyPredictor
from service.database.engine import Database
from service.plans.audit import audit_plans
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import rows
from tests.support.planning import TIFF, app_with, bought

pytestmark = pytest.mark.usefixtures("spread_utilities")

PRICES = {
    "name": "acme",
    "provider": "Acme",
    "product": "archive",
    "gsd_m": "0.5",
    "currency": "USD",
    "price_per_km2": "10000",
}


@pytest.fixture
def plan(client: TestClient) -> dict[str, Any]:
    """Plan with a workspace's own prices, buying at most three patches."""
    assert client.post("/v1/price-lists", json=PRICES).status_code == 201
    answer = client.post(
        "/v1/plans?price_list=acme&max_patches=3",
        content=make_geotiff(),
        headers=TIFF,
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def again(client: TestClient, plan: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/plans/{plan['id']}/replan", json=wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_replan_keeps_the_objective_under_new_prices(client: TestClient, plan: dict[str, Any]) -> None:
    assert client.post("/v1/price-lists", json=PRICES | {"price_per_km2": "20000"}).status_code == 201
    new = again(client, plan)
    assert new["supersedes"] == plan["id"]
    assert new["objective"] == plan["objective"]
    assert new["provenance"]["price_list"]["version"] == 2
    assert new["provenance"]["bundle"] == plan["provenance"]["bundle"]
    assert bought(new) == bought(plan)
    assert new["changes"]["cost_before"] == plan["cost"]
    assert new["changes"]["cost_now"] == new["cost"] != plan["cost"]
    counts = {name: new["changes"][name] for name in ("added", "dropped", "kept")}
    assert counts == {"added": 0, "dropped": 0, "kept": 3}


def test_replan_lists_added_and_dropped_patches(client: TestClient, plan: dict[str, Any]) -> None:
    more = again(client, plan, max_patches=5)
    fewer = again(client, more, max_patches=1)
    added = {(place["tile"], place["patch"]) for place in more["changes"]["added_patches"]}
    dropped = {(place["tile"], place["patch"]) for place in fewer["changes"]["dropped_patches"]}
    assert (more["changes"]["added"], more["changes"]["kept"]) == (2, 3)
    assert added == bought(more) - bought(plan)
    assert dropped == bought(more) - bought(fewer)
    assert fewer["supersedes"] == more["id"]


def test_replan_keeps_utilities_without_running_the_networks(
    client: TestClient, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the networks were asked again")

    monkeypatch.setattr(ClassifyPredictor, "utilities", refuse)
    new = again(client, plan, **{"lambda": 0.001})
    assert [tile["utilities"] for tile in new["tiles"]] == [tile["utilities"] for tile in plan["tiles"]]


def test_superseded_plan_stays_readable_and_cannot_be_ordered(
    client: TestClient, plan: dict[str, Any]
) -> None:
    new = again(client, plan, max_patches=2)
    assert client.get(f"/v1/plans/{plan['id']}").json() == plan
    assert client.get(f"/v1/plans/{new['id']}").json() == {
        name: value for name, value in new.items() if name != "changes"
    }
    client.post("/v1/budgets", json={"name": "b", "limit": {"amount": "500", "currency": "USD"}})
    refused = order(client, plan["id"])
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/plan-superseded")
    assert refused.json()["superseded_by"] == new["id"]
    assert order(client, new["id"]).status_code == 201


def order(client: TestClient, plan_id: str) -> Any:
    return client.post("/v1/orders", json={"plan": plan_id}, headers={"Idempotency-Key": f'"{uuid4()}"'})


def test_plan_expires_after_quote_days_or_with_its_price_list(
    client: TestClient, plan: dict[str, Any], settings: Settings
) -> None:
    made, ends = (datetime.fromisoformat(plan[name]) for name in ("created_at", "expires_at"))
    assert abs(ends - made - timedelta(days=settings.quote_days)) < timedelta(minutes=1)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    client.post("/v1/price-lists", json=PRICES | {"valid_to": tomorrow.isoformat()})
    shorter = again(client, plan)
    assert datetime.fromisoformat(shorter["expires_at"]) == datetime.combine(
        tomorrow + timedelta(days=1), time(), UTC
    )


def test_expired_plan_is_not_ordered_and_its_replan_is(
    client: TestClient, plan: dict[str, Any], database: Database
) -> None:
    client.post("/v1/budgets", json={"name": "b", "limit": {"amount": "500", "currency": "USD"}})
    with (
        database.sessions.begin() as session
    ):  # a plan never changes, so this simulates that a month has passed
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE plan SET expires_at = now()"))
    refused = order(client, plan["id"])
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/quote-expired")
    assert f"/v1/plans/{plan['id']}/replan" in refused.json()["detail"]
    assert order(client, again(client, plan)["id"]).status_code == 201


def test_order_and_replan_take_turns(client: TestClient, plan: dict[str, Any]) -> None:
    """Check that an order beside a replan is refused, or was placed before the replan: no other outcome."""
    client.post("/v1/budgets", json={"name": "b", "limit": {"amount": "50000", "currency": "USD"}})
    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            placed = pool.submit(order, client, plan["id"])
            new = pool.submit(again, client, plan, max_patches=3).result()
        if placed.result().status_code == 201:
            placed_at = placed.result().json()["created_at"]
            assert placed_at <= new["created_at"]
            cancelled = client.post(f"/v1/orders/{placed.result().json()['id']}/cancel")
            assert cancelled.status_code == 200
            new = again(client, new, max_patches=3)  # the one before may reuse the cancelled order's ground
        else:
            assert placed.result().json()["type"] == "/problems/plan-superseded"
        plan = new


def test_replan_is_made_once_per_idempotency_key(
    client: TestClient, plan: dict[str, Any], database: Database
) -> None:
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    path = f"/v1/plans/{plan['id']}/replan"
    answers = [client.post(path, json={"max_patches": 2}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    other = client.post(path, json={"max_patches": 1}, headers=headers)
    assert other.status_code == 422
    assert rows(database, "plan") == 2
    with database.sessions() as session:
        assert list(audit_plans(session)) == []


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"price_list": "nobody"}, 422, "price-list-unknown"),
        ({"price_list": "a\0b"}, 422, "invalid-request"),
        ({"max_cost": "1", "max_patches": 2}, 422, "objective-unclear"),
        ({"target_accuracy": 0.9}, 422, "accuracy-unreachable"),
        ({"bands": "1,2,3"}, 422, "invalid-request"),
    ],
)
def test_refused_replan_is_a_problem_and_leaves_nothing(
    client: TestClient,
    database: Database,
    plan: dict[str, Any],
    wanted: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = client.post(f"/v1/plans/{plan['id']}/replan", json=wanted)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert rows(database, "plan") == 1


def test_replan_refuses_a_money_limit_in_another_currency(client: TestClient, plan: dict[str, Any]) -> None:
    client.post("/v1/price-lists", json=PRICES | {"name": "euro", "currency": "EUR"})
    limited = again(client, plan, max_cost="40.00")
    answer = client.post(f"/v1/plans/{limited['id']}/replan", json={"price_list": "euro"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/objective-unclear")
    assert again(client, limited, price_list="euro", max_cost="40.00")["cost"]["currency"] == "EUR"


def test_replan_of_an_unknown_plan_is_not_found(client: TestClient) -> None:
    assert client.post(f"/v1/plans/{uuid4()}/replan", json={}).status_code == 404


def test_replan_under_another_bundle_works_unless_it_needs_the_evaluation(
    plan: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    with app_with(tmp_path / "newer", settings, version="2") as newer:
        refused = newer.post(f"/v1/plans/{plan['id']}/replan", json={"objective": "policy"})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/bundle-changed")
        assert again(newer, plan, max_patches=2)["provenance"]["bundle"] == plan["provenance"]["bundle"]
