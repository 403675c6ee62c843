"""A browser on the dashboard: signing in, sending forms, and reading pages."""

import html
import re
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient

from tests.support.databases import KEY
from tests.support.orders import Planned


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


class FormReader(HTMLParser):
    """The values that a browser would send with the form for an address, unless somebody changes them."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._address = address
        self._is_open = False
        self._field = ""
        """Name of the select or of the text area that is open."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_open = given.get("action") == self._address
        elif self._is_open and tag == "input":
            self.values[given["name"]] = given.get("value", "")
        elif self._is_open and tag in {"select", "textarea"}:
            self._field = given["name"]
            self.values[self._field] = ""
        elif self._field and tag == "option" and ("selected" in given or not self.values[self._field]):
            self.values[self._field] = given["value"]  # others are suggestions of a field

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._field = ""
        self._is_open = self._is_open and tag != "form"

    def handle_data(self, data: str) -> None:
        if self._is_open and self._field and self.lasttag == "textarea":
            self.values[self._field] += data


def values_of(page: str, address: str) -> dict[str, str]:
    """Return the values of the fields of a form on a page's markup, as a browser sends them."""
    reader = FormReader(address)
    reader.feed(page)
    assert reader.values, page
    return reader.values


def is_wrong(page: str, field: str) -> bool:
    """Return whether a field is marked as wrong and described by the sentence that says why."""
    return (
        f'aria-invalid="true" aria-describedby="{field}-fault {field}-help"' in page
        and f'id="{field}-fault"' in page
    )


def read_page(browser: TestClient, path: str) -> str:
    """Return the markup of a page, with its letters instead of their names in HTML."""
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def path_of_plan(plan: Planned) -> str:
    """Return the address of the page of a plan."""
    return f"/dashboard/plans/{plan.id}"


def words_of(markup: str) -> str:
    """Return the words of a page, or of a part of it, in one line, with the commas of amounts."""
    drawn = re.sub(r'<span class="thousands">(.*?)</span>', r",\1", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", drawn)).split())


def cells_of(page: str) -> list[list[str]]:
    """Return the words of every cell of the first table of a page, by row."""
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    rows = [] if body is None else re.findall(r"<tr.*?>(.*?)</tr>", body[1], re.DOTALL)
    return [[words_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


def follow(browser: TestClient, answer: Any) -> str:
    """Return the words of the page that an action leads to."""
    assert answer.status_code == 303, words_of(answer.text)
    return words_of(browser.get(answer.headers["location"]).text)


def status_of(client: TestClient, order: str) -> str:
    return str(client.get(f"/v1/orders/{order}").json()["status"])
