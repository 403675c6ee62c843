"""Lists that can be asked: filters, days and order of plans, orders and movements of money."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from tests.support.ordering import buy, code, let_time_pass, open_budget, plan_scene, publish_prices

Json = dict[str, Any]


def listed(client: TestClient, path: str, **query: Any) -> list[str]:
    """Return the ids of a list's first page."""
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


@pytest.fixture
def bought(client: TestClient, database: Database) -> Json:
    """Store a completed, a processing and an overdue order, of two budgets and two providers."""
    publish_prices(client)
    publish_prices(client, "other", provider="Other")
    year, pilot = open_budget(client), open_budget(client, name="Pilot")
    plans = [
        plan_scene(client, max_patches=1),
        plan_scene(client, max_patches=2, reuse="none", price_list="other"),
        plan_scene(client, max_patches=3, reuse="none"),
    ]
    budgets, delivered = (year, pilot, pilot), (1, 1, 0)
    orders = [
        buy(client, plan, patches=patches, budget=budget)
        for plan, budget, patches in zip(plans, budgets, delivered, strict=True)
    ]
    let_time_pass(database, orders[2])
    return {"orders": orders, "plans": [str(plan.id) for plan in plans], "year": year, "pilot": pilot}


def test_orders_are_chosen_by_status_budget_provider_and_plan(client: TestClient, bought: Json) -> None:
    first, second, third = bought["orders"]
    path = "/v1/orders"

    assert listed(client, path, status="completed") == [first]
    assert listed(client, path, status=["completed", "expired"]) == [third, first]
    assert listed(client, path, status="processing", budget=bought["pilot"]) == [second]
    assert listed(client, path, budget=bought["year"]) == [first]
    assert listed(client, path, provider="Other") == [second]
    assert listed(client, path, plan=bought["plans"][2]) == [third]
    assert listed(client, path, budget=str(uuid4())) == []


def test_plans_are_chosen_by_prices_scene_bundle_and_task(client: TestClient, bought: Json) -> None:
    first, second, third = bought["plans"]
    scene = client.get(f"/v1/plans/{first}").json()["scene"]["sha256"]
    lists = {one["name"]: one["id"] for one in client.get("/v1/price-lists").json()["items"]}
    path = "/v1/plans"

    assert listed(client, path, provider="Other") == [second]
    assert listed(client, path, price_list="acme") == [third, first]
    assert listed(client, path, price_list=lists["other"]) == [second]
    assert listed(client, path, scene=scene, bundle="tiny", task="label") == [third, second, first]
    assert listed(client, path, bundle="another") == listed(client, path, task="count") == []


def test_superseded_plans_can_be_left_out(client: TestClient) -> None:
    publish_prices(client)
    old = plan_scene(client, max_patches=1)
    new = client.post(f"/v1/plans/{old.id}/replan", json={"max_patches": 2}).json()["id"]

    assert listed(client, "/v1/plans", superseded=True) == [str(old.id)]
    assert listed(client, "/v1/plans", superseded=False, limit=1) == [new]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/plans", "/v1/ledger"])
def test_days_are_included_and_in_order(client: TestClient, bought: Json, path: str) -> None:
    assert bought
    today = datetime.now(UTC).date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    everything = listed(client, path, limit=100)

    assert len(everything) >= 3
    assert listed(client, path, limit=100, **{"from": yesterday, "to": tomorrow}) == everything
    assert listed(client, path, to=yesterday) == listed(client, path, **{"from": tomorrow}) == []
    assert listed(client, path, limit=100, to="9999-12-31") == everything
    turned = client.get(path, params={"from": str(today), "to": str(yesterday)})
    assert code(turned) == (422, "invalid-input")
    assert turned.json()["detail"] == f"The last day, {yesterday}, is before the first, {today}."


def test_movements_are_chosen_by_kind(client: TestClient, bought: Json) -> None:
    lines = client.get("/v1/ledger", params={"kind": "settle", "budget": bought["pilot"]}).json()["items"]

    assert [line["kind"] for line in lines] == ["settle"]
    assert client.get("/v1/ledger", params={"kind": "gift"}).status_code == 422


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/plans"])
def test_oldest_first_walks_the_same_rows_backwards(client: TestClient, bought: Json, path: str) -> None:
    assert bought
    newest_first, walked = listed(client, path, limit=100), list[str]()
    address: str | None = f"{path}?limit=2&sort=created_at"

    while address:
        answer = client.get(address)
        walked += [row["id"] for row in answer.json()["items"]]
        address = {link["rel"]: link["href"] for link in answer.json()["links"]}.get("next")
        assert ('rel="next"' in answer.headers["link"]) == (address is not None)

    assert walked == newest_first[::-1]
    assert len(walked) > 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"q": ""}, "String should have at least 1 character"),
        ({"q": "x" * 101}, "String should have at most 100 characters"),
        ({"name": "x" * 201}, "String should have at most 200 characters"),
    ],
)
def test_length_of_a_text_is_said_in_characters(client: TestClient, query: dict[str, str], said: str) -> None:
    answer = client.get("/v1/plans", params=query)

    assert code(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["detail"] == said
