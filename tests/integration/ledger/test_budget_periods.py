"""Budgets that grant their limit again every month, quarter or year."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.settings import Settings
from tests.proofs.forgeries import RECHAIN
from tests.support.ordering import (
    begin_periods_earlier,
    change_budget,
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


@pytest.mark.parametrize("period", ["month", "quarter", "year"])
def test_new_period_grants_the_limit_again(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, plan: Planned, period: str
) -> None:
    """Spending of earlier periods does not count. Held money does: it will be spent in this period."""
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


def test_racing_orders_start_a_period_once(
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


def test_ended_budget_starts_no_period(client: TestClient, database: Database) -> None:
    budget = open_budget(client, "30.00", period="month", ends_on="2000-01-15")
    begin_periods_earlier(database)

    change_budget(client, budget, thresholds=[50])

    assert movements(database) == [("fund", 30_00, "budget")]


def test_budget_that_was_read_before_its_period_began_can_be_changed(
    client: TestClient, database: Database
) -> None:
    """The change itself begins the period, which makes a version that no client has read."""
    budget = open_budget(client, "30.00", period="month")
    begin_periods_earlier(database)
    read = client.get(f"/v1/budgets/{budget}").headers["etag"]

    changed = change_budget(client, budget, etag=read, thresholds=[50])

    assert (changed.status_code, changed.headers["etag"]) == (200, '"3"'), changed.text
    assert change_budget(client, budget, etag=read, thresholds=[60]).status_code == 412
    assert change_budget(client, budget, etag='"2"', thresholds=[60]).status_code == 412


def backdate(database: Database, moment: str) -> None:
    """Date everything so far at a moment, with new hashes; a superuser's trick."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("transfer", "budget_terms"):
            session.execute(text(f"UPDATE ledger.{table} SET at = {moment}"))
        session.execute(text("UPDATE ledger.budget_terms SET period_starts_on = at::date"))
        session.execute(
            text("UPDATE ledger.budget SET created_at = (SELECT min(at) FROM ledger.budget_terms)")
        )
        session.execute(text(RECHAIN))


@pytest.mark.parametrize(
    ("period", "paid_at", "counts"),
    [
        ("year", "date_trunc('year', now())", True),
        ("year", "date_trunc('year', now()) - interval '1 second'", False),
        ("month", "date_trunc('month', now())", True),
        ("month", "date_trunc('month', now()) - interval '1 second'", False),
        ("none", "timestamptz '2000-01-01 00:00Z'", True),
    ],
)
def test_changed_period_counts_what_was_spent_since_it_began(
    client: TestClient, database: Database, plan: Planned, period: str, paid_at: str, counts: bool
) -> None:
    """From none, or from a month for none: the count is neither reset nor dragged along."""
    budget = open_budget(client, "40.00", period="month" if period == "none" else "none")
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])
    backdate(database, paid_at)

    change_budget(client, budget, period=period)

    assert usage(client, budget)["spent"] == ("3.33" if counts else "0.00")


def test_budget_by_the_month_pays_no_more_in_a_year_when_it_becomes_yearly(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, plan: Planned
) -> None:
    """Spend in one month, begin another, then change to a year: all of it counts."""
    budget = open_budget(client, "12.00", period="month")
    order = place(client, plan).json()["id"]
    for where in BOUGHT:
        deliver(client, order, *where)
    begin_periods_earlier(database)
    change_budget(client, budget, thresholds=[50])
    assert usage(client, budget) == {"held": "0.00", "spent": "0.00", "available": "12.00"}

    change_budget(client, budget, period="year")

    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "2.00"}
    with database.sessions.begin() as session:
        second = make_plan(session, workspace_id, settings.blobs, seed=1)
    assert status(place(client, second)) == 402


def test_budget_with_a_new_period_counts_earlier_spending(
    client: TestClient, database: Database, plan: Planned
) -> None:
    budget = open_budget(client, "40.00")
    order = place(client, plan).json()["id"]
    deliver(client, order, *BOUGHT[0])

    changed = change_budget(client, budget, period="year").json()

    assert changed["available"] == {"amount": "30.00", "currency": "USD"}
    assert client.get(f"/v1/budgets/{budget}/usage").json()["period_starts_on"] == period_start("year")
    assert [word for _, _, word in movements(database)] == ["budget", "order", "delivery"]
