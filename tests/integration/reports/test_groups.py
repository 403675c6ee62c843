"""`group_by` and `step` on the reports of savings and spending."""

import csv
import io
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices

ONCE: dict[str, Any] = {"max_patches": 2, "reuse": "none"}
NAMED: dict[str, set[str | None]] = {
    "budget": {"north", "south"},
    "provider": {"Acme", "Beta"},
    "price_list": {"acme", "beta"},
    "cost_center": {None},
    "key": {"operator"},
    "tag:team": {"north", "south"},
    "tag:region": {None},
}
"""The groups of what `ordered` buys."""


@pytest.fixture
def ordered(client: TestClient) -> None:
    """Buy from two providers in two currencies, refund a part, and leave an order without labels open."""
    publish_prices(client, price_per_km2="41.27")
    publish_prices(client, "beta", provider="Beta", currency="EUR", price_per_km2="900.03")
    open_budget(client, name="north", tags={"team": "north"})
    open_budget(client, name="south", currency="EUR", tags={"team": "south"})
    first = buy(client, plan_scene(client, **ONCE))
    buy(client, plan_scene(client, price_list="beta", **ONCE))
    assert place(client, plan_scene(client, **ONCE)).status_code == 201
    body = {
        "order": first,
        "kind": "refund",
        "amount": {"amount": "0.01", "currency": "USD"},
        "reason": "late",
    }
    answer = client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": "refund-of-a-cent"})
    assert answer.status_code == 201, answer.text


def net_by_currency(sums: list[dict[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in sums:
        found[one["currency"]] = found.get(one["currency"], Decimal(0)) + Decimal(one["net"]["amount"])
    return found


@pytest.mark.usefixtures("ordered")
def test_groups_of_spending_add_up_to_the_charges(client: TestClient) -> None:
    charges = client.get("/v1/reports/spend", params={"limit": 100}).json()["items"]
    whole: dict[str, Decimal] = {}
    for charge in charges:
        currency = charge["BillingCurrency"]
        whole[currency] = whole.get(currency, Decimal(0)) + Decimal(charge["BilledCost"])

    for group_by, step in product(NAMED, (None, "day", "week", "month")):
        query = {"group_by": group_by} | ({"step": step} if step else {})
        report = client.get("/v1/reports/spend", params=query).json()
        assert net_by_currency(report["groups"]) == net_by_currency(report["currencies"]) == whole
        assert sum(one["charges"] for one in report["groups"]) == len(charges) > 4
        assert sum(Decimal(one["credited"]["amount"]) for one in report["groups"]) == Decimal("0.01")
        assert {one["first_day"] is None for one in report["groups"]} == {step is None}
        assert {one["group"] for one in report["groups"]} == NAMED[group_by]
        savings = client.get("/v1/reports/savings", params=query).json()
        assert {one["group"] for one in savings["groups"]} == NAMED[group_by]


@pytest.mark.usefixtures("ordered")
def test_savings_by_group_come_beside_the_whole_and_as_a_file(client: TestClient) -> None:
    plain = client.get("/v1/reports/savings").json()
    query = {"group_by": "provider", "step": "month"}
    report = client.get("/v1/reports/savings", params=query).json()
    rows = list(csv.DictReader(io.StringIO(client.get(
        "/v1/reports/savings", params=query | {"format": "csv"}).text)))  # fmt: skip

    assert plain["groups"] is None
    assert report["currencies"] == plain["currencies"]
    assert [row["group"] for row in rows] == [one["group"] for one in report["groups"]] == ["Acme", "Beta"]
    assert [row["ordered_saving"] for row in rows] == [
        one["ordered_saving"]["amount"] for one in report["groups"]
    ]
    spent = client.get("/v1/reports/spend", params=query | {"format": "parquet"})
    assert spent.content[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("savings", "group_by=user"), ("spend", "group_by=tag:"), ("spend", "step=year"),
        ("spend", "group_by=budget&limit=5"), ("savings/orders", "group_by=budget"),
    ],
)  # fmt: skip
def test_grouping_that_cannot_be_answered_is_refused(client: TestClient, path: str, query: str) -> None:
    assert client.get(f"/v1/reports/{path}?{query}").status_code == 422
