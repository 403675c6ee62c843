"""The first page: savings of a period, by group, and everything that leads from them."""

import csv
import html
import io
import json
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.dashboard import exports
from service.database.engine import Database
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices

PAGE = "/dashboard"


def make_older(database: Database, order: str, months: int) -> None:
    """Let an order have been placed some months earlier."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                'UPDATE "order" SET created_at = created_at - make_interval(months => :months) WHERE id = :id'
            ),
            {"months": months, "id": order},
        )


def table(page: str, title: str) -> list[list[str]]:
    """Return the cells of a table's rows."""
    found = re.search(rf'aria-label="{title}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found is not None, page
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    return [[words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


def test_period_chooses_orders_and_periods_add_up(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    open_budget(client, name="Harvest")
    old = buy(client, plan_scene(client))
    new = buy(client, plan_scene(client, reuse="none"))
    make_older(database, old, 12)
    sign_in(browser)

    def shown(query: str) -> list[list[str]]:
        return table(browser.get(f"{PAGE}?{query}").text, "Savings by group")

    assert shown("period=month")[0][:2] == ["Harvest", "1"]
    assert shown("period=all")[0][:2] == ["Harvest", "2"]
    month, everything = browser.get(PAGE).text, browser.get(f"{PAGE}?period=all").text
    listed = [
        [row[0] for row in table(page, "Latest orders of these savings")] for page in (month, everything)
    ]
    assert listed == [[new[:8]], [new[:8], old[:8]]]
    # The ground of the earlier order does not count again in the later period.
    report = client.get("/v1/reports/savings").json()["currencies"][0]["savings"]["realised"]["amount"]
    sums = [float(shown(query)[0][2].split()[0].replace(",", "")) for query in ("period=month", "period=all")]
    assert sums[1] == float(report)
    assert sums[0] < 0 < sums[1]
    assert "against the period before" in month
    assert "against the period before" not in everything


def test_period_without_orders_says_so(client: TestClient, browser: TestClient, database: Database) -> None:
    publish_prices(client)
    open_budget(client)
    make_older(database, buy(client, plan_scene(client)), 24)
    sign_in(browser)

    assert "No order was placed in this period." in browser.get(PAGE).text


@pytest.mark.parametrize(
    "query", ["period=century", "from=soon", "from=2026-02-02&to=2026-02-01&period=custom"]
)
def test_refuses_a_period_that_it_cannot_use(browser: TestClient, query: str) -> None:
    sign_in(browser)

    assert browser.get(f"{PAGE}?{query}").status_code == 422


def test_groups_lead_to_their_orders(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    north = open_budget(client, name="one", tags={"team": "north"})
    south = open_budget(client, name="two", tags={"team": "south"})
    first = buy(client, plan_scene(client), budget=north, cost_center="4711")
    second = buy(client, plan_scene(client, reuse="none"), budget=south)
    sign_in(browser)
    for by, names in (
        ("budget", {"one", "two"}), ("tag:team", {"north", "south"}), ("cost-centre", {"4711", "none"}),
        ("provider", {"Acme"}), ("key", {"operator"}),
    ):  # fmt: skip
        assert {row[0] for row in table(browser.get(f"{PAGE}?by={by}").text, "Savings by group")} == names
    link = re.search(r'href="([^"]+)">one</a></th>', browser.get(PAGE).text)
    assert link is not None
    listed = browser.get(html.unescape(link[1])).text
    assert (first in listed, second in listed) == (True, False)


def test_saving_that_is_not_known_is_a_dash_in_every_table(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client, name="one")
    place(client, plan_scene(client))
    sign_in(browser)

    page = browser.get(PAGE).text
    assert [row[2] for row in table(page, "Savings by group")] == ["\u2013"]
    assert [(row[1], row[9]) for row in table(page, "Savings per currency")] == [("\u2013", "1 open")]
    assert [row[3:5] for row in table(page, "Latest orders of these savings")] == [["\u2013", "\u2013"]]


def test_the_currency_with_the_largest_saving_leads(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    publish_prices(client, "euro", currency="EUR")
    open_budget(client, name="dollars")
    open_budget(client, currency="EUR", name="euros")
    buy(client, plan_scene(client))
    place(client, plan_scene(client, price_list="euro", reuse="none"))
    sign_in(browser)

    rows = table(browser.get(PAGE).text, "Savings per currency")
    assert [row[0] for row in rows] == ["USD", "EUR"]


def test_planned_savings_are_apart(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    place(client, plan_scene(client, max_patches=1))
    plan = plan_scene(client, max_patches=2)
    planned = client.get(f"/v1/plans/{plan.id}").json()["savings"]["billable"]["amount"]
    sign_in(browser)

    assert f"Planned saving {float(planned):,.2f} USD" in words_of(browser.get(PAGE).text)


def test_true_labels_stand_beside_the_card(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client))
    made = client.post(f"/v1/orders/{order}/classification").json()
    known = made["tiles"][:2]
    truth = {"tiles": [{"tile": one["tile"], "true_label": one["label"]} for one in known]}
    client.put(f"/v1/orders/{order}/truth", json=truth).raise_for_status()
    sign_in(browser)

    right = sum(one["lr_label"] == one["label"] for one in known)
    page = words_of(browser.get(PAGE).text)
    assert "Labels right on our own scenes 100.0" in page
    assert f"2 of 2 tiles with a true label; {right} would be right from low resolution only" in page
    assert "Accuracy that the bundle's card states" in page


def test_ledger_files_have_every_entry(
    client: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "READ_AT_ONCE", 2)
    publish_prices(client)
    open_budget(client)
    buy(client, plan_scene(client))
    sign_in(browser)
    seqs = [line["seq"] for line in client.get("/v1/ledger?limit=100").json()["items"]]

    rows = list(csv.DictReader(io.StringIO(browser.get("/dashboard/ledger.csv").text)))
    entries = json.loads(browser.get("/dashboard/ledger.json").text)["items"]

    assert len(seqs) > 4
    assert [int(row["seq"]) for row in rows] == [one["seq"] for one in entries] == seqs


@pytest.mark.parametrize("name", ["budgets", "plans"])
def test_files_of_lists_have_every_row(
    client: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(exports, "READ_AT_ONCE", 2)
    publish_prices(client)
    for number in range(5):
        open_budget(client, name=f"budget {number}")
        plan_scene(client, reuse="none")
    sign_in(browser)
    ids = [one["id"] for one in client.get(f"/v1/{name}?limit=100").json()["items"]]

    rows = list(csv.DictReader(io.StringIO(browser.get(f"/dashboard/{name}.csv").text)))
    items = json.loads(browser.get(f"/dashboard/{name}.json").text)["items"]

    assert len(ids) == 5
    assert [row["id"] for row in rows] == [one["id"] for one in items] == ids


@pytest.mark.parametrize("name", ["savings.csv", "savings.json", "ledger.csv", "ledger.json", "plans.csv"])
def test_no_cache_stores_a_file_of_a_session(browser: TestClient, name: str) -> None:
    sign_in(browser)
    assert browser.get(f"{PAGE}/{name}").headers["cache-control"] == "no-store"


def test_savings_file_has_the_orders_of_the_period(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    open_budget(client)
    old, new = buy(client, plan_scene(client)), buy(client, plan_scene(client, reuse="none"))
    make_older(database, old, 12)
    sign_in(browser)
    link = re.search(r'href="([^"]+)">Orders as CSV', browser.get(PAGE).text)
    assert link is not None

    rows = list(csv.DictReader(io.StringIO(browser.get(html.unescape(link[1])).text)))
    assert [row["order"] for row in rows] == [new]
