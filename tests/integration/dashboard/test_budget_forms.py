"""Opening a budget and changing its terms on the pages, with the rules of the API."""

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace, first_workspace
from service.access.roles import Role
from service.database.engine import Database
from tests.support.bundles import usd
from tests.support.dashboard import fields_of, follow, is_wrong, sign_in, values_of, words_of
from tests.support.ordering import (
    Json,
    begin_periods_earlier,
    buy,
    change_budget,
    open_budget,
    plan_scene,
    publish_prices,
)

PAGE = "/dashboard/budgets"
NEW = f"{PAGE}/new"


def terms_page(budget: str) -> str:
    return f"{PAGE}/{budget}/terms"


def fill_in(browser: TestClient, path: str, **entries: str) -> dict[str, str]:
    """Return the fields of a form as a person fills them in."""
    return values_of(browser.get(path).text, path) | entries


def budgets(client: TestClient) -> list[Json]:
    items: list[Json] = client.get("/v1/budgets").json()["items"]
    return items


def read(client: TestClient, budget: str) -> Json:
    found: Json = client.get(f"/v1/budgets/{budget}").json()
    return found


def test_budget_is_opened_with_every_entry_of_the_form(client: TestClient, browser: TestClient) -> None:
    sign_in(browser)
    entries = {
        "name": "Harvest 2026", "limit": "500.00", "currency": "EUR", "period": "quarter",
        "starts_on": "2026-11-01", "ends_on": "2030-12-31", "enforcement": "warn", "thresholds": "90, 50",
        "approval_above": "12.50", "tags": "team=north\r\nseason=late autumn\r\n",
    }  # fmt: skip
    answer = browser.post(NEW, data=fill_in(browser, NEW, **entries))

    (made,) = budgets(client)
    assert answer.headers["location"] == f"{PAGE}/{made['id']}"
    assert "The budget is open. Orders can hold and spend 500.00 EUR each quarter." in follow(browser, answer)
    expected = {
        "name": "Harvest 2026", "limit": {"amount": "500.00", "currency": "EUR"}, "period": "quarter",
        "starts_on": "2026-11-01", "ends_on": "2030-12-31", "enforcement": "warn", "thresholds": [50, 90],
        "approval_above": {"amount": "12.50", "currency": "EUR"},
        "tags": {"team": "north", "season": "late autumn"}, "version": 1,
    }  # fmt: skip
    assert {name: made[name] for name in expected} == expected


def test_untouched_fields_give_the_terms_of_a_new_budget(client: TestClient, browser: TestClient) -> None:
    sign_in(browser)
    browser.post(NEW, data=fill_in(browser, NEW, name="On the page", limit="100.00"))
    open_budget(client, name="By the API")
    by_api, on_page = budgets(client)
    own = ("id", "name", "created_at", "links")
    assert {k: v for k, v in by_api.items() if k not in own} == {
        k: v for k, v in on_page.items() if k not in own
    }


def test_form_sent_twice_opens_one_budget(client: TestClient, browser: TestClient) -> None:
    sign_in(browser)
    data = fill_in(browser, NEW, name="Once", limit="1")
    answers = [browser.post(NEW, data=data) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len(budgets(client)) == 1


def test_refused_form_keeps_its_entries_and_says_at_each_field_what_is_wrong(
    client: TestClient, browser: TestClient
) -> None:
    sign_in(browser)
    wrong = {
        "name": "A & B", "limit": "1,000", "currency": "JPY", "period": "year", "enforcement": "off",
        "thresholds": "half", "tags": "team=north\nseason", "ends_on": "2030-01-31",
    }  # fmt: skip
    data = fill_in(browser, NEW, **wrong)
    answer = browser.post(NEW, data=data)

    assert answer.status_code == 422
    assert values_of(answer.text, NEW) == data  # its key as well
    assert [name for name in wrong if is_wrong(answer.text, name)] == ["limit", "thresholds", "tags"]
    assert "Nothing was changed. Correct the fields: Limit, Thresholds, Tags." in words_of(answer.text)
    assert budgets(client) == []

    corrected = values_of(answer.text, NEW) | {"limit": "1000", "thresholds": "", "tags": ""}
    assert browser.post(NEW, data=corrected).status_code == 303
    assert budgets(client)[0]["limit"] == {"amount": "1000", "currency": "JPY"}


@pytest.mark.parametrize(
    ("entries", "status", "field", "words"),
    [
        ({"name": "Taken"}, 409, "name", "already has a budget named 'Taken'"),
        (
            {"starts_on": "2026-12-02", "ends_on": "2026-12-01"}, 422, "ends_on",
            "would end on 2026-12-01, before it starts",
        ),
    ],
)  # fmt: skip
def test_refusal_of_the_ledger_stands_at_its_field(
    client: TestClient, browser: TestClient, entries: dict[str, str], status: int, field: str, words: str
) -> None:
    open_budget(client, name="Taken")
    sign_in(browser)
    data = fill_in(browser, NEW, **{"name": "New", "limit": "1"} | entries)
    answer = browser.post(NEW, data=data)
    assert (answer.status_code, is_wrong(answer.text, field)) == (status, True)
    assert words in words_of(answer.text)


def test_budget_beside_one_with_a_second_key_opens_with_approval_of_everything(
    client: TestClient, browser: TestClient
) -> None:
    open_budget(client, approval_above=usd("5.00"))
    sign_in(browser)
    page = browser.get(NEW).text
    assert "so a new one opens with 0" in words_of(page)
    refused = browser.post(NEW, data=fill_in(browser, NEW, name="Free", limit="9", approval_above=""))
    assert (refused.status_code, is_wrong(refused.text, "approval_above")) == (409, True)
    assert "approval_above of" not in words_of(refused.text)
    assert "opens with 0.00 USD: another holder approves each of its orders. Write 0" in words_of(
        refused.text
    )
    opened = browser.post(NEW, data=fill_in(browser, NEW, name="Careful", limit="9"))
    assert opened.status_code == 303
    assert budgets(client)[0]["approval_above"] == usd("0.00")


def test_new_budget_begins_in_the_currency_that_a_page_asks_for(
    client: TestClient, browser: TestClient
) -> None:
    sign_in(browser)
    assert fill_in(browser, NEW)["currency"] == "USD"
    assert values_of(browser.get(f"{NEW}?currency=CHF").text, NEW)["currency"] == "CHF"
    assert values_of(browser.get(f"{NEW}?currency=XXX").text, NEW)["currency"] == "USD"
    open_budget(client, currency="EUR")
    assert fill_in(browser, NEW)["currency"] == "EUR"


def test_plan_without_a_budget_in_its_currency_leads_to_one(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client, currency="EUR")
    plan = plan_scene(client)
    sign_in(browser)
    assert f'href="{NEW}?currency=USD"' in browser.get(f"/dashboard/plans/{plan.id}").text


def test_terms_are_changed_on_the_page(client: TestClient, browser: TestClient) -> None:
    budget = open_budget(client, name="Harvest", tags={"team": "north", "year": "2026"}, thresholds=[50])
    path = terms_page(budget)
    sign_in(browser)
    assert f'href="{path}"' in browser.get(f"{PAGE}/{budget}").text
    data = fill_in(browser, path, limit="80.00", tags="team=south", thresholds="", ends_on="2030-12-31")
    answer = browser.post(path, data=data)

    assert answer.headers["location"] == f"{PAGE}/{budget}"
    assert "Limit and terms are changed: version 2 is in force." in follow(browser, answer)
    now = read(client, budget)
    changed = (now["limit"], now["tags"], now["thresholds"], now["ends_on"], now["name"])
    assert changed == (usd("80.00"), {"team": "south"}, [], "2030-12-31", "Harvest")


def test_form_of_terms_sent_twice_or_unchanged_makes_no_second_version(
    client: TestClient, browser: TestClient
) -> None:
    budget = open_budget(client)
    path = terms_page(budget)
    sign_in(browser)
    data = fill_in(browser, path, limit="80.00")
    assert [browser.post(path, data=data).status_code for _ in range(2)] == [303, 303]
    answer = browser.post(path, data=fill_in(browser, path))
    assert "the form changed nothing" in follow(browser, answer)
    assert read(client, budget)["version"] == 2


def test_change_that_gives_more_freedom_waits_for_another_holder(
    client: TestClient, browser: TestClient, colleague: Json
) -> None:
    budget = open_budget(client, approval_above=usd("5.00"))
    path = terms_page(budget)
    sign_in(browser)
    answer = browser.post(path, data=fill_in(browser, path, approval_above="", thresholds="90"))
    page = follow(browser, answer)
    assert "it waits until another holder approves it" in page
    assert read(client, budget)["approval_above"] == usd("5.00")

    (waiting,) = read(client, budget)["waiting"]
    decided = client.post(
        f"/v1/proposals/{waiting['id']}/approval", json={"decision": "approve"}, headers=colleague
    )
    assert decided.status_code == 200, decided.text
    assert "approval_above" not in read(client, budget)
    assert read(client, budget)["thresholds"] == [90]


def test_limit_below_use_is_refused_at_the_limit(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    budget = open_budget(client)
    buy(client, plan_scene(client))
    path = terms_page(budget)
    sign_in(browser)
    answer = browser.post(path, data=fill_in(browser, path, limit="1.00"))
    assert (answer.status_code, is_wrong(answer.text, "limit")) == (409, True)
    assert values_of(answer.text, path)["limit"] == "1.00"
    assert "of the budget is held or spent, so its limit cannot be 1.00 USD." in words_of(answer.text)


def test_form_that_somebody_overtook_shows_both_changes_and_can_be_sent_again(
    client: TestClient, browser: TestClient
) -> None:
    budget = open_budget(client, tags={"team": "north"})
    path = terms_page(budget)
    sign_in(browser)
    data = fill_in(browser, path, limit="80.00")
    change_budget(client, budget, tags={"team": "south"}, thresholds=[75])
    refused = browser.post(path, data=data)

    assert refused.status_code == 412
    assert "Version 2 is in force now." in words_of(refused.text)
    shown = values_of(refused.text, path)
    assert (shown["version"], shown["limit"], shown["tags"], shown["thresholds"]) == (
        "2", "80.00", "team=south", "75",
    )  # fmt: skip
    assert browser.post(path, data=shown).status_code == 303
    now = read(client, budget)
    assert (now["limit"], now["tags"], now["thresholds"]) == (usd("80.00"), {"team": "south"}, [75])


@pytest.mark.parametrize(
    ("thresholds", "said"), [("90", "version 3 is in force"), ("", "the form changed nothing")]
)
def test_form_that_begins_a_new_period_is_not_taken_for_an_old_one(
    client: TestClient, browser: TestClient, database: Database, thresholds: str, said: str
) -> None:
    budget = open_budget(client, period="month")
    begin_periods_earlier(database)
    path = terms_page(budget)
    sign_in(browser)
    answer = browser.post(path, data=fill_in(browser, path, thresholds=thresholds))
    assert said in follow(browser, answer)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.BUYER])
def test_role_without_the_right_sees_who_may_and_is_refused(
    client: TestClient, browser: TestClient, database: Database, role: Role
) -> None:
    budget = open_budget(client)
    with database.sessions.begin() as session:
        key = create_key(session, first_workspace(session), "own", role)
    sign_in(browser, key)
    assert NEW not in browser.get(PAGE).text
    assert terms_page(budget) not in browser.get(f"{PAGE}/{budget}").text
    for path, said in ((NEW, "open budgets"), (terms_page(budget), "change budgets")):
        page = browser.get(path).text
        assert f"Your key may not {said}." in words_of(page)
        assert "a key for the role finance or admin" in words_of(page)
        data = fields_of(page) | {"name": "Mine", "limit": "1.00", "currency": "USD", "version": "1"}
        assert browser.post(path, data=data).status_code == 403
    assert [(one["name"], one["version"]) for one in budgets(client)] == [("Year", 1)]


def test_form_of_another_session_opens_nothing(client: TestClient, browser: TestClient) -> None:
    sign_in(browser)
    data = fill_in(browser, NEW, name="Foreign", limit="1")
    assert browser.post(NEW, data=data | {"form_token": "0" * 64}).status_code == 403
    assert budgets(client) == []


def test_budget_of_another_workspace_cannot_be_changed(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    budget = open_budget(client)
    sign_in(browser)
    data = fill_in(browser, terms_page(budget), limit="1.00")
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    assert browser.get(terms_page(budget)).status_code == 404
    own = fields_of(browser.get(NEW).text, NEW)
    assert browser.post(terms_page(budget), data=data | own).status_code == 404
    assert read(client, budget)["limit"] == usd("100.00")
