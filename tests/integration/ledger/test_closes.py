"""Closed months: stated balances, no further entry, and references from later adjustments."""

import csv
import io
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.ledger import writer
from service.ledger.audit import audit_ledger
from tests.proofs.forgeries import RECHAIN
from tests.support.money import cents
from tests.support.ordering import (
    Json,
    buy,
    code,
    movements,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    race,
    status,
)

THIS = datetime.now(UTC).date().replace(day=1)
LAST = (THIS - timedelta(days=1)).replace(day=1)


def name(month: date) -> str:
    return f"{month:%Y-%m}"


def close(client: TestClient, month: Any) -> Any:
    return client.post("/v1/ledger/closes", json={"month": month})


def let_a_month_pass(database: Database) -> None:
    """Date everything so far a month back, with new hashes; a superuser's trick."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("transfer", "budget_terms"):
            session.execute(text(f"UPDATE ledger.{table} SET at = at - interval '1 month'"))
        session.execute(text(RECHAIN))


@pytest.fixture
def order(client: TestClient, database: Database) -> str:
    """Return an order that was paid last month, and place another one in this month."""
    publish_prices(client)
    open_budget(client, name="Year")
    paid = buy(client, plan_scene(client, max_patches=1, reuse="none"))
    let_a_month_pass(database)
    place(client, plan_scene(client, max_patches=1, reuse="none"))
    return paid


def refund(client: TestClient, order: str, **body: Any) -> Json:
    """Refund 0.10 USD, and return the entry."""
    amount = {"amount": "0.10", "currency": "USD"}
    wanted = {"kind": "refund", "order": order, "amount": amount, "reason": "cloud"} | body
    key = {"Idempotency-Key": str(uuid4())}
    seq = client.post("/v1/ledger/adjustments", json=wanted, headers=key).json()["seq"]
    entry: Json = client.get(f"/v1/ledger/{seq}").json()
    return entry


def test_close_states_the_balances_of_the_month(client: TestClient, order: str) -> None:
    settled = client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"]
    before = client.get("/v1/ledger").json()

    answer = close(client, name(LAST))

    assert answer.status_code == 201, answer.text
    (budget,) = answer.json()["budgets"]
    assert {at: money["amount"] for at, money in budget["opening"].items()} == {
        "granted": "0.00", "available": "0.00", "held": "0.00", "spent": "0.00",
    }  # fmt: skip
    available = f"{100 - float(settled):.2f}"
    assert {at: money["amount"] for at, money in budget["closing"].items()} == {
        "granted": "100.00", "available": available, "held": "0.00", "spent": settled,
    }  # fmt: skip
    assert answer.json()["seq"] == before["items"][0]["seq"]
    assert client.get("/v1/ledger").json() == before
    assert client.get("/v1/ledger/closes").json()["items"] == [answer.json()]


def test_closing_again_changes_nothing(client: TestClient, order: str, database: Database) -> None:
    first = close(client, name(LAST)).json()
    refund(client, order)
    before = movements(database)

    again = close(client, name(LAST))

    assert (again.status_code, again.json(), movements(database)) == (200, first, before)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_closed_months_come_as_files(client: TestClient, order: str, form: str) -> None:
    closed = close(client, name(LAST)).json()["budgets"][0]

    answer = client.get("/v1/ledger/closes", params={"format": form})

    (row,) = (
        csv.DictReader(io.StringIO(answer.text))
        if form == "csv"
        else parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    )
    assert (row["month"], row["budget"], row["currency"]) == (name(LAST), "Year", "USD")
    for moment in ("opening", "closing"):
        for balance, money in closed[moment].items():
            assert float(row[f"{moment}_{balance}"]) == float(money["amount"])
    assert client.get(f"/v1/orders/{order}").json()["amounts"]["settled"] == closed["closing"]["spent"]


def test_later_adjustments_refer_to_the_closed_month(client: TestClient, order: str) -> None:
    (patch,) = client.get(f"/v1/orders/{order}").json()["patches"]["delivered"]
    place = {"tile": patch["tile"], "patch": patch["patch"]}
    early = refund(client, order)
    closed = close(client, name(LAST)).json()

    entries = [refund(client, order), refund(client, order, **place), refund(client, order, kind="charge")]

    assert [one["closed_month"] for one in entries] == [name(LAST)] * 3
    assert {one["at"][:7] for one in entries} == {name(THIS)}
    assert client.get(f"/v1/ledger/{early['seq']}").json()["closed_month"] is None
    rows = csv.DictReader(io.StringIO(client.get("/v1/ledger?format=csv").text))
    assert [row["closed_month"] for row in rows if row["kind"] in {"refund", "charge"}] == [
        *[name(LAST)] * 3, "",
    ]  # fmt: skip
    assert client.get("/v1/ledger/closes").json()["items"] == [closed]


def test_months_are_closed_when_they_are_due(client: TestClient, order: str) -> None:
    before = (LAST - timedelta(days=1)).replace(day=1)
    assert order

    assert code(close(client, name(THIS))) == (409, "month-not-over")
    assert code(close(client, "9999-12")) == (409, "month-not-over")
    answer = close(client, name(before))
    assert code(answer) == (409, "month-not-next")
    assert f"The next one to close is {name(LAST)}, once it is over" in answer.json()["detail"]
    assert client.get("/v1/ledger/closes").json()["items"] == []
    assert close(client, name(LAST)).status_code == 201
    assert code(close(client, name(THIS))) == (409, "month-not-over")


def test_ledger_without_entries_has_no_month_to_close(client: TestClient) -> None:
    assert code(close(client, name(LAST))) == (409, "month-not-next")


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-1", "0000-01", "2026-10-01", "", 202610, None, "x", "2026-10\n"]
)
def test_what_is_no_month_is_refused(client: TestClient, month: Any) -> None:
    assert close(client, month).status_code == 422
    assert client.post("/v1/ledger/closes", json={}).status_code == 422


def test_close_waits_for_an_entry_of_the_last_moment(
    client: TestClient, order: str, database: Database, workspace_id: UUID
) -> None:
    budget = UUID(client.get(f"/v1/orders/{order}").json()["budget"])
    answers = list[Any]()
    closing = threading.Thread(target=lambda: answers.append(close(client, name(LAST))))
    moment = text("UPDATE ledger.transfer SET at = :moment WHERE reference = 'order:last'")
    with database.sessions.begin() as session:
        writer.reserve(session, workspace_id, budget, cents(100), "order:last")
        session.execute(text("SET LOCAL session_replication_role = replica"))
        last = datetime(THIS.year, THIS.month, 1, tzinfo=UTC) - timedelta(microseconds=1)
        session.execute(moment, {"moment": last})
        session.execute(text(RECHAIN))
        closing.start()
        closing.join(0.5)
        assert closing.is_alive()
    closing.join()

    assert [status(one) for one in answers] == [201]
    (balances,) = answers[0].json()["budgets"]
    assert balances["closing"]["held"]["amount"] == "1.00"


@pytest.mark.usefixtures("order")
def test_racing_closes_close_once(client: TestClient) -> None:
    assert sorted(race(4, lambda: status(close(client, name(LAST))))) == [200, 200, 200, 201]


@pytest.mark.usefixtures("order")
def test_closes_belong_to_the_workspace(client: TestClient, database: Database) -> None:
    close(client, name(LAST))
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "elsewhere"), "stranger")

    headers = {"Authorization": f"Bearer {stranger}"}
    assert client.get("/v1/ledger/closes", headers=headers).json()["items"] == []


@pytest.mark.parametrize(
    ("forgery", "rules"),
    [
        ("UPDATE ledger.month_balance SET closing = closing + 1", {"I33", "C4"}),
        ("UPDATE ledger.month_balance SET opening = opening + 1", {"I33", "C4"}),
        ("DELETE FROM ledger.month_balance", {"I33", "I23"}),
        ("UPDATE ledger.closed_month SET month = month - interval '1 month'", {"I33", "I23"}),
        ("UPDATE ledger.closed_month SET at = at - interval '1 month'", {"I34", "C4"}),
        ("UPDATE ledger.closed_month SET key_id = 'nobody'", {"C4"}),
        ("UPDATE ledger.closed_month SET seq = 1", {"I35", "C4"}),
        (
            "UPDATE ledger.transfer SET at = at - interval '1 month' WHERE kind = 'refund'",
            {"I10", "C1", "I33", "I35"},
        ),
    ],
)
def test_audit_finds_changed_closes(
    client: TestClient, order: str, database: Database, forgery: str, rules: set[str]
) -> None:
    close(client, name(LAST))
    refund(client, order)
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert list(audit_ledger(session)) == []
        session.execute(text(forgery))

        assert {one.rule.split()[0] for one in audit_ledger(session)} == rules
        session.rollback()
