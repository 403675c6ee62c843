"""Requests that move money lock the chain last: few statements run from the lock to the commit."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.expiry import expire_orders
from tests.support.locks import watch_lock
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    Json,
    change_budget,
    charge,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    send_file,
)
from tests.support.orders import BOUGHT, Planned


@pytest.fixture
def longest(client: TestClient, database_url: str) -> Callable[[Callable[[], Any]], int]:
    """Return the most statements under the lock, COMMIT included, of a request and its background work."""

    def measure(act: Callable[[], Any]) -> int:
        with watch_lock(client.app_state["database"], database_url) as locked:
            answer = act()
        assert not getattr(answer, "is_error", False), answer.text
        assert locked.transactions, "nothing locked the chain"
        return max(map(len, locked.transactions))

    return measure


Measure = Callable[[Callable[[], Any]], int]


def refund(client: TestClient, order: str) -> Any:
    amount = {"amount": "0.01", "currency": "USD"}
    body = {"kind": "refund", "order": order, "amount": amount, "reason": "cloud"}
    return client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})


def test_budgets_lock_last(client: TestClient, longest: Measure) -> None:
    body = {"name": "New", "limit": {"amount": "1.00", "currency": "USD"}}
    key = {"Idempotency-Key": str(uuid4())}

    assert longest(lambda: client.post("/v1/budgets", json=body, headers=key)) <= 4
    budget = client.get("/v1/budgets").json()["items"][0]["id"]
    assert longest(lambda: change_budget(client, budget, tags={"team": "north"})) <= 6


def test_orders_lock_last(client: TestClient, longest: Measure, plan: Planned) -> None:
    open_budget(client)

    assert longest(lambda: place(client, plan)) <= 8


@pytest.mark.parametrize(("decision", "most"), [("approve", 2), ("reject", 3)])
def test_approvals_lock_last(
    client: TestClient, longest: Measure, plan: Planned, colleague: Json, decision: str, most: int
) -> None:
    open_budget(client, approval_above={"amount": "1.00", "currency": "USD"})
    path = f"/v1/orders/{place(client, plan).json()['id']}/approval"

    assert longest(lambda: client.post(path, json={"decision": decision}, headers=colleague)) <= most


def test_proposals_lock_last(client: TestClient, longest: Measure, plan: Planned, colleague: Json) -> None:
    open_budget(client, approval_above={"amount": "20.00", "currency": "USD"})
    order = place(client, plan).json()["id"]
    path = f"/v1/proposals/{charge(client, order, '50.00').json()['id']}/approval"

    assert longest(lambda: client.post(path, json={"decision": "approve"}, headers=colleague)) <= 3


def test_deliveries_and_adjustments_lock_last(client: TestClient, longest: Measure, order: str) -> None:
    assert longest(lambda: deliver(client, order, *BOUGHT[0])) <= 7
    assert longest(lambda: deliver(client, order, *BOUGHT[1])) <= 5
    assert longest(lambda: refund(client, order)) <= 4
    # One of them looks whether the holder who accepts the price may do so alone.
    assert longest(lambda: deliver(client, order, *BOUGHT[2], price="9.00", accept_price=True)) <= 11


def test_delivered_files_lock_last(client: TestClient, longest: Measure) -> None:
    """Deliver three patches in one file: at most five statements for each, and four that end the order."""
    publish_prices(client)
    open_budget(client)
    order = str(place(client, plan_scene(client)).json()["id"])

    assert longest(lambda: send_file(client, order, mosaic())) <= 18


@pytest.mark.parametrize("came", [0, 1])
def test_endings_lock_last(
    client: TestClient, longest: Measure, database: Database, plan: Planned, came: int
) -> None:
    open_budget(client)
    order = str(place(client, plan).json()["id"])
    for where in BOUGHT[:came]:
        assert deliver(client, order, *where).status_code == 201

    assert longest(lambda: client.post(f"/v1/orders/{order}/cancel")) <= 6
    late = str(place(client, plan).json()["id"])
    let_time_pass(database, late)
    assert longest(lambda: expire_orders(client.app_state["database"].of_all())) <= 3
