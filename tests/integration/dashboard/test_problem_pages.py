"""Whoever opens an address of the dashboard with a browser gets a page; programs get problem documents."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.dashboard import overview
from service.dashboard.routes import router
from service.settings import Settings
from tests.support.dashboard import form_fields, sign_in, words_of
from tests.support.operations import NOBODY
from tests.support.ordering import open_budget

JSON = {"Accept": "application/json"}
OPEN = ("/login", "/assets/")
"""Addresses that need no session."""


def addresses() -> list[str]:
    """Return every address of the dashboard that is read, with an id of nobody and a plausible ending."""
    found = []
    for route in router.routes:
        path, methods = str(getattr(route, "path", "")), getattr(route, "methods", None) or set()
        if "GET" in methods and not any(one in path for one in OPEN):
            ids = re.sub(r"\{(?:kind|form)\}", "csv", path)
            ids = re.sub(r"\{(?:tile|patch)\}", "3", ids).replace("{month}", "2026-10")
            found.append(re.sub(r"\{[a-z_]+\}", NOBODY, ids))
    return found


@pytest.mark.parametrize("address", addresses())
def test_person_without_a_session_is_led_to_the_sign_in_form(browser: TestClient, address: str) -> None:
    answer = browser.get(address)
    document = browser.get(address, headers=JSON)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/dashboard/login")
    assert browser.get(answer.headers["location"]).status_code == 200
    assert document.status_code == 401
    assert document.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/dashboard/nothing/here", 404, "There is no such page"),
        ("GET", "/dashboard/assets/none.css", 404, "Not found"),
        ("GET", "/dashboard/logout", 405, "This address is not a page"),
        ("GET", f"/dashboard/orders/{NOBODY}/approval", 405, "This address is not a page"),
        ("POST", "/dashboard/budgets", 405, "This address is not a page"),
        ("POST", "/dashboard/login", 422, "A field of the form cannot be read"),
    ],
)
def test_problem_is_a_page_for_people_and_a_document_for_programs(
    browser: TestClient, method: str, path: str, status: int, title: str
) -> None:
    page = browser.request(method, path)
    document = browser.request(method, path, headers=JSON)

    check(page, status, title)
    assert document.status_code == status
    assert document.headers["content-type"] == "application/problem+json"
    assert page.headers.get("allow") == document.headers.get("allow")
    outside = browser.get("/v1/nothing")
    assert outside.headers["content-type"] == "application/problem+json"


def check(page: Any, status: int, title: str) -> None:
    """Check a page of a problem: its title, what to do next, and no word of the API."""
    assert page.status_code == status, page.text
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert f"<h1>{title}</h1>" in page.text
    assert re.search(r'<a class="button primary" href="/dashboard[^"]*">', page.text)
    words = words_of(page.text)
    for word in ("/v1/", "GET ", "POST ", "/docs", "Idempotency", "header"):
        assert word not in words, word


def test_too_large_form_is_a_page(browser: TestClient) -> None:
    page = browser.post("/dashboard/login", data={"key": "k" * 3_000_000})
    check(page, 413, "The body is too large")
    assert "bytes" not in words_of(page.text)


def test_too_many_requests_are_a_page_that_says_when_to_try_again(settings: Settings) -> None:
    few = settings.model_copy(update={"requests_per_stranger": 2})
    with TestClient(create_app(few), headers={"Accept": "text/html"}, follow_redirects=False) as browser:
        answers = [browser.get("/dashboard/login") for _ in range(4)]
    check(answers[-1], 429, "Too many requests")
    assert "Try again in" in words_of(answers[-1].text)
    assert int(answers[-1].headers["retry-after"]) > 0


def test_failure_of_the_server_is_a_page_with_the_number_of_the_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings)
    with TestClient(app, headers={"Accept": "text/html"}, raise_server_exceptions=False) as browser:
        sign_in(browser)
        monkeypatch.setattr(overview, "read_page", lambda *_: 1 / 0)
        page = browser.get("/dashboard")
        document = browser.get("/dashboard", headers=JSON)
    check(page, 500, "Something went wrong on the server")
    assert page.headers["x-request-id"] in page.text
    assert document.headers["content-type"] == "application/problem+json"


def test_problem_leads_back_to_the_page_that_it_came_from(browser: TestClient) -> None:
    came = {"Referer": "http://testserver/dashboard/orders?status=held"}
    assert 'href="/dashboard/orders?status=held"' in browser.get("/dashboard/nothing", headers=came).text
    elsewhere = {"Referer": "http://elsewhere.example/dashboard/orders"}
    assert "elsewhere" not in browser.get("/dashboard/nothing", headers=elsewhere).text


@pytest.mark.parametrize("length", [10, 400, 5_000])
def test_address_of_any_length_leads_to_the_form_and_back_as_far_as_it_can_be_kept(
    browser: TestClient, length: int
) -> None:
    wanted = f"/dashboard/orders?text={'x' * length}"
    form = browser.get(browser.get(wanted).headers["location"])
    assert form.status_code == 200
    to = re.search(r'name="to" value="([^"]*)"', form.text)
    assert to is not None
    assert to[1] == (wanted if length < 1_000 else "/dashboard/orders")
    assert sign_in(browser, to=wanted).headers["location"] == (wanted if length < 1_000 else "/dashboard")


def test_filters_survive_signing_in(browser: TestClient) -> None:
    location = browser.get("/dashboard/ledger?kind=settle&provider=A%26B").headers["location"]
    to = parse_qs(urlsplit(location).query)["to"][0]
    assert to == "/dashboard/ledger?kind=settle&provider=A%26B"
    assert sign_in(browser, to=to).headers["location"] == to


def test_file_leads_back_to_the_page_with_its_link(browser: TestClient) -> None:
    came = {"Referer": "http://testserver/dashboard/ledger?kind=settle"}
    location = browser.get("/dashboard/ledger.csv?kind=settle", headers=came).headers["location"]
    assert location == "/dashboard/login?to=/dashboard/ledger%3Fkind%3Dsettle"
    assert browser.get("/dashboard/ledger.csv").headers["location"] == "/dashboard/login"


def test_form_of_an_order_says_what_is_wrong_in_words_of_the_page(
    browser: TestClient, client: TestClient
) -> None:
    open_budget(client)
    sign_in(browser)
    page = browser.get("/dashboard/orders", params={"text": "x" * 101})
    check(page, 422, "The address of the page cannot be read")
    assert "Name, tag, id or owner" in words_of(page.text)
    sent = browser.post(f"/dashboard/orders/{NOBODY}/deadline", data=form_fields(browser))
    check(sent, 422, "A field of the form cannot be read")
    assert "Last day: it is missing" in words_of(sent.text)
    assert f'href="/dashboard/orders/{NOBODY}"' in sent.text


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/dashboard/orders/7/approval", "/dashboard/orders/7"),
        ("/dashboard/plans/new", "/dashboard/plans/new"),
        ("/dashboard/plans/7/what-if", "/dashboard/plans/7/what-if?budget=2.50"),
    ],
)
def test_form_without_a_session_leads_back_to_its_page_and_says_that_nothing_changed(
    browser: TestClient, address: str, page: str
) -> None:
    answer = browser.post(address, data={}, headers={"Referer": f"http://testserver{page}"})
    form = browser.get(answer.headers["location"])
    assert "your form was not carried out and nothing has changed" in words_of(form.text)
    to = parse_qs(urlsplit(answer.headers["location"]).query)["to"][0]
    assert (answer.status_code, to) == (303, page)
    assert sign_in(browser, to=to).headers["location"] == page
    assert "not carried out" not in browser.get("/dashboard/login").text
