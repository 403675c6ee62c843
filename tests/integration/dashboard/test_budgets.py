"""The page of budgets."""

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.dashboard import budget_page
from service.database.engine import Database
from tests.support.bundles import usd
from tests.support.dashboard import follow, form_fields, sign_in, words_of
from tests.support.operations import NOBODY
from tests.support.ordering import Json, buy, change_budget, open_budget, plan_scene, publish_prices

PAGE = "/dashboard/budgets"


def test_budgets_show_use_end_forecast_and_terms_by_urgency(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client, name="calm", tags={"team": "north"})
    above = {"amount": "500.00", "currency": "USD"}
    tight = open_budget(
        client, "13.00", name="tight", thresholds=[50, 90], period="month", approval_above=above
    )
    buy(client, plan_scene(client), budget=tight)
    change_budget(client, tight, approval_above=None)
    sign_in(browser)

    page = browser.get(PAGE).text
    names = re.findall(r'<th scope="row"><a href="/dashboard/budgets/[^"]+">(\w+)</a>', page)
    words = words_of(page)

    assert names == ["tight", "calm"]
    for shown in ("90 % reached", "at this pace", "Granted each month", "team = north", "Not used yet"):
        assert shown in words, shown
    assert "another holder approves above 500.00 USD" in words
    assert "Waits for another holder: Change approval above to none" in words
    spent = client.get(f"/v1/budgets/{tight}/usage").json()["spent"]["amount"]
    assert f"{spent} USD" in words


def test_use_beyond_the_limit_is_a_share_of_the_limit(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    budget = open_budget(client, "6.00", enforcement="warn")
    buy(client, plan_scene(client), budget=budget)
    sign_in(browser)

    spent = client.get(f"/v1/budgets/{budget}/usage").json()["spent"]["amount"]
    assert float(spent) > 6
    share = f"{100 * float(spent) / 6:.1f} % of 6.00 USD"
    assert f"Spent {spent} USD {share}" in words_of(browser.get(f"{PAGE}/{budget}").text)


def test_budget_whose_every_order_needs_another_holder_says_so(
    client: TestClient, browser: TestClient
) -> None:
    open_budget(client, approval_above={"amount": "0", "currency": "USD"})
    sign_in(browser)

    assert "another holder approves above 0.00 USD" in words_of(browser.get(PAGE).text)


def test_proposal_is_withdrawn_on_the_page_by_its_holder_only(
    client: TestClient, browser: TestClient, colleague: dict[str, str]
) -> None:
    budget = open_budget(client, approval_above={"amount": "0", "currency": "USD"})
    change_budget(client, budget, approval_above=None)
    sign_in(browser, colleague["Authorization"].removeprefix("Bearer "))
    assert "Withdraw" not in words_of(browser.get(PAGE).text)
    sign_in(browser)
    (action,) = re.findall(r'action="(/dashboard/budgets/proposals/[^"]+)"', browser.get(PAGE).text)
    fields = form_fields(browser, PAGE)

    answers = [browser.post(action, data=fields) for _ in range(2)]  # a double click

    assert "The proposal is withdrawn" in follow(browser, answers[0])
    assert answers[1].status_code == 303
    refused = browser.post(action, data=form_fields(browser, PAGE))
    assert (refused.status_code, "has decided on this proposal before" in words_of(refused.text)) == (
        409,
        True,
    )
    assert "Withdraw" not in words_of(browser.get(PAGE).text)
    assert client.get("/v1/proposals").json()["items"][0]["status"] == "withdrawn"


def test_page_without_a_budget_says_how_to_make_one(browser: TestClient) -> None:
    sign_in(browser)
    assert "There is no budget yet." in browser.get(PAGE).text


def test_budgets_of_other_workspaces_are_not_shown(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    open_budget(client, name="Mine")
    assert browser.get(PAGE).headers["location"] == f"/dashboard/login?to={PAGE}"
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    assert "Mine" not in browser.get(PAGE).text


def test_history_says_who_changed_what_and_who_approved_it(
    client: TestClient, browser: TestClient, colleague: Json
) -> None:
    budget = open_budget(client, name="Harvest", approval_above=usd("12.00"), tags={"team": "north"})
    change_budget(client, budget, limit=usd("80.00"), tags={"team": "south"})
    (proposal,) = change_budget(client, budget, limit=usd("900.00")).json()["waiting"]
    sign_in(browser)
    page = f"{PAGE}/{budget}"
    assert "Change limit to 900.00 USD" in words_of(browser.get(page).text)
    answer = client.post(
        f"/v1/proposals/{proposal['id']}/approval",
        json={"decision": "approve", "note": "for the second field"},
        headers=colleague,
    )
    assert answer.status_code == 200, answer.text

    third, second, first = history(browser.get(page).text)
    assert (third[0], third[2], third[3]) == ("3", "Limit: 80.00 USD \u2192 900.00 USD", "operator")
    assert third[4].startswith("colleague, ")
    assert third[4].endswith(": for the second field")
    assert second[2] == "Limit: 100.00 USD \u2192 80.00 USD; Tags: team = north \u2192 team = south"
    assert second[4] == "not needed"
    assert first[2].startswith("Opened. Limit: 100.00 USD; Granted: once; ")
    assert "Another holder approves above: 12.00 USD" in first[2]
    words = words_of(browser.get(page).text)
    assert "approved" in words
    assert f'href="/dashboard/ledger?budget={budget}"' in browser.get(page).text


def test_long_history_comes_in_pages_that_lose_no_change(
    client: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_page, "VERSIONS", 2)
    budget = open_budget(client)
    for limit in ("90.00", "80.00"):
        change_budget(client, budget, limit=usd(limit))
    sign_in(browser)
    newest = browser.get(f"{PAGE}/{budget}").text
    older = re.search(r'href="([^"]+)">Older terms</a>', newest)
    assert older is not None
    rows = [*history(newest), *history(browser.get(older[1]).text)]

    assert [row[0] for row in rows] == ["3", "2", "1"]
    assert rows[1][2] == "Limit: 100.00 USD \u2192 90.00 USD"
    assert "Older terms" not in browser.get(older[1]).text


def test_new_period_is_part_of_the_history(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    budget = open_budget(client, period="month")
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE ledger.budget_terms SET period_starts_on = period_starts_on - interval '2 months'")
        )
    change_budget(client, budget, thresholds=[90])
    sign_in(browser)
    rows = history(browser.get(f"{PAGE}/{budget}").text)

    assert rows[1][2].startswith("New period from 1 ")
    assert rows[1][3] == "a new period began"
    assert rows[0][2] == "Thresholds: none \u2192 90 %"


def test_page_of_an_unknown_budget_says_so(browser: TestClient) -> None:
    sign_in(browser)
    answer = browser.get(f"{PAGE}/{NOBODY}")
    assert answer.status_code == 404
    assert "There is no budget" in answer.text


def history(page: str) -> list[list[str]]:
    """Return the cells of the history of terms."""
    found = re.search(r'aria-label="Versions of limit and terms".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found is not None, page
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    return [[words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]
