"""`from`, `to`, `budget`, `provider` and `tag` on the reports of savings and spending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.ordering import buy, deliver, open_budget, place, plan_scene, publish_prices

ONCE: dict[str, Any] = {"max_patches": 1, "reuse": "none"}


@pytest.fixture
def orders(client: TestClient) -> tuple[str, str]:
    """Return an order of Acme from the budget `north`, and one of Beta from the budget `south`."""
    publish_prices(client)
    publish_prices(client, "beta", provider="Beta")
    north = open_budget(client, name="north", tags={"team": "north", "cost centre": "17"})
    first = buy(client, plan_scene(client, **ONCE))
    open_budget(client, name="south", tags={"team": "south"})
    plan = plan_scene(client, price_list="beta", **ONCE)
    south = client.get("/v1/budgets").json()["items"][0]["id"]
    assert south != north
    second = place(client, plan, budget=south).json()["id"]
    for tile, patch in plan.bought:
        assert deliver(client, second, tile, patch).status_code == 201
    return first, second


def shown(client: TestClient, query: str) -> tuple[set[str], set[str]]:
    """Return the orders of the savings and of the charges that a query chooses."""
    savings = client.get(f"/v1/reports/savings/orders?{query}")
    charges = client.get(f"/v1/reports/spend?{query}")
    assert savings.status_code == charges.status_code == 200, savings.text + charges.text
    return (
        {one["order"] for one in savings.json()["items"]},
        {one["Tags"]["order"] for one in charges.json()["items"]},
    )


def test_reports_are_limited_by_day(client: TestClient, orders: tuple[str, str]) -> None:
    today = datetime.now(UTC).date()
    before, after = today - timedelta(days=1), today + timedelta(days=1)

    for query, found in (
        (f"from={today}&to={today}", set(orders)), (f"from={after}", set()), (f"to={before}", set()),
        (f"from={before}", set(orders)), (f"to={after}", set(orders)),
    ):  # fmt: skip
        assert shown(client, query) == (found, found)
    assert client.get(f"/v1/reports/savings?from={after}").json()["currencies"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("provider=Acme", {0}), ("provider=Beta", {1}), ("provider=Gamma", set()), ("tag=team%3Dnorth", {0}),
        ("tag=cost%20centre%3D17", {0}), ("tag=team%3Deast", set()),
        ("provider=Acme&tag=team%3Dsouth", set()),
    ],
)  # fmt: skip
def test_reports_are_limited_by_provider_and_tag(
    client: TestClient, orders: tuple[str, str], query: str, found: set[int]
) -> None:
    expected = {orders[number] for number in found}

    assert shown(client, query) == (expected, expected)


def test_reports_are_limited_by_budget(client: TestClient, orders: tuple[str, str]) -> None:
    for order in orders:
        budget = client.get(f"/v1/orders/{order}").json()["budget"]
        assert shown(client, f"budget={budget}") == ({order}, {order})
        (entry,) = client.get(f"/v1/reports/savings?budget={budget}").json()["currencies"]
        assert entry["orders"] == 1
        rows = client.get(f"/v1/reports/savings?budget={budget}&format=csv").text.splitlines()
        assert len(rows) == 2


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-02-30",
        "from=yesterday",
        "from=2026-02-01&to=2026-01-01",
        "tag=team",
        "tag=%3Dnorth",
        "budget=x",
    ],
)
def test_wrong_limits_are_refused(client: TestClient, query: str) -> None:
    for report in ("savings", "savings/orders", "spend"):
        assert client.get(f"/v1/reports/{report}?{query}").status_code == 422
