"""A browser on the dashboard: signing in, sending forms, and reading pages."""

import html
import re
from typing import Any

from fastapi.testclient import TestClient

from tests.support.databases import KEY


def sign_in(browser: TestClient, key: str = KEY, to: str = "/dashboard", **headers: str) -> Any:
    return browser.post("/dashboard/login", data={"key": key, "to": to}, headers=headers)


def sign_out(browser: TestClient, **headers: str) -> Any:
    """Send the form of the page, as its button does."""
    return browser.post("/dashboard/logout", data=form_fields(browser), headers=headers)


def form_fields(browser: TestClient, path: str = "/dashboard") -> dict[str, str]:
    """Return the hidden fields of the first form of a page."""
    page = browser.get(path).text
    found = re.search(
        r'name="form_token" value="([0-9a-f]{64})"><input [^>]*name="form_key" value="([^"]+)"', page
    )
    assert found is not None, page
    return {"form_token": found[1], "form_key": found[2]}


def send(browser: TestClient, path: str, page: str = "/dashboard", **fields: str) -> Any:
    """Send a form that stands on a page, as a browser does."""
    return browser.post(path, data=form_fields(browser, page) | fields)


def words_of(markup: str) -> str:
    """Return the words of a page, or of a part of it, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def follow(browser: TestClient, answer: Any) -> str:
    """Return the words of the page that an action leads to."""
    assert answer.status_code == 303, words_of(answer.text)
    return words_of(browser.get(answer.headers["location"]).text)


def status_of(client: TestClient, order: str) -> str:
    return str(client.get(f"/v1/orders/{order}").json()["status"])
