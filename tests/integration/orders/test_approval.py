"""Approval: an order above `approval_above` waits for another key, which decides once."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.ordering import Json, code, deliver, open_budget, place, race, status, usage
from tests.support.orders import BOUGHT, Planned


@pytest.fixture
def budget(client: TestClient) -> str:
    return open_budget(client, approval_above={"amount": "9.99", "currency": "USD"})


def decide(
    client: TestClient, order: str, headers: Json | None = None, decision: str = "approve", **more: str
) -> Any:
    return client.post(
        f"/v1/orders/{order}/approval", json={"decision": decision} | more, headers=headers or {}
    )


def test_order_above_the_approval_amount_is_held_with_its_money(
    client: TestClient, plan: Planned, budget: str
) -> None:
    placed = place(client, plan).json()

    assert placed["status"] == "held"
    assert placed["statuses"][0]["reason_code"] == "approval_required"
    assert "approval" in {link["rel"] for link in placed["links"]}
    assert usage(client, budget)["held"] == "10.00"


def test_order_of_exactly_the_approval_amount_is_accepted(client: TestClient, plan: Planned) -> None:
    open_budget(client, approval_above={"amount": "10.00", "currency": "USD"})

    assert place(client, plan).json()["status"] == "accepted"


def test_delivery_against_a_held_order_is_refused(client: TestClient, order: str, budget: str) -> None:
    assert code(deliver(client, order, *BOUGHT[0])) == (409, "approval-required")
    assert usage(client, budget)["spent"] == "0.00"


def test_approval_by_another_key_is_accepted_and_recorded(
    client: TestClient, order: str, colleague: Json
) -> None:
    answer = decide(client, order, colleague, note="within this year's plan")

    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    first, second = client.get(f"/v1/orders/{order}/statuses").json()["items"]
    assert (second["reason_code"], second["note"]) == ("approved", "within this year's plan")
    assert second["by"] == colleague["Authorization"].split("_")[1]
    assert first["by"] not in {None, second["by"]}
    assert deliver(client, order, *BOUGHT[0]).status_code == 201


def test_rejection_by_another_key_releases_the_money(
    client: TestClient, order: str, colleague: Json, plan: Planned, budget: str
) -> None:
    answer = decide(client, order, colleague, "reject")

    assert answer.json()["status"] == "rejected"
    assert answer.json()["amounts"]["released"]["amount"] == "10.00"
    assert usage(client, budget) == {"held": "0.00", "spent": "0.00", "available": "100.00"}
    assert code(deliver(client, order, *BOUGHT[0])) == (409, "order-cancelled")
    assert place(client, plan).json()["status"] == "held"  # its plan may be ordered again


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_decision_by_the_ordering_key_is_refused(client: TestClient, order: str, decision: str) -> None:
    assert code(decide(client, order, None, decision)) == (403, "self-approval")
    assert client.get(f"/v1/orders/{order}").json()["status"] == "held"


def test_second_decision_is_refused(client: TestClient, order: str, colleague: Json) -> None:
    decide(client, order, colleague)

    answer = decide(client, order, colleague, "reject")

    assert code(answer) == (409, "order-not-held")
    assert answer.json()["order_status"] == "accepted"


def test_racing_decisions_decide_once(client: TestClient, order: str, colleague: Json, budget: str) -> None:
    wanted, refusals = ["approve", "reject"] * 3, list[str]()

    def run() -> int:
        answer = decide(client, order, colleague, wanted.pop())
        refusals.extend(answer.json().get("type", "").split())
        return status(answer)

    assert sorted(race(6, run)) == [200] + [409] * 5
    assert refusals == ["/problems/order-not-held"] * 5
    steps = client.get(f"/v1/orders/{order}/statuses").json()["items"]
    assert len(steps) == 2
    assert usage(client, budget)["held"] == ("10.00" if steps[-1]["status"] == "accepted" else "0.00")


def test_held_order_can_be_cancelled_by_the_ordering_key(
    client: TestClient, order: str, budget: str, colleague: Json
) -> None:
    assert client.post(f"/v1/orders/{order}/cancel").json()["status"] == "user_cancelled"
    assert usage(client, budget)["held"] == "0.00"
    assert code(decide(client, order, colleague)) == (409, "order-not-held")


@pytest.mark.parametrize("body", [{}, {"decision": "maybe"}, {"decision": "approve", "note": ""}])
def test_decision_with_an_invalid_body_is_refused(
    client: TestClient, order: str, colleague: Json, body: Json
) -> None:
    assert client.post(f"/v1/orders/{order}/approval", json=body, headers=colleague).status_code == 422


def test_decision_by_another_workspace_is_not_found(
    client: TestClient, database: Database, order: str
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

    answer = decide(client, order, {"Authorization": f"Bearer {stranger}"})

    assert code(answer) == (404, "not-found")


def test_order_records_the_ordering_key(database: Database, order: str) -> None:
    with database.sessions() as session:
        query = text('SELECT o.key_id = k.id FROM "order" o CROSS JOIN api_key k WHERE o.id = :id')
        assert session.execute(query, {"id": order}).scalar_one()
