"""Sign-in to the dashboard at an issuer: the whole way, and an issuer that fails."""

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.roles import Role
from service.access.tables import ApiKey
from service.app import create_app
from service.dashboard.issuer_sign_in import COOKIE
from service.database.engine import Database
from service.settings import Settings
from tests.support.dashboard import sign_out
from tests.support.databases import KEY
from tests.support.issuer import LocalIssuer
from tests.support.issuer_sign_in import RETURN, begin, leave, sign_in
from tests.support.operations import NOBODY


def test_page_offers_the_issuer_beside_the_key(browser: TestClient, client: TestClient) -> None:
    page = browser.get("/dashboard/login").text

    assert 'href="/dashboard/login/issuer">Sign in with Example Org</a>' in page
    assert 'name="key"' in page
    assert "login/issuer" not in client.get("/dashboard/login").text


def test_without_an_issuer_there_is_nothing_to_sign_in_at(client: TestClient) -> None:
    assert client.get("/dashboard/login/issuer").status_code == 404
    assert client.get(f"{RETURN}?code=x&state=y").status_code == 404


def test_browser_is_sent_to_the_issuer_with_a_challenge(browser: TestClient, issuer: LocalIssuer) -> None:
    address = leave(browser)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

    assert address.startswith(f"{issuer.url}/authorize?")
    assert (asked["response_type"], asked["client_id"]) == ("code", "loupe")
    assert asked["redirect_uri"] == f"http://testserver{RETURN}"
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    secret = browser.cookies[COOKIE].partition(".")[0]
    assert (len(secret), secret in address) == (43, False)


def test_person_is_signed_in_and_out_under_their_name(
    browser: TestClient, database: Database, ada: ApiKey
) -> None:
    answer = sign_in(browser)
    page = browser.get("/dashboard")
    left = sign_out(browser)
    with database.sessions() as session:
        log = text("SELECT kind, key_id FROM audit_event WHERE kind LIKE 'signed-%' ORDER BY created_at")
        events = [tuple(row) for row in session.execute(log)]

    assert (answer.status_code, 'content="0; url=/dashboard"' in answer.text) == (200, True)
    assert page.status_code == 200
    assert "Latest movements of money" in page.text
    assert left.headers["location"] == "/dashboard/login"
    assert browser.get("/dashboard").status_code == 303
    assert events == [("signed-in", ada.id), ("signed-out", ada.id)]


def test_cookies_hold_no_token_and_no_script_reads_them(
    browser: TestClient, issuer: LocalIssuer, ada: ApiKey
) -> None:
    assert ada
    begun = browser.get("/dashboard/login/issuer").headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600"} <= set(begun)
    cookies = sign_in(browser).headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("loupe_session="))

    assert {"HttpOnly", "SameSite=strict", "Max-Age=28800"} <= set(session.split("; "))
    assert any(cookie.startswith(f"{COOKIE}=") and "Max-Age=0" in cookie for cookie in cookies)
    assert "eyJ" not in str(cookies)
    assert issuer.url not in str(cookies)


def test_session_ends_after_the_configured_time(browser: TestClient, database: Database, ada: ApiKey) -> None:
    assert ada
    sign_in(browser)
    with database.sessions() as session:
        hours = session.scalar(
            text("SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM dashboard_session")
        )

    assert float(hours or 0) == 8


@pytest.fixture
def grouped(signing_in: Settings, database: Database) -> Iterator[TestClient]:
    """Return a browser of an application that reads roles from the claim `groups`."""
    assert database
    roles = {"oidc_roles_claim": "groups", "oidc_roles": "buyers=default/buyer"}
    with TestClient(create_app(signing_in.model_copy(update=roles)), follow_redirects=False) as browser:
        yield browser


@pytest.mark.parametrize(
    ("token_s", "session_s"), [(60, 900), (3_600, 3_600), (86_400, 28_800), (1e18, 28_800)]
)
def test_session_of_a_group_lasts_as_long_as_the_token_that_states_it(
    grouped: TestClient, issuer: LocalIssuer, database: Database, token_s: float, session_s: int
) -> None:
    issuer.changed = {"groups": ["buyers"], "exp": int(time.time() + token_s)}
    cookies = sign_in(grouped).headers.get_list("set-cookie")
    with database.sessions() as session:
        life = text("SELECT extract(epoch FROM expires_at - created_at) FROM dashboard_session")
        found = float(session.scalar(life) or 0)

    assert grouped.get("/dashboard").status_code == 200
    assert found == pytest.approx(session_s, abs=60)
    (age,) = re.findall(r"loupe_session=[^,]*?Max-Age=(\d+)", ", ".join(cookies))
    assert int(age) == pytest.approx(session_s, abs=60)


def test_person_who_has_lost_the_group_is_out_once_the_token_has_expired(
    grouped: TestClient, issuer: LocalIssuer, database: Database
) -> None:
    issuer.changed = {"groups": ["buyers"]}
    sign_in(grouped)
    issuer.changed = {"groups": []}
    before = grouped.get("/dashboard").status_code
    with database.sessions.begin() as session:
        session.execute(text("UPDATE dashboard_session SET expires_at = created_at + interval '1 us'"))
    after, again = grouped.get("/dashboard"), sign_in(grouped)

    assert (before, after.status_code, again.status_code) == (200, 303, 403)
    assert "no value of the claim groups" in again.text
    assert grouped.get("/dashboard").status_code == 303


@pytest.mark.parametrize("end", ["remove", "role"])
def test_session_ends_with_the_person_or_their_role(
    browser: TestClient, client: TestClient, ada: ApiKey, end: str
) -> None:
    sign_in(browser)
    opened = browser.get("/dashboard").status_code
    body: dict[str, Any] = {"json": {"role": Role.BUYER}} if end == "role" else {}
    client.post(f"/v1/people/{ada.holder}/{end}", **body).raise_for_status()

    assert (opened, browser.get("/dashboard").status_code) == (200, 303)


def test_page_that_was_asked_for_is_opened(browser: TestClient, ada: ApiKey) -> None:
    assert ada
    asked = browser.get(f"/dashboard/orders/{NOBODY}").headers["location"]
    page = browser.get(asked).text
    (link,) = re.findall(r'href="(/dashboard/login/issuer[^"]*)"', page)
    back = httpx.get(browser.get(link).headers["location"]).headers["location"]

    assert (
        f'content="0; url=/dashboard/orders/{NOBODY}"'
        in browser.get(back.removeprefix("http://testserver")).text
    )


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/dashboard/\\evil.example"])
def test_only_pages_of_the_dashboard_are_led_to(browser: TestClient, ada: ApiKey, to: str) -> None:
    assert ada
    location = browser.get("/dashboard/login/issuer", params={"to": to}).headers["location"]
    back = httpx.get(location).headers["location"].removeprefix("http://testserver")
    secret = browser.cookies[COOKIE].partition(".")[0]
    browser.cookies.clear()
    browser.cookies.set(COOKIE, f"{secret}.{quote(to, safe='')}")

    assert 'content="0; url=/dashboard"' in browser.get(back).text


def test_unknown_person_is_shown_their_subject(browser: TestClient, issuer: LocalIssuer) -> None:
    issuer.person = {"sub": "<b>somebody</b>"}
    answer = sign_in(browser)

    assert answer.status_code == 403
    assert "loupe people add &lt;b&gt;somebody&lt;/b&gt;" in answer.text
    assert browser.get("/dashboard").status_code == 303


@pytest.mark.parametrize("path", ["/token", "/jwks"])
def test_issuer_that_fails_in_the_back_leads_to_a_page_that_says_what_to_do(
    browser: TestClient, issuer: LocalIssuer, ada: ApiKey, path: str
) -> None:
    assert ada
    address = begin(browser)
    issuer.failing = {path}
    if path == "/jwks":
        browser.app_state["issuer"].clock = lambda: 1e12
    answer = browser.get(address)

    assert answer.status_code == 503
    assert "Example Org cannot be reached at the moment." in answer.text
    assert "use an API key" in answer.text
    assert browser.post("/dashboard/login", data={"key": KEY}).status_code == 303


def test_issuer_that_is_away_leads_to_a_page_that_says_what_to_do(
    signing_in: Settings, issuer: LocalIssuer
) -> None:
    issuer.close()
    with TestClient(create_app(signing_in), follow_redirects=False) as browser:
        answer = browser.get("/dashboard/login/issuer")

    assert (answer.status_code, "location" in answer.headers) == (503, False)
    assert "Example Org cannot be reached at the moment." in answer.text


def test_over_https_every_cookie_is_of_this_host_only(
    signing_in: Settings, issuer: LocalIssuer, ada: ApiKey
) -> None:
    assert ada
    site = "https://testserver"
    settings = signing_in.model_copy(update=issuer.settings(site))
    with TestClient(create_app(settings), base_url=site, follow_redirects=False) as browser:
        started = browser.get("/dashboard/login/issuer")
        address = httpx.get(started.headers["location"]).headers["location"]
        cookies = [started.headers["set-cookie"], *browser.get(address).headers.get_list("set-cookie")]

        assert {cookie.partition("=")[0] for cookie in cookies} == {
            "__Host-loupe_sign_in",
            "__Host-loupe_session",
        }
        assert all({"Secure", "Path=/", "HttpOnly"} <= set(cookie.split("; ")) for cookie in cookies)
        assert browser.get("/dashboard").status_code == 200
