"""Overdue orders: every view shows them as expired and their money as available before the ledger entry."""

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from service.app import create_app
from service.dashboard.overview import read_page
from service.dashboard.savings_view import Chosen
from service.database.engine import Database
from service.orders import ending, expiry
from service.orders.expiry import expire_orders
from service.reports.kept import KeptFigures
from service.settings import Settings
from tests.support.databases import rows
from tests.support.ordering import (
    Json,
    buy,
    change_budget,
    code,
    deliver,
    let_time_pass,
    movements,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    recorded_status,
    usage,
)
from tests.support.orders import BOUGHT, Planned, make_plan

PATIENCE_SECONDS = 60


@pytest.fixture
def overdue(client: TestClient, order: str, database: Database) -> str:
    """Return an overdue order of 10.00, of which 3.33 are delivered, that no sweep has ended."""
    assert deliver(client, order, *BOUGHT[0]).status_code == 201
    let_time_pass(database, order)
    return order


def every_view(client: TestClient, database: Database, workspace_id: UUID, order: str) -> Json:
    """Return the content of each view of orders and budgets."""
    budget = client.get(f"/v1/orders/{order}").json()["budget"]
    paths = (
        f"/v1/orders/{order}", "/v1/orders", f"/v1/orders/{order}/statuses", "/v1/budgets",
        f"/v1/budgets/{budget}", f"/v1/budgets/{budget}/usage", "/v1/reports/savings",
        "/v1/reports/savings/orders", f"/v1/reports/savings/orders/{order}", "/v1/reports/spend",
    )  # fmt: skip
    views: Json = {path: client.get(path).json() for path in paths}
    views["csv"] = client.get("/v1/reports/savings?format=csv").text
    page = read_page(database, KeptFigures(), workspace_id, Chosen())
    return views | {name: page[name] for name in ("orders", "budgets", "plans")}


def test_overdue_order_is_shown_as_expired_and_its_money_as_available(
    client: TestClient, overdue: str, budget: str
) -> None:
    shown = client.get(f"/v1/orders/{overdue}").json()

    assert shown["status"] == "expired"
    assert {name: money["amount"] for name, money in shown["amounts"].items()} == {
        "total": "10.00", "held": "0.00", "settled": "3.33", "released": "6.67", "refunded": "0.00",
        "charged": "0.00", "net": "3.33",
    }  # fmt: skip
    assert (shown["counts"]["awaited"], shown["patches"]["awaited"]) == (0, [])
    assert not {"cancel", "approval"} & {link["rel"] for link in shown["links"]}
    last = shown["statuses"][-1]
    assert last == {"status": "expired", "reason_code": "not_delivered_in_time", "at": shown["expires_at"]}
    assert client.get(f"/v1/orders/{overdue}/statuses").json()["items"] == shown["statuses"]
    assert client.get("/v1/orders").json()["items"][0]["status"] == "expired"
    assert client.get("/v1/reports/savings/orders").json()["items"][0]["status"] == "expired"
    assert client.get("/v1/reports/savings").json()["currencies"][0]["cancelled"] == 1
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "96.67"}
    assert client.get(f"/v1/budgets/{budget}").json()["available"]["amount"] == "96.67"


def test_every_view_is_the_same_before_and_after_the_sweep(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    publish_prices(client)
    open_budget(client)
    overdue = buy(client, plan_scene(client), patches=1)
    let_time_pass(database, overdue)
    before = every_view(client, database, workspace_id, overdue)
    assert before["plans"][0].standing == "expired"
    assert recorded_status(database, overdue) == "processing"

    assert expire_orders(database) == 1

    assert recorded_status(database, overdue) == "expired"
    assert movements(database)[-1][::2] == ("release", "expire")
    after = every_view(client, database, workspace_id, overdue)
    del after[f"/v1/orders/{overdue}"]["final_bill"]  # computed when the order ends
    assert after == before


@pytest.mark.parametrize(("enforcement", "available"), [("warn", "0.00"), ("block", "3.33")])
def test_usage_beyond_the_limit_is_the_same_before_and_after_the_sweep(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    settings: Settings,
    enforcement: str,
    available: str,
) -> None:
    """Use above the limit is taken back first; only the rest becomes available."""
    budget = open_budget(client, "10.00" if enforcement == "warn" else "13.33", enforcement=enforcement)
    with database.sessions.begin() as session:
        dear = make_plan(session, workspace_id, settings.blobs, seed=1, cost_minor=10_00)
        cheap = make_plan(session, workspace_id, settings.blobs, seed=2, cost_minor=3_33)
    order = place(client, dear).json()["id"]
    late = place(client, cheap).json()["id"]
    let_time_pass(database, late)
    before = client.get(f"/v1/budgets/{budget}/usage").json()
    assert (before["held"]["amount"], before["available"]["amount"]) == ("10.00", available)

    assert expire_orders(database) == 1

    assert client.get(f"/v1/budgets/{budget}/usage").json() == before
    assert recorded_status(database, order) == "accepted"


def test_new_order_can_hold_the_money_of_an_overdue_one(
    client: TestClient, plan: Planned, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    budget = open_budget(client, "10.00")
    late = place(client, plan).json()["id"]
    with database.sessions.begin() as session:
        other = make_plan(session, workspace_id, settings.blobs, seed=1)
    assert code(place(client, other)) == (402, "budget-exceeded")
    let_time_pass(database, late)

    assert place(client, other).status_code == 201
    assert usage(client, budget) == {"held": "10.00", "spent": "0.00", "available": "0.00"}
    assert recorded_status(database, late) == "expired"


def test_limit_can_be_lowered_below_what_an_overdue_order_holds(
    client: TestClient, overdue: str, budget: str, database: Database
) -> None:
    answer = change_budget(client, budget, limit={"amount": "5.00", "currency": "USD"})

    assert answer.status_code == 200, answer.text
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "1.67"}
    assert recorded_status(database, overdue) == "expired"


def test_charge_can_use_the_money_of_an_overdue_order(
    client: TestClient, plan: Planned, database: Database
) -> None:
    budget = open_budget(client, "10.00")
    order = place(client, plan).json()["id"]
    let_time_pass(database, order)
    charge = {
        "kind": "charge", "order": order, "reason": "late fee",
        "amount": {"amount": "2.00", "currency": "USD"},
    }  # fmt: skip

    answer = client.post("/v1/ledger/adjustments", json=charge, headers={"Idempotency-Key": "a late fee"})

    assert answer.status_code == 201, answer.text
    assert usage(client, budget) == {"held": "0.00", "spent": "2.00", "available": "8.00"}


def test_request_with_an_unknown_key_expires_nothing(
    client: TestClient, overdue: str, database: Database
) -> None:
    answer = client.post(f"/v1/orders/{overdue}/cancel", headers={"Authorization": "Bearer nobody"})

    assert answer.status_code == 401
    assert recorded_status(database, overdue) == "processing"


def test_order_that_cannot_be_expired_does_not_keep_others_from_expiring(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    settings: Settings,
    budget: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database.sessions.begin() as session:
        plans = [make_plan(session, workspace_id, settings.blobs, seed=seed) for seed in range(2)]
    stuck, late = (place(client, plan, budget=budget).json()["id"] for plan in plans)
    for order in (stuck, late):
        let_time_pass(database, order)
    end = ending.end_order

    def end_the_other(session: Any, order: Any, *rest: Any, **named: Any) -> None:
        if str(order.id) == stuck:
            raise OperationalError("release", {}, Exception("the hold is locked"))
        end(session, order, *rest, **named)

    monkeypatch.setattr(expiry, "end_order", end_the_other)

    assert expire_orders(database) == 1
    assert [recorded_status(database, order) for order in (stuck, late)] == ["accepted", "expired"]
    assert f"Order {stuck} is overdue and could not be expired." in caplog.text


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fail after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_server_expires_overdue_orders_beside_its_requests(
    overdue: str, database: Database, settings: Settings
) -> None:
    with TestClient(create_app(settings.model_copy(update={"expiry_seconds": 0.02}))):
        wait_for(lambda: recorded_status(database, overdue) == "expired")
    assert movements(database)[-1] == ("release", 6_67, "expire")
    assert rows(database, "order_status_change") == 3


def test_server_tries_again_after_a_sweep_that_failed(
    overdue: str,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = [OperationalError("select", {}, Exception("the database is away"))]

    def fail_first(database: Database, *, limit: int) -> int:
        if failures:
            raise failures.pop()
        return expire_orders(database, limit=limit)

    monkeypatch.setattr(expiry, "expire_orders", fail_first)
    with (
        caplog.at_level(logging.ERROR),
        TestClient(create_app(settings.model_copy(update={"expiry_seconds": 0.02}))),
    ):
        wait_for(lambda: recorded_status(database, overdue) == "expired")
    assert "Overdue orders could not be expired" in caplog.text


def test_server_that_stops_finishes_its_sweep_and_closes_its_connections(
    overdue: str, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = list[bool](), list[int]()

    def slowly(database: Database, *, limit: int) -> int:
        begun.append(True)
        time.sleep(0.2)
        done.append(expire_orders(database, limit=limit))
        return done[-1]

    monkeypatch.setattr(expiry, "expire_orders", slowly)
    with TestClient(create_app(settings.model_copy(update={"expiry_seconds": 0.02}))):
        wait_for(lambda: bool(begun))

    assert (len(begun), sum(done)) == (len(done), 1)
    assert recorded_status(database, overdue) == "expired"


def test_expire_order_leaves_an_order_that_is_not_overdue(order: str, database: Database) -> None:
    """A sweep finds an order before it locks it; meanwhile the order may have ended another way."""
    assert not expiry.expire_order(database, UUID(order))
    assert recorded_status(database, order) == "accepted"
