"""Budgets with terms: limits that move, warn or stay off, thresholds, periods, days on which they pay."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import usd
from tests.support.ordering import (
    Json,
    change_budget,
    code,
    deliver,
    movements,
    open_budget,
    place,
    race,
    status,
    usage,
)
from tests.support.orders import BOUGHT, Planned, make_plan

TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def test_open_budget_keeps_the_given_terms(client: TestClient) -> None:
    terms = {
        "period": "quarter", "starts_on": "2026-01-01", "ends_on": "2036-12-31", "enforcement": "warn",
        "thresholds": [90, 50, 90], "tags": {"cost centre": "4711"}, "approval_above": usd("25.00"),
    }  # fmt: skip
    answer = client.post("/v1/budgets", json={"name": "Year", "limit": usd("100.00")} | terms)

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert {name: answer.json()[name] for name in terms} == terms | {"thresholds": [50, 90]}


def test_budget_without_terms_blocks_and_has_no_end(client: TestClient) -> None:
    budget = client.get(f"/v1/budgets/{open_budget(client)}").json()

    assert (budget["period"], budget["enforcement"], budget["thresholds"], budget["tags"]) == (
        "none", "block", [], {},
    )  # fmt: skip
    assert "approval_above" not in budget


@pytest.mark.parametrize(
    ("member", "value", "pointer"),
    [
        ("starts_on", 1_764_288_000, "/body/starts_on"),
        ("ends_on", "2026-11-28T00:00:00Z", "/body/ends_on"),
        ("thresholds", [True], "/body/thresholds/0"),
        ("thresholds", [50.5], "/body/thresholds/0"),
        ("approval_above", {"amount": "1.5", "currency": "USDX"}, "/body/approval_above/currency"),
        ("limit", {"amount": "-1", "currency": "USD"}, "/body/limit/amount"),
    ],
)
def test_open_budget_refuses_what_is_no_day_number_or_currency(
    client: TestClient, member: str, value: object, pointer: str
) -> None:
    answer = client.post(
        "/v1/budgets", json={"name": "Year", "limit": usd("100.00"), "enforcement": "block", member: value}
    )

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, pointer)
    assert error["detail"][0].isupper() or error["detail"].startswith("'USDX'")
    assert error["detail"].endswith(".")
    assert client.get("/v1/budgets").json()["items"] == []


def test_budget_has_the_decimals_of_its_currency(client: TestClient) -> None:
    fomento = client.get(f"/v1/budgets/{open_budget(client, '10.1234', 'CLF')}").json()
    refused = client.post("/v1/budgets", json={"name": "U", "limit": {"amount": "10.5", "currency": "UYI"}})

    assert fomento["limit"] == fomento["available"] == {"amount": "10.1234", "currency": "CLF"}
    assert code(refused) == (422, "invalid-input")
    assert "UYI has none" in refused.json()["detail"]


def test_change_budget_keeps_omitted_members(client: TestClient, database: Database) -> None:
    budget = open_budget(client)
    change_budget(
        client, budget, thresholds=[50], tags={"team": "north", "year": "2026"}, ends_on="2036-01-01"
    )

    answer = change_budget(client, budget, tags={"team": "south", "year": None}, ends_on=None)

    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"3"'
    assert (answer.json()["tags"], answer.json()["thresholds"]) == ({"team": "south"}, [50])
    assert "ends_on" not in answer.json()
    assert client.get(f"/v1/budgets/{budget}").json() == answer.json()
    with database.sessions() as session:
        keys = session.execute(text("SELECT count(key_id) FROM ledger.budget_terms")).scalar_one()
    assert keys == 3  # every version says who


def test_change_of_a_limit_makes_an_entry(client: TestClient, database: Database) -> None:
    budget = open_budget(client, "100.00")

    raised = change_budget(client, budget, limit=usd("150.00")).json()
    lowered = change_budget(client, budget, limit=usd("20.00")).json()

    assert (raised["available"], lowered["available"]) == (usd("150.00"), usd("20.00"))
    assert movements(database) == [
        ("fund", 100_00, "budget"),
        ("fund", 50_00, "limit"),
        ("defund", 130_00, "limit"),
    ]


def test_limit_is_not_lowered_below_held_money(client: TestClient, database: Database, plan: Planned) -> None:
    budget = open_budget(client, "100.00")
    place(client, plan)
    before = movements(database)

    answer = change_budget(client, budget, limit=usd("9.99"))

    assert code(answer) == (409, "limit-below-use")
    assert {name: answer.json()[name] for name in ("in_use", "limit", "currency")} == {
        "in_use": "10.00", "limit": "9.99", "currency": "USD",
    }  # fmt: skip
    assert movements(database) == before
    assert client.get(f"/v1/budgets/{budget}").json()["version"] == 1
    assert change_budget(client, budget, limit=usd("10.00")).json()["available"] == usd("0.00")


@pytest.mark.parametrize(
    "terms",
    [
        {"period": "week"},
        {"enforcement": "hope"},
        {"thresholds": [0]},
        {"thresholds": [201]},
        {"thresholds": "50"},
        {"starts_on": "2026-02-30"},
        {"starts_on": "2026-12-31", "ends_on": "2026-01-01"},
        {"tags": {"": "x"}},
        {"tags": {"x": "two\nlines"}},
        {"tags": {"x": 1}},
        {"approval_above": {"amount": "1.00", "currency": "EUR"}},
        {"approval_above": {"amount": "1.001", "currency": "USD"}},
        {"limit": {"amount": "1.00", "currency": "EUR"}},
        {"limit": None},
        {"name": "another"},
    ],
)
def test_change_budget_refuses_invalid_terms(client: TestClient, database: Database, terms: Json) -> None:
    budget = open_budget(client)

    assert change_budget(client, budget, **terms).status_code == 422
    assert client.get(f"/v1/budgets/{budget}").json()["version"] == 1
    assert len(movements(database)) == 1


def test_change_of_nothing_makes_no_version(client: TestClient) -> None:
    budget = open_budget(client, tags={"team": "north"}, approval_above=usd("5.00"))
    opened = client.get(f"/v1/budgets/{budget}").json()
    for same in ({}, {"limit": opened["limit"]}, {"tags": {"team": "north"}, "approval_above": usd("5")}):
        answer = client.patch(f"/v1/budgets/{budget}", json=same)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
        assert answer.json() == opened


def test_change_budget_refuses_an_old_etag(client: TestClient) -> None:
    budget = open_budget(client)
    etag = client.get(f"/v1/budgets/{budget}").headers["etag"]
    change_budget(client, budget, thresholds=[50])

    assert code(change_budget(client, budget, etag=etag, thresholds=[60])) == (412, "budget-changed")
    assert change_budget(client, budget, etag='"2"', thresholds=[60]).status_code == 200
    assert change_budget(client, budget, etag="*", thresholds=[70]).status_code == 200


def test_racing_changes_of_one_version_apply_once(client: TestClient) -> None:
    budget = open_budget(client)

    answers = race(6, lambda: status(change_budget(client, budget, etag='"1"', limit=usd("50.00"))))

    assert sorted(answers) == [200] + [412] * 5
    assert usage(client, budget)["available"] == "50.00"


def test_change_budget_refuses_another_workspaces_budget(client: TestClient) -> None:
    assert code(change_budget(client, "00000000-0000-4000-8000-000000000000", limit=usd("1.00"))) == (
        404,
        "not-found",
    )


@pytest.mark.parametrize(("enforcement", "warned"), [("warn", ["limit-exceeded"]), ("off", [])])
def test_order_beyond_a_limit_that_does_not_block_makes_an_entry(
    client: TestClient, database: Database, plan: Planned, enforcement: str, warned: list[str]
) -> None:
    budget = open_budget(client, "4.00", enforcement=enforcement)

    answer = place(client, plan)

    assert answer.status_code == 201, answer.text
    assert [one["code"] for one in answer.json().get("warnings", [])] == warned
    assert movements(database)[1:] == [("extend", 6_00, "beyond"), ("reserve", 10_00, "order")]
    used = client.get(f"/v1/budgets/{budget}/usage").json()
    assert {name: used[name]["amount"] for name in ("limit", "beyond", "held", "available")} == {
        "limit": "4.00", "beyond": "6.00", "held": "10.00", "available": "0.00",
    }  # fmt: skip


def test_extension_is_retracted_when_it_is_not_needed(
    client: TestClient, database: Database, plan: Planned
) -> None:
    budget = open_budget(client, "4.00", enforcement="warn")
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])

    client.post(f"/v1/orders/{order}/cancel")

    assert movements(database)[-2:] == [("release", 6_67, "cancel"), ("retract", 6_00, "beyond")]
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "0.67"}


def test_order_that_reaches_a_threshold_warns_once(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    budget = open_budget(client, "40.00", thresholds=[25, 50, 80])
    told = []
    for seed in range(3):
        with database.sessions.begin() as session:
            plan = make_plan(session, workspace_id, settings.blobs, seed=seed)
        warnings = place(client, plan).json().get("warnings", [])
        told.append([one["detail"] for one in warnings if one["code"] == "threshold-reached"])

    assert told == [["25 % of the budget 'Year' is in use."], ["50 % of the budget 'Year' is in use."], []]
    reached = client.get(f"/v1/budgets/{budget}/usage").json()["thresholds"]
    assert reached == [
        {"percent": 25, "reached": True}, {"percent": 50, "reached": True}, {"percent": 80, "reached": False},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ({"ends_on": YESTERDAY.isoformat()}, f"The budget is only valid until {YESTERDAY}."),
        ({"starts_on": TOMORROW.isoformat()}, f"The budget is only valid from {TOMORROW} on."),
        (
            {"starts_on": "2020-01-01", "ends_on": YESTERDAY.isoformat()},
            f"The budget is only valid from 2020-01-01 to {YESTERDAY}.",
        ),
    ],
)
def test_budget_refuses_orders_outside_its_days(
    client: TestClient, database: Database, plan: Planned, days: Json, words: str
) -> None:
    open_budget(client, **days)

    answer = place(client, plan)

    assert code(answer) == (409, "budget-not-valid")
    assert answer.json()["detail"] == words
    assert len(movements(database)) == 1
    assert client.get("/v1/orders").json()["items"] == []


def test_budget_pays_on_its_last_day(client: TestClient, plan: Planned) -> None:
    open_budget(client, starts_on=TODAY.isoformat(), ends_on=TODAY.isoformat())

    assert place(client, plan).status_code == 201
