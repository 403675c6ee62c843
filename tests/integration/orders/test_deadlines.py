"""Deadlines of orders: put off before or after they have passed, recorded, and kept by the books."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.orders.expiry import expire_order, expire_orders
from tests.support.ordering import (
    code,
    deliver,
    let_time_pass,
    movements,
    open_budget,
    place,
    race,
    recorded_status,
    status,
    usage,
)
from tests.support.orders import BOUGHT, Planned


def in_days(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


def put_off(client: TestClient, order: str, last_day: Any, **body: Any) -> Any:
    return client.post(f"/v1/orders/{order}/deadline", json={"last_day": str(last_day)} | body)


def test_deadline_is_put_off_to_the_end_of_a_day(client: TestClient, order: str) -> None:
    before = client.get(f"/v1/orders/{order}").json()
    day = in_days(90)

    (link,) = [link["href"] for link in before["links"] if link["rel"] == "deadline"]
    answer = client.post(link, json={"last_day": str(day), "note": "The provider is late."})

    assert answer.status_code == 200, answer.text
    shown = client.get(f"/v1/orders/{order}").json()
    assert answer.json() == shown
    ends = datetime.combine(day + timedelta(days=1), time(), UTC)
    assert datetime.fromisoformat(shown["expires_at"]) == ends
    first, last = shown["statuses"]
    assert first["expires_at"] == before["expires_at"]
    assert (last["status"], last["reason_code"], last["note"]) == (
        "accepted", "deadline_put_off", "The provider is late.",
    )  # fmt: skip
    assert datetime.fromisoformat(last["expires_at"]) == ends
    assert last["by"] == first["by"]
    assert shown["amounts"] == before["amounts"]


def test_the_same_day_again_changes_nothing(client: TestClient, order: str) -> None:
    first = put_off(client, order, in_days(90), note="once")
    assert put_off(client, order, in_days(90), note="twice").json() == first.json()


def test_overdue_order_awaits_its_patches_again(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    assert deliver(client, order, *BOUGHT[0]).status_code == 201
    let_time_pass(database, order)
    assert client.get(f"/v1/orders/{order}").json()["status"] == "expired"

    answer = put_off(client, order, in_days(1))

    assert (answer.status_code, answer.json()["status"]) == (200, "processing")
    assert expire_orders(database) == 0
    assert usage(client, budget) == {"held": "6.67", "spent": "3.33", "available": "90.00"}
    for place_ in BOUGHT[1:]:
        assert deliver(client, order, *place_).status_code == 201
    assert recorded_status(database, order) == "completed"
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}


def test_order_that_expired_stays_so(client: TestClient, order: str, database: Database) -> None:
    let_time_pass(database, order)
    assert expire_orders(database) == 1
    before = client.get(f"/v1/orders/{order}").json(), movements(database)

    answer = put_off(client, order, in_days(90))
    assert code(answer) == (409, "order-ended")
    assert "accept_late=true" in answer.json()["detail"]
    assert (client.get(f"/v1/orders/{order}").json(), movements(database)) == before


def test_deadline_of_an_order_that_ended_is_refused(client: TestClient, order: str) -> None:
    assert client.post(f"/v1/orders/{order}/cancel").status_code == 200

    assert code(put_off(client, order, in_days(90))) == (409, "order-ended")


def test_completed_order_is_not_to_be_ordered_again(client: TestClient, order: str) -> None:
    for place_ in BOUGHT:
        assert deliver(client, order, *place_).status_code == 201

    answer = put_off(client, order, in_days(90))

    assert code(answer) == (409, "order-ended")
    assert "Everything that it bought was delivered" in answer.json()["detail"]
    assert "again" not in answer.json()["detail"]


def test_deadline_is_never_brought_forward(client: TestClient, order: str, database: Database) -> None:
    before = client.get(f"/v1/orders/{order}").json()

    assert code(put_off(client, order, in_days(1))) == (409, "deadline-not-later")
    assert client.get(f"/v1/orders/{order}").json() == before
    let_time_pass(database, order)
    assert code(put_off(client, order, in_days(-1))) == (409, "deadline-not-later")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"last_day": None}, {"last_day": "2026-02-30"}, {"last_day": 1798675200},
        {"last_day": "9999-12-31"}, {"last_day": "2099-01-01"}, {"last_day": "2027-01-01", "note": ""},
        {"last_day": "2027-01-01", "note": "a\x00b"}, {"last_day": "2027-01-01", "expires_at": "2027-01-01"},
    ],
)  # fmt: skip
def test_hostile_deadlines_are_refused(client: TestClient, order: str, body: dict[str, Any]) -> None:
    before = client.get(f"/v1/orders/{order}").json()

    assert client.post(f"/v1/orders/{order}/deadline", json=body).status_code == 422
    assert client.get(f"/v1/orders/{order}").json() == before


def test_deadline_belongs_to_the_workspace(client: TestClient, order: str, database: Database) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "elsewhere"), "stranger")
    headers = {"Authorization": f"Bearer {stranger}"}
    body = {"last_day": str(in_days(90))}

    assert client.post(f"/v1/orders/{order}/deadline", json=body, headers=headers).status_code == 404
    assert client.post(f"/v1/orders/{uuid4()}/deadline", json=body).status_code == 404


def test_held_order_waits_longer_for_its_approval(client: TestClient, plan: Planned) -> None:
    open_budget(client, name="strict", approval_above={"amount": "1.00", "currency": "USD"})
    order = place(client, plan).json()["id"]

    assert put_off(client, order, in_days(90)).json()["status"] == "held"


def test_expiry_and_a_new_deadline_race(client: TestClient, order: str, database: Database) -> None:
    for _ in range(3):
        let_time_pass(database, order)
        runs = iter([True, False, True, False])

        def run(runs: Any = runs) -> int:
            if next(runs):
                return status(put_off(client, order, in_days(90)))
            return int(expire_order(database, UUID(order)))

        answers = race(4, run)
        ended = 1 in answers
        assert recorded_status(database, order) == ("expired" if ended else "accepted")
        assert sorted(one for one in answers if one > 1) == ([409, 409] if ended else [200, 200])
        if ended:
            break


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE \"order\" SET expires_at = expires_at + interval '1 day'",
        "UPDATE ledger.evidence SET form = 1 WHERE kind = 'order_status_change'",
    ],
)
@pytest.mark.usefixtures("order")
def test_audit_finds_a_deadline_that_no_step_gave(database: Database, forgery: str) -> None:
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert list(audit_ledger(session)) == []
        session.execute(text(forgery))

        assert "I29" in {one.rule.split()[0] for one in audit_ledger(session)}
        session.rollback()


@pytest.mark.parametrize("note", ["a\x00b", "a\x1b[2Jb"])
def test_notes_of_decisions_hold_no_control_characters(client: TestClient, order: str, note: str) -> None:
    body = {"decision": "approve", "note": note}

    assert client.post(f"/v1/orders/{order}/approval", json=body).status_code == 422
