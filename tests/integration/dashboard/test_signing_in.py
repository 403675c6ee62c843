"""Signing in to the dashboard and out: cookies, wrong keys, forms of other sites."""

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.dashboard import sign_in


def test_dashboard_redirects_a_stranger_to_login(browser: TestClient) -> None:
    answer = browser.get("/dashboard")

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
    assert 'name="key"' in browser.get("/dashboard/login").text


def test_login_with_a_key_opens_the_page(browser: TestClient) -> None:
    answer = sign_in(browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert "Latest ledger entries" in browser.get("/dashboard").text


def test_cookie_is_limited_to_the_dashboard(browser: TestClient) -> None:
    cookie = sign_in(browser).headers["set-cookie"]

    assert {"HttpOnly", "Path=/dashboard", "SameSite=strict"} <= set(cookie.split("; "))
    # The API ignores the cookie even when a client sends it.
    value = cookie.split(";")[0]
    assert browser.get("/v1/budgets", headers={"Cookie": value}).status_code == 401


def test_cookie_is_secure_over_https(settings: Settings) -> None:
    with TestClient(
        create_app(settings), base_url="https://loupe.example", follow_redirects=False
    ) as browser:
        assert "Secure" in sign_in(browser).headers["set-cookie"].split("; ")


@pytest.mark.parametrize("key", ["not-a-key-of-anybody", "loupe_abcdefgh_" + "x" * 43, " "])
def test_login_refuses_a_wrong_key(browser: TestClient, key: str) -> None:
    answer = sign_in(browser, key)

    assert answer.status_code == 401
    assert "This key is not valid." in answer.text
    assert "set-cookie" not in answer.headers
    assert browser.get("/dashboard").status_code == 303


def test_logout_closes_the_page(browser: TestClient) -> None:
    sign_in(browser)
    answer = browser.post("/dashboard/logout")

    assert answer.headers["location"] == "/dashboard/login"
    assert browser.get("/dashboard").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_login_and_logout_refuse_a_form_of_another_site(browser: TestClient, headers: dict[str, str]) -> None:
    assert sign_in(browser, **headers).status_code == 403
    assert browser.post("/dashboard/logout", headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}])
def test_login_accepts_the_form_of_this_site(browser: TestClient, headers: dict[str, str]) -> None:
    assert sign_in(browser, **headers).status_code == 303
