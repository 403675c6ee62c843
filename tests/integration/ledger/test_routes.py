"""Budgets and the ledger over HTTP."""

import csv
import io
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.ledger import writer
from service.ledger.filters import EVERY_LINE
from service.ledger.repository import NEWEST
from service.ledger.transfers import _page, values_of
from tests.support.money import cents
from tests.support.planner import plan_for_many_rows

USD_500 = {"amount": "500.00", "currency": "USD"}


def open_budget(client: TestClient, name: str = "Harvest", **limit: str) -> dict[str, str]:
    """Open a budget of 500.00 USD and return it."""
    answer = client.post("/v1/budgets", json={"name": name, "limit": USD_500 | limit})
    assert answer.status_code == 201
    return dict(answer.json())


def hold(database: Database, workspace_id: UUID, budget: dict[str, str], minor: int) -> None:
    with database.sessions.begin() as session:
        writer.reserve(session, workspace_id, UUID(budget["id"]), cents(minor), f"order:{minor}")


def test_open_budget_answers_with_its_location(client: TestClient) -> None:
    answer = client.post("/v1/budgets", json={"name": "Harvest", "limit": USD_500})

    assert answer.status_code == 201
    assert answer.json()["limit"] == answer.json()["available"] == USD_500
    assert client.get(answer.headers["location"]).json() == answer.json()


def test_usage_sums_to_the_limit(client: TestClient, database: Database, workspace_id: UUID) -> None:
    budget = open_budget(client)
    hold(database, workspace_id, budget, 12_550)

    assert client.get(f"/v1/budgets/{budget['id']}/usage").json() == {
        "limit": USD_500,
        "beyond": {"amount": "0.00", "currency": "USD"},
        "held": {"amount": "125.50", "currency": "USD"},
        "spent": {"amount": "0.00", "currency": "USD"},
        "available": {"amount": "374.50", "currency": "USD"},
        "percent": 25.1,
        "thresholds": [],
        "period_starts_on": datetime.now(UTC).date().isoformat(),
    }


@pytest.mark.parametrize("amount", ["0", "0.00"])
def test_open_budget_accepts_a_limit_of_zero(client: TestClient, amount: str) -> None:
    budget = open_budget(client, amount=amount)

    assert client.get(f"/v1/budgets/{budget['id']}/usage").json()["percent"] == 0.0
    assert client.get("/v1/ledger").json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "", "limit": USD_500},
        {"name": "x" * 101, "limit": USD_500},
        {"name": "two\nlines", "limit": USD_500},
        {"name": "x", "limit": USD_500, "spent": USD_500},  # what is not asked for is refused
        {"name": "x", "limit": {"amount": "-1", "currency": "USD"}},
        {"name": "x", "limit": {"amount": 500, "currency": "USD"}},  # money is never a float
        {"name": "x", "limit": {"amount": "1.001", "currency": "USD"}},
        {"name": "x", "limit": {"amount": "1.5", "currency": "JPY"}},
        {"name": "x", "limit": {"amount": "1", "currency": "usd"}},
        {"name": "x", "limit": {"amount": "1e3", "currency": "USD"}},
        [],
    ],
)
def test_open_budget_refuses_invalid_members(client: TestClient, body: object) -> None:
    answer = client.post("/v1/budgets", json=body)

    assert answer.status_code == 422
    assert client.get("/v1/budgets").json()["items"] == []


def test_open_budget_refuses_a_taken_name(client: TestClient) -> None:
    open_budget(client)

    answer = client.post("/v1/budgets", json={"name": "Harvest", "limit": USD_500})

    assert (answer.status_code, answer.json()["name"]) == (409, "Harvest")


def test_list_budgets_pages_every_budget_once_newest_first(client: TestClient) -> None:
    names = [open_budget(client, name=f"budget {number}")["name"] for number in range(5)]
    found, href = [], "/v1/budgets?limit=2"

    while href:
        page = client.get(href).json()
        found += [budget["name"] for budget in page["items"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")

    assert found == names[::-1]


def test_list_ledger_keeps_its_filter_across_pages(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    budget = open_budget(client)
    open_budget(client, name="other")
    for minor in (1, 2, 3):
        hold(database, workspace_id, budget, minor)
    found, href = [], f"/v1/ledger?limit=2&budget={budget['id']}"

    while href:
        answer = client.get(href)
        found += [line["amount"]["amount"] for line in answer.json()["items"]]
        href = next((link["href"] for link in answer.json()["links"] if link["rel"] == "next"), "")
        assert (f'<{href}>; rel="next"' in answer.headers["link"]) is bool(href)

    assert found == ["0.03", "0.02", "0.01", "500.00"]


@pytest.mark.parametrize("path", ["/v1/budgets", "/v1/ledger"])
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=ten", "cursor=!!", "cursor=bm90LW91cnM"])
def test_lists_refuse_an_invalid_page(client: TestClient, path: str, query: str) -> None:
    assert client.get(f"{path}?{query}").status_code == 422


def test_list_ledger_shows_every_movement(client: TestClient, database: Database, workspace_id: UUID) -> None:
    budget = open_budget(client)
    hold(database, workspace_id, budget, 100)

    line = client.get("/v1/ledger").json()["items"][0]

    assert {key: line[key] for key in ("seq", "kind", "from_account", "to_account", "amount", "budget")} == {
        "seq": 2,
        "kind": "reserve",
        "from_account": "available",
        "to_account": "reserved",
        "amount": {"amount": "1.00", "currency": "USD"},
        "budget": "Harvest",
    }
    assert line["reference"] == "order:100"


def test_get_transfer_finds_by_seq_and_by_id(client: TestClient) -> None:
    open_budget(client)
    (line,) = client.get("/v1/ledger").json()["items"]

    assert client.get("/v1/ledger/1").json() == client.get(f"/v1/ledger/{line['id']}").json() == line
    for elsewhere in ("2", "-1", str(10**30), line["budget_id"]):
        assert client.get(f"/v1/ledger/{elsewhere}").status_code == 404
    assert client.get("/v1/ledger/first").status_code == 422


def test_list_ledger_filters_by_hold(client: TestClient, database: Database, workspace_id: UUID) -> None:
    budget = open_budget(client)
    for minor in (100, 200):
        hold(database, workspace_id, budget, minor)
    newest = client.get("/v1/ledger").json()["items"][0]

    assert client.get(f"/v1/ledger?hold={newest['hold_id']}").json()["items"] == [newest]


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?format=csv", {}), ("", {"Accept": "text/csv"}), ("?format=csv", {"Accept": "application/json"})],
)
def test_list_ledger_writes_csv(client: TestClient, query: str, headers: dict[str, str]) -> None:
    open_budget(client, name="=HYPERLINK(0)")

    answer = client.get(f"/v1/ledger{query}", headers=headers)
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-type"].startswith("text/csv")
    assert [(row["seq"], row["kind"], row["amount"], row["currency"]) for row in rows] == [
        ("1", "fund", "500.00", "USD")
    ]
    assert rows[0]["budget"] == "'=HYPERLINK(0)"  # a spreadsheet would have run it


def test_routes_hide_other_workspaces(client: TestClient, database: Database) -> None:
    budget = open_budget(client)
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "elsewhere"), "test")
    client.headers["Authorization"] = f"Bearer {key}"

    assert client.get(f"/v1/budgets/{budget['id']}").status_code == 404
    assert client.get(f"/v1/budgets/{budget['id']}/usage").status_code == 404
    assert client.get("/v1/budgets").json()["items"] == []
    assert client.get("/v1/ledger/1").status_code == 404
    assert client.get(f"/v1/ledger?budget={budget['id']}").json()["items"] == []


def test_page_is_cut_before_anything_is_joined_for_the_role_that_serves(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    hold(database, workspace_id, open_budget(client), 100)
    values = values_of(EVERY_LINE) | {"workspace": workspace_id, "before": NEWEST, "limit": 51}
    plan = plan_for_many_rows(database, _page(EVERY_LINE), values)

    (place,) = [place for place, line in enumerate(plan) if "Backward using transfer_seq_unique" in line]
    assert "Limit" in plan[place - 1], plan
    assert any(re.search(r'using \w+ on "order" o ', line) for line in plan), plan
