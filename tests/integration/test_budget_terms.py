"""Budgets with terms: limits that move, warn or stay off, thresholds, periods, days on which they pay."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.db import Database
from service.settings import Settings
from tests.factories_orders import BOUGHT, Planned, make_plan
from tests.ordering import Json, code, deliver, open_budget, place, race, status, usage

TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


@pytest.fixture
def plan(database: Database, workspace_id: UUID, settings: Settings) -> Planned:
    """It costs 10.00 USD."""
    with database.sessions.begin() as session:
        return make_plan(session, workspace_id, settings.blobs)


def usd(amount: str) -> Json:
    return {"amount": amount, "currency": "USD"}


def change(client: TestClient, budget: str, *, etag: str | None = None, **terms: Any) -> Any:
    """Send a merge patch."""
    headers = {"Content-Type": "application/merge-patch+json"} | ({"If-Match": etag} if etag else {})
    return client.patch(f"/v1/budgets/{budget}", json=terms, headers=headers)


def movements(database: Database) -> list[tuple[str, int, str]]:
    """Kind, amount and the word before the colon of every reference, in order."""
    with database.sessions() as session:
        rows = session.execute(text("SELECT kind, amount, reference FROM ledger.transfer ORDER BY seq")).all()
    return [(row.kind, row.amount, row.reference.partition(":")[0]) for row in rows]


def begin_periods_earlier(database: Database) -> None:
    """Make every budget's newest terms older than any period; a superuser's trick, for no test can wait."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ledger.budget_terms SET period_starts_on = '2000-01-01'"))


def test_a_new_budget_has_the_terms_it_was_given(client: TestClient) -> None:
    terms = {
        "period": "quarter", "starts_on": "2026-01-01", "ends_on": "2036-12-31", "enforcement": "warn",
        "thresholds": [90, 50, 90], "tags": {"cost centre": "4711"}, "approval_above": usd("25.00"),
    }  # fmt: skip
    answer = client.post("/v1/budgets", json={"name": "Year", "limit": usd("100.00")} | terms)

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert {name: answer.json()[name] for name in terms} == terms | {"thresholds": [50, 90]}


def test_a_budget_without_terms_blocks_for_ever(client: TestClient) -> None:
    budget = client.get(f"/v1/budgets/{open_budget(client)}").json()

    assert (budget["period"], budget["enforcement"], budget["thresholds"], budget["tags"]) == (
        "none", "block", [], {},
    )  # fmt: skip
    assert "approval_above" not in budget


def test_a_patch_changes_what_it_names(client: TestClient, database: Database) -> None:
    budget = open_budget(client)
    change(client, budget, thresholds=[50], tags={"team": "north", "year": "2026"}, ends_on="2036-01-01")

    answer = change(client, budget, tags={"team": "south", "year": None}, ends_on=None)

    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"3"'
    assert (answer.json()["tags"], answer.json()["thresholds"]) == ({"team": "south"}, [50])
    assert "ends_on" not in answer.json()
    assert client.get(f"/v1/budgets/{budget}").json() == answer.json()
    with database.sessions() as session:
        keys = session.execute(text("SELECT count(key_id) FROM ledger.budget_terms")).scalar_one()
    assert keys == 3  # every version says who


def test_a_limit_moves_by_entries(client: TestClient, database: Database) -> None:
    budget = open_budget(client, "100.00")

    raised = change(client, budget, limit=usd("150.00")).json()
    lowered = change(client, budget, limit=usd("20.00")).json()

    assert (raised["available"], lowered["available"]) == (usd("150.00"), usd("20.00"))
    assert movements(database) == [
        ("fund", 100_00, "budget"),
        ("fund", 50_00, "limit"),
        ("defund", 130_00, "limit"),
    ]


def test_a_limit_is_not_lowered_below_what_is_held(
    client: TestClient, database: Database, plan: Planned
) -> None:
    budget = open_budget(client, "100.00")
    place(client, plan)
    before = movements(database)

    answer = change(client, budget, limit=usd("9.99"))

    assert code(answer) == (409, "limit-below-use")
    assert {name: answer.json()[name] for name in ("in_use", "limit", "currency")} == {
        "in_use": "10.00", "limit": "9.99", "currency": "USD",
    }  # fmt: skip
    assert movements(database) == before
    assert client.get(f"/v1/budgets/{budget}").json()["version"] == 1
    assert change(client, budget, limit=usd("10.00")).json()["available"] == usd("0.00")


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
def test_refuses_terms_that_cannot_be_meant(client: TestClient, database: Database, terms: Json) -> None:
    budget = open_budget(client)

    assert change(client, budget, **terms).status_code == 422
    assert client.get(f"/v1/budgets/{budget}").json()["version"] == 1
    assert len(movements(database)) == 1


def test_a_change_meant_for_an_older_budget_is_refused(client: TestClient) -> None:
    budget = open_budget(client)
    etag = client.get(f"/v1/budgets/{budget}").headers["etag"]
    change(client, budget, thresholds=[50])

    assert code(change(client, budget, etag=etag, thresholds=[60])) == (412, "budget-changed")
    assert change(client, budget, etag='"2"', thresholds=[60]).status_code == 200
    assert change(client, budget, etag="*", thresholds=[70]).status_code == 200


def test_racing_changes_for_one_version_keep_one(client: TestClient) -> None:
    budget = open_budget(client)

    answers = race(6, lambda: status(change(client, budget, etag='"1"', limit=usd("50.00"))))

    assert sorted(answers) == [200] + [412] * 5
    assert usage(client, budget)["available"] == "50.00"


def test_nobody_changes_another_workspaces_budget(client: TestClient) -> None:
    assert code(change(client, "00000000-0000-4000-8000-000000000000", limit=usd("1.00"))) == (
        404,
        "not-found",
    )


@pytest.mark.parametrize(("enforcement", "warned"), [("warn", ["limit-exceeded"]), ("off", [])])
def test_a_limit_that_does_not_block_lets_through_by_an_entry(
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


def test_what_was_let_through_is_taken_back_when_it_is_not_needed(
    client: TestClient, database: Database, plan: Planned
) -> None:
    budget = open_budget(client, "4.00", enforcement="warn")
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])

    client.post(f"/v1/orders/{order}/cancel")

    assert movements(database)[-2:] == [("release", 6_67, "cancel"), ("retract", 6_00, "beyond")]
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "0.67"}


def test_reaching_a_threshold_is_told_once(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    budget = open_budget(client, "40.00", thresholds=[25, 50, 80])
    told = []
    for seed in range(3):
        with database.sessions.begin() as session:
            plan = make_plan(session, workspace_id, settings.blobs, seed=seed)
        told.append([one["detail"] for one in place(client, plan).json().get("warnings", [])])

    assert told == [["25 % of the budget 'Year' is in use."], ["50 % of the budget 'Year' is in use."], []]
    reached = client.get(f"/v1/budgets/{budget}/usage").json()["thresholds"]
    assert reached == [
        {"percent": 25, "reached": True}, {"percent": 50, "reached": True}, {"percent": 80, "reached": False},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ({"ends_on": YESTERDAY.isoformat()}, f"It pays until {YESTERDAY} alone."),
        ({"starts_on": TOMORROW.isoformat()}, f"It pays from {TOMORROW} alone."),
        (
            {"starts_on": "2020-01-01", "ends_on": YESTERDAY.isoformat()},
            f"It pays from 2020-01-01 until {YESTERDAY} alone.",
        ),
    ],
)
def test_a_budget_pays_on_its_days_alone(
    client: TestClient, database: Database, plan: Planned, days: Json, words: str
) -> None:
    open_budget(client, **days)

    answer = place(client, plan)

    assert code(answer) == (409, "budget-not-valid")
    assert answer.json()["detail"] == words
    assert len(movements(database)) == 1
    assert client.get("/v1/orders").json()["items"] == []


def test_the_last_day_is_still_a_day(client: TestClient, plan: Planned) -> None:
    open_budget(client, starts_on=TODAY.isoformat(), ends_on=TODAY.isoformat())

    assert place(client, plan).status_code == 201


@pytest.mark.parametrize("period", ["month", "quarter", "year"])
def test_a_new_period_grants_the_limit_anew(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, plan: Planned, period: str
) -> None:
    """What was spent before does not count; what is still held does, for it will be spent in this period."""
    budget = open_budget(client, "40.00", period=period)
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])
    begin_periods_earlier(database)
    with database.sessions.begin() as session:
        second = make_plan(session, workspace_id, settings.blobs, seed=1)

    place(client, second)

    assert movements(database)[-3:] == [
        ("defund", 30_00, "period"), ("fund", 33_33, "period"), ("reserve", 10_00, "order"),
    ]  # fmt: skip
    assert usage(client, budget) == {"held": "16.67", "spent": "0.00", "available": "23.33"}
    begun = client.get(f"/v1/budgets/{budget}/usage").json()["period_starts_on"]
    assert begun == period_start(period)


def period_start(period: str) -> str:
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    return TODAY.replace(day=1, month=(TODAY.month - 1) // months * months + 1).isoformat()


def test_racing_orders_begin_a_period_once(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    budget = open_budget(client, "30.00", period="month")
    begin_periods_earlier(database)
    with database.sessions.begin() as session:
        waiting = [make_plan(session, workspace_id, settings.blobs, seed=seed) for seed in range(6)]

    answers = race(6, lambda: status(place(client, waiting.pop())))

    assert sorted(answers) == [201, 201, 201, 402, 402, 402]
    assert [kind for kind, _, word in movements(database) if word == "period"] == ["defund", "fund"]
    assert usage(client, budget) == {"held": "30.00", "spent": "0.00", "available": "0.00"}


def test_a_budget_that_ended_begins_no_period(client: TestClient, database: Database) -> None:
    budget = open_budget(client, "30.00", period="month", ends_on="2000-01-15")
    begin_periods_earlier(database)

    change(client, budget, thresholds=[50])

    assert movements(database) == [("fund", 30_00, "budget")]


def test_a_budget_given_a_period_counts_what_it_spent_so_far(
    client: TestClient, database: Database, plan: Planned
) -> None:
    budget = open_budget(client, "40.00")
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])

    changed = change(client, budget, period="year").json()

    assert changed["available"] == usd("30.00")
    assert client.get(f"/v1/budgets/{budget}/usage").json()["period_starts_on"] == period_start("year")
    assert [word for _, _, word in movements(database)] == ["budget", "order", "delivery"]
