"""Forms that a script of a page sends, and forms that are refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.dashboard.frame import TO_SCRIPT
from service.database.engine import Database
from tests.support.dashboard import fields_of, form_fields, send, sign_in, status_of, words_of
from tests.support.operations import NOBODY
from tests.support.ordering import open_budget, place, plan_scene, publish_prices

TEMPLATES = Path(__file__).parents[3] / "service" / "dashboard" / "templates"
BY_SCRIPT = {"Accept": TO_SCRIPT}
ORDERS = "/dashboard/orders"


@pytest.fixture
def order(client: TestClient) -> str:
    publish_prices(client)
    open_budget(client)
    return str(place(client, plan_scene(client)).json()["id"])


@pytest.fixture
def later() -> str:
    """Return a day to which the deadline of an order can be put off."""
    return str((datetime.now(UTC) + timedelta(days=60)).date())


def post(browser: TestClient, path: str, page: str, **fields: str) -> Any:
    """Send a form as `sending.js` does."""
    return browser.post(path, data=form_fields(browser, page) | fields, headers=BY_SCRIPT)


def test_every_form_that_acts_is_opened_with_its_hidden_fields() -> None:
    opened = {path.name: path.read_text().count("form_to(") for path in TEMPLATES.glob("*.html")}
    by_hand = {
        path.name for path in TEMPLATES.glob("*.html") if '<form method="post"' in path.read_text()
    } - {"forms.html"}
    assert by_hand == {"login.html"}  # nobody is signed in there
    assert sum(opened.values()) > 10


def test_script_learns_the_page_and_the_sentence_and_the_page_shows_it_too(
    browser: TestClient, order: str, later: str
) -> None:
    sign_in(browser)
    path = f"/dashboard/orders/{order}"
    answer = post(browser, f"{path}/deadline", path, last_day=later)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TO_SCRIPT)
    said = answer.json()
    assert said["page"] == path
    assert said["notice"].startswith("The order awaits its patches until the end of")
    assert said["notice"] in words_of(browser.get(path).text)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/deadline", 422, "The field last day"),  # refused before the route
        ("/next-round", 409, "counts"),  # refused by it
    ],
)
def test_script_gets_refusals_in_the_words_of_the_pages(
    browser: TestClient, order: str, path: str, status: int, words: str
) -> None:
    sign_in(browser)
    page = f"/dashboard/orders/{order}"
    answer = post(browser, f"{page}{path}", page)
    assert (answer.status_code, answer.headers["content-type"]) == (status, TO_SCRIPT)
    assert words.lower() in answer.json()["detail"].lower()


def test_script_of_nobody_learns_that_it_is_signed_out(browser: TestClient) -> None:
    answer = browser.post(f"/dashboard/orders/{NOBODY}/files", headers=BY_SCRIPT)
    assert (answer.status_code, answer.json()["title"]) == (401, "You are signed out")


def test_refused_form_keeps_its_key_and_other_forms_get_new_ones(browser: TestClient, order: str) -> None:
    sign_in(browser)
    page = f"/dashboard/orders/{order}"
    before = browser.get(page).text
    sent = fields_of(before, f"{page}/deadline")
    answer = browser.post(f"{page}/deadline", data=sent | {"last_day": "2001-01-01"})
    assert answer.status_code == 409
    assert fields_of(answer.text, f"{page}/deadline") == sent
    assert fields_of(answer.text, f"{page}/files") != fields_of(before, f"{page}/files")
    assert fields_of(browser.get(page).text, f"{page}/deadline") != sent


def test_key_of_other_entries_is_not_kept(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    plan = plan_scene(client)
    sign_in(browser)
    page = f"/dashboard/plans/{plan.id}/what-if"
    sent = fields_of(browser.get(page).text, page)
    lists = [one["id"] for one in client.get("/v1/price-lists").json()["items"] if one["currency"] == "USD"]
    assert browser.post(page, data=sent | {"price_list": lists[0], "patches": "2"}).status_code == 303
    other = browser.post(page, data=sent | {"price_list": lists[0], "patches": "3"})
    assert other.status_code == 422
    assert fields_of(other.text, page)["form_key"] != sent["form_key"]
    assert "This form was sent before with other entries" in words_of(other.text)


def test_answer_to_a_form_without_script_is_a_page(browser: TestClient, order: str, later: str) -> None:
    sign_in(browser)
    page = f"/dashboard/orders/{order}"
    assert send(browser, f"{page}/deadline", page, last_day=later).status_code == 303


def test_actions_refuse_another_workspace_and_another_session(
    client: TestClient, browser: TestClient, database: Database, order: str
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    for action, fields in (
        ("approval", {"decision": "approve"}), ("cancel", {}), ("deadline", {"last_day": "2030-01-01"}),
        ("classification", {}), ("next-round", {}), ("truth", {"true-0": "farm"}),
    ):  # fmt: skip
        path = f"{ORDERS}/{order}/{action}"
        assert send(browser, path, ORDERS, **fields).status_code == 404, action
        forged = form_fields(browser, ORDERS) | {"form_token": "0" * 64} | fields
        assert browser.post(path, data=forged).status_code == 403, action
    assert order not in browser.get(ORDERS).text
    assert browser.get(f"{ORDERS}/{order}/cancel").status_code == 404
    assert status_of(client, order) == "accepted"
