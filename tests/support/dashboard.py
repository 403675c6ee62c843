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
    return fields_of(browser.get(path).text)


def fields_of(page: str, address: str | None = None) -> dict[str, str]:
    """Return the hidden fields of the first form of a page's markup, of one for an address if it is given."""
    form = r'<form method="post" action="([^"]*)"[^>]*>'
    token, key = r'name="form_token" value="([0-9a-f]{64})"', r'name="form_key" value="([^"]+)"'
    forms = re.findall(f"{form}<input [^>]*{token}><input [^>]*{key}>", page)
    found = [one for one in forms if address in {None, one[0]}]
    assert found, page
    return {"form_token": found[0][1], "form_key": found[0][2]}


def send(browser: TestClient, path: str, page: str = "/dashboard", **fields: str) -> Any:
    """Send a form that stands on a page, as a browser does."""
    return browser.post(path, data=form_fields(browser, page) | fields)


def words_of(markup: str) -> str:
    """Return the words of a page, or of a part of it, in one line, with the commas of amounts."""
    drawn = re.sub(r'<span class="thousands">(.*?)</span>', r",\1", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", drawn)).split())


def follow(browser: TestClient, answer: Any) -> str:
    """Return the words of the page that an action leads to."""
    assert answer.status_code == 303, words_of(answer.text)
    return words_of(browser.get(answer.headers["location"]).text)


def status_of(client: TestClient, order: str) -> str:
    return str(client.get(f"/v1/orders/{order}").json()["status"])
