"""Signing in to the dashboard and out: cookies, wrong keys, forms of other sites."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.dashboard import sign_in, sign_out
from tests.support.databases import KEY


def test_dashboard_redirects_a_stranger_to_login(browser: TestClient) -> None:
    answer = browser.get("/dashboard")

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
    assert 'name="key"' in browser.get("/dashboard/login").text


def test_login_with_a_key_opens_the_page(browser: TestClient) -> None:
    answer = sign_in(browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert "Latest movements of money" in browser.get("/dashboard").text


def test_cookie_opens_only_the_dashboard_and_is_not_the_key(browser: TestClient) -> None:
    cookie = sign_in(browser).headers["set-cookie"]

    assert {"HttpOnly", "Path=/dashboard", "SameSite=strict"} <= set(cookie.split("; "))
    name, _, token = cookie.split(";")[0].partition("=")
    assert (name, KEY in cookie) == ("loupe_session", False)
    # The API ignores the cookie, and its token is no key.
    for shown in ({"Cookie": f"{name}={token}"}, {"Authorization": f"Bearer {token}"}):
        answer = browser.get("/v1/budgets", headers={"Accept": "application/json"} | shown)
        assert answer.status_code == 401


def test_cookie_over_https_is_secure_and_of_this_host_alone(settings: Settings) -> None:
    with TestClient(
        create_app(settings), base_url="https://loupe.example", follow_redirects=False
    ) as browser:
        cookie = sign_in(browser).headers["set-cookie"].split("; ")
        assert {"Secure", "Path=/"} <= set(cookie)
        assert cookie[0].startswith("__Host-loupe_session=")
        assert browser.get("/dashboard").status_code == 200
        assert sign_out(browser).status_code == 303
        assert browser.get("/dashboard").status_code == 303


@pytest.mark.parametrize("key", ["not-a-key-of-anybody", "loupe_abcdefgh_" + "x" * 43, " "])
def test_login_refuses_a_wrong_key(browser: TestClient, key: str) -> None:
    answer = sign_in(browser, key)

    assert answer.status_code == 401
    assert "This key is not valid." in answer.text
    assert "set-cookie" not in answer.headers
    assert browser.get("/dashboard").status_code == 303


def test_logout_ends_the_session_also_for_whoever_copied_its_cookie(browser: TestClient) -> None:
    sign_in(browser)
    copied = dict(browser.cookies)
    answer = sign_out(browser)

    assert answer.headers["location"] == "/dashboard/login"
    browser.cookies.update(copied)
    assert browser.get("/dashboard").status_code == 303


def test_sessions_of_one_key_end_one_by_one(settings: Settings) -> None:
    app = create_app(settings)
    with TestClient(app, follow_redirects=False) as one, TestClient(app, follow_redirects=False) as other:
        sign_in(one)
        sign_in(other)
        sign_out(one)
        assert (one.get("/dashboard").status_code, other.get("/dashboard").status_code) == (303, 200)


def test_session_ends_after_its_time(browser: TestClient, database: Database) -> None:
    sign_in(browser)
    with database.sessions.begin() as session:
        session.execute(text("UPDATE dashboard_session SET expires_at = now() - interval '1 second'"))
    assert browser.get("/dashboard").status_code == 303


@pytest.mark.parametrize("form_token", ["", "0" * 64])
def test_logout_refuses_a_form_that_is_not_of_this_session(browser: TestClient, form_token: str) -> None:
    sign_in(browser)
    answer = browser.post("/dashboard/logout", data={"form_token": form_token})
    assert answer.status_code == 403
    assert "This form was sent from another site" in answer.text
    assert browser.get("/dashboard").status_code == 200


def test_only_the_digest_of_a_token_is_stored(browser: TestClient, database: Database) -> None:
    token = sign_in(browser).headers["set-cookie"].split(";")[0].partition("=")[2]
    with database.sessions() as session:
        stored = str(session.execute(text("SELECT * FROM dashboard_session")).all())
    assert token not in stored
    assert KEY not in stored


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
def test_login_and_logout_refuse_a_form_of_another_site(browser: TestClient, headers: dict[str, str]) -> None:
    assert sign_in(browser, **headers).status_code == 403
    assert browser.post("/dashboard/logout", headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}])
def test_login_accepts_the_form_of_this_site(browser: TestClient, headers: dict[str, str]) -> None:
    assert sign_in(browser, **headers).status_code == 303
