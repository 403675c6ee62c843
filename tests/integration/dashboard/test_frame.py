"""The frame of the dashboard's pages: navigation, notices, problems, and the way back after signing in."""

import re
from uuid import uuid4

import pytest
from fastapi import Response
from fastapi.testclient import TestClient
from starlette.requests import Request

from service.access.roles import Role
from service.dashboard.notices import COOKIE, leave_notice, read_notice
from service.dashboard.session import Visitor
from tests.support.dashboard import sign_in
from tests.support.operations import NOBODY


def test_page_names_workspace_key_and_role_and_marks_its_view(browser: TestClient) -> None:
    sign_in(browser)
    page = browser.get("/dashboard").text

    assert "operator, admin" in page
    assert re.search(r'<a href="/dashboard" aria-current="page">Overview</a>', page)
    assert 'href="#content"' in page


def test_signing_in_leads_to_the_page_that_was_asked_for(browser: TestClient) -> None:
    wanted = f"/dashboard/orders/{uuid4()}"
    form = browser.get(browser.get(wanted).headers["location"]).text
    assert f'name="to" value="{wanted}"' in form
    assert sign_in(browser, to=wanted).headers["location"] == wanted


@pytest.mark.parametrize(
    "to", ["https://elsewhere.example", "//elsewhere.example", "/dashboardx", "/dashboard/\\x", "/v1/plans"]
)
def test_signing_in_leads_nowhere_else(browser: TestClient, to: str) -> None:
    assert sign_in(browser, to=to).headers["location"] == "/dashboard"
    assert 'name="to" value="/dashboard"' in browser.get("/dashboard/login", params={"to": to}).text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"/dashboard/orders/{NOBODY}", 404, "There is no order"),
        ("/dashboard/orders/nonsense", 422, "The address is incomplete"),
        ("/dashboard?surprise=1", 422, "This page has no filter surprise."),
    ],
)
def test_problem_is_a_page_for_a_browser_and_a_document_for_a_program(
    browser: TestClient, path: str, status: int, words: str
) -> None:
    sign_in(browser)
    page = browser.get(path)
    document = browser.get(path, headers={"Accept": "application/json"})

    assert (page.status_code, document.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert words in page.text
    assert document.headers["content-type"] == "application/problem+json"


def _visitor(token: str) -> Visitor:
    return Visitor(workspace_id=uuid4(), key_id="abcdefgh", holder="abcdefgh", role=Role.VIEWER, token=token)


def test_notice_is_shown_once_and_only_to_its_session(browser: TestClient) -> None:
    sign_in(browser)
    answer = Response()
    request = Request(
        {"type": "http", "scheme": "http", "server": ("testserver", 80), "path": "/", "headers": []}
    )
    leave_notice(request, answer, _visitor(browser.cookies["loupe_session"]), "The order <b> is approved.")
    value = answer.headers["set-cookie"].split(";")[0].removeprefix(f"{COOKIE}=").strip('"')
    browser.cookies.set(COOKIE, value, domain="testserver.local", path="/dashboard")
    assert (
        '<p class="notice" role="status">The order &lt;b&gt; is approved.</p>'
        in browser.get("/dashboard").text
    )
    assert "is approved" not in browser.get("/dashboard").text

    browser.cookies.clear()
    sign_in(browser)
    browser.cookies.set(COOKIE, value, domain="testserver.local", path="/dashboard")
    page = browser.get("/dashboard")
    assert page.status_code == 200
    assert "is approved" not in page.text


@pytest.mark.parametrize("value", ["", ".", "not base64.abc", "\xe9.\xe9", "YQ==." + "0" * 64])
def test_notice_of_nobody_is_ignored(value: str) -> None:
    headers = [(b"cookie", f"{COOKIE}={value}".encode("latin-1"))]
    request = Request({"type": "http", "headers": headers})
    assert read_notice(request, _visitor("nobody")) is None
