"""The report of a month: money, savings, groups, invoices and orders, each with the way to its rows."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.dashboard import monthly_report
from service.database.engine import Database
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices

PAGE = "/dashboard/reports"
NOW = f"{datetime.now(UTC):%Y-%m}"
LOSS = "A saving is negative if an earlier order already counts the ground"


def cells(page: str, title: str) -> list[list[str]]:
    """Return the cells of a table's rows."""
    found = re.search(rf'aria-label="{title}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found is not None, page
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    return [[words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


@pytest.fixture
def orders(client: TestClient) -> list[str]:
    """Return a completed order of the team north, and one whose money is held."""
    publish_prices(client)
    budget = open_budget(client, name="Harvest", tags={"team": "north"})
    done = buy(client, plan_scene(client), budget=budget)
    held = str(place(client, plan_scene(client, reuse="none")).json()["id"])
    paid = client.get(f"/v1/orders/{done}").json()["amounts"]["settled"]["amount"]
    document = {
        "number": "R-1", "provider": "Acme", "date": f"{datetime.now(UTC):%Y-%m-%d}", "currency": "USD",
        "lines": [{"reference": done, "amount": paid}],
    }  # fmt: skip
    assert client.post("/v1/invoices", json=document).status_code == 201
    return [done, held]


def test_report_agrees_with_the_reports_of_the_api(
    browser: TestClient, client: TestClient, orders: list[str]
) -> None:
    sign_in(browser)
    page = browser.get(f"{PAGE}/{NOW}").text
    words = words_of(page)
    (entry,) = client.get("/v1/reports/savings").json()["currencies"]
    (budget,) = client.get("/v1/budgets").json()["items"]
    usage = client.get(f"/v1/budgets/{budget['id']}/usage").json()

    assert f"Realised saving {entry['savings']['realised']['amount']} USD" in words
    assert f"Spent {usage['spent']['amount']} USD" in words
    assert f"Held {usage['held']['amount']} USD" in words
    assert f"Left {usage['available']['amount']} USD" in words
    assert "Confirmed by invoices 100.0 %" in words
    assert f"1 document issued in the month, {usage['spent']['amount']} USD net" in words
    ((name, granted, spent, held, left),) = cells(page, "Budgets of the month")
    assert (name, granted) == ("Harvest", "100.00 USD")
    amounts = [f"{usage[one]['amount']} USD" for one in ("spent", "held", "available")]
    assert [spent, held, left] == amounts
    assert [row[:2] for row in cells(page, "USD by Tag: team")] == [["north", "2"]]
    assert [row[:2] for row in cells(page, "USD by Provider")] == [["Acme", "2"]]
    rows = {row[0]: row for row in cells(page, "Orders of the month")}
    assert rows[orders[0][:8]][-1] == "confirmed"
    assert rows[orders[1][:8]][-1] == "none"
    assert f"/dashboard/orders?status=completed&amp;currency=USD&amp;from={NOW}-01&amp;to=" in page
    assert f"budget={budget['id']}" in page
    assert "its figures still change" in words
    assert LOSS not in words


def test_negative_saving_is_explained(browser: TestClient, client: TestClient, orders: list[str]) -> None:
    budget = client.get("/v1/budgets").json()["items"][0]["id"]
    again = buy(client, plan_scene(client, reuse="none"), budget=budget)
    sign_in(browser)
    page = browser.get(f"{PAGE}/{NOW}").text

    rows = {row[0]: row for row in cells(page, "Orders of the month")}
    assert again not in orders
    assert rows[again[:8]][6].startswith("-")
    assert LOSS in words_of(page)


def test_ended_month_shows_the_money_as_it_stood_at_its_end(
    browser: TestClient, orders: list[str], database: Database
) -> None:
    assert orders
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE ledger.transfer SET at = at - interval '40 days' WHERE kind IN ('fund', 'reserve')")
        )
    sign_in(browser)
    earlier = f"{datetime.now(UTC).date().replace(day=1):%Y-%m}"
    with database.sessions() as session:
        first = session.execute(text("SELECT at FROM ledger.transfer WHERE seq = 1")).scalar_one()
        held = session.execute(
            text("SELECT sum(amount) FROM ledger.transfer WHERE kind = 'reserve'")
        ).scalar_one()
    past = f"{first:%Y-%m}"
    page = browser.get(f"{PAGE}/{past}").text
    ((_, granted, spent, reserved, _),) = cells(page, "Budgets of the month")

    assert (granted, spent, reserved) == ("100.00 USD", "0.00 USD", f"{held / 100:.2f} USD")
    assert "The month is over and not closed" in words_of(page)
    assert "No order was placed" in page
    assert past != earlier
    listed = browser.get(PAGE).text
    assert f'href="/dashboard/reports/{past}"' in listed
    assert f'href="/dashboard/reports/{NOW}"' in listed
    with database.sessions.begin() as session:  # the books must be right after the test
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE ledger.transfer SET at = at + interval '40 days' WHERE kind IN ('fund', 'reserve')")
        )


@pytest.mark.parametrize(
    ("month", "words"),
    [("2026-13", "A month is written as year-month"), ("9999-12", "December 9999 has not begun")],
)
def test_month_without_a_report_is_a_page(browser: TestClient, month: str, words: str) -> None:
    sign_in(browser)
    answer = browser.get(f"{PAGE}/{month}")
    assert answer.status_code == 404
    assert words in words_of(answer.text)


def test_empty_workspace_and_empty_month_say_so(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    assert "There is no report yet." in browser.get(PAGE).text
    assert "No budget had money in" in browser.get(f"{PAGE}/{NOW}").text

    open_budget(client)
    page = browser.get(f"{PAGE}/{NOW}").text
    assert "No order, payment, hold or invoice in USD." in words_of(page)
    assert [row[0] for row in cells(page, "Budgets of the month")] == ["Year"]
    assert '<a href="/dashboard/reports" aria-current="true">Reports</a>' in page


def test_report_names_the_most_used_budgets_and_leads_to_the_others(
    browser: TestClient, client: TestClient, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert orders
    open_budget(client, name="A budget that nobody uses")
    monkeypatch.setattr(monthly_report, "BUDGETS", 1)
    sign_in(browser)
    page = browser.get(f"{PAGE}/{NOW}").text

    assert [row[0] for row in cells(page, "Budgets of the month")] == ["Harvest"]
    assert "The 1 with the most spent and held of 2; all budgets" in words_of(page)
