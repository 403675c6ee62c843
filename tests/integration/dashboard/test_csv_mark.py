"""CSV files for Excel: a byte order mark in browsers that ask for it, and nowhere else."""

import codecs
import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.dashboard import exports
from tests.support.dashboard import follow, send, sign_in, words_of
from tests.support.ordering import open_budget

MARK, NAME = codecs.BOM_UTF8, "München"
BUDGETS, LEDGER = "/dashboard/budgets.csv", "/dashboard/ledger.csv?kind=fund"


def choose(browser: TestClient, files: str, to: str = "/dashboard/budgets?sort=x") -> Any:
    return send(browser, "/dashboard/csv", "/dashboard", files=files, to=to)


@pytest.fixture
def browser(client: TestClient, browser: TestClient) -> TestClient:
    """Return a browser that is signed in to a workspace with a budget."""
    open_budget(client, name=NAME)
    sign_in(browser)
    return browser


def test_files_are_plain_until_a_reader_asks(browser: TestClient) -> None:
    plain = browser.get(BUDGETS).content
    assert not plain.startswith(MARK)
    assert "are plain UTF-8" in words_of(browser.get("/dashboard").text)

    page = follow(browser, choose(browser, "excel", "/dashboard/budgets"))

    assert "so that Excel shows every letter" in page
    assert "begin with a byte order mark" in words_of(page)
    assert browser.get(BUDGETS).content == MARK + plain
    follow(browser, choose(browser, "plain", "/dashboard/budgets"))
    assert browser.get(BUDGETS).content == plain


def test_every_file_is_marked_once_whole_or_streamed(
    browser: TestClient, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_budget(client, name="Köln")
    monkeypatch.setattr(exports, "READ_AT_ONCE", 1)
    addresses = (BUDGETS, LEDGER, "/dashboard/savings.csv", "/dashboard/operations/room.csv")
    plain = [browser.get(address).content for address in addresses]
    choose(browser, "excel")

    for address, before in zip(addresses, plain, strict=True):
        answer = browser.get(address)
        assert answer.content == MARK + before
        if length := answer.headers.get("content-length"):
            assert int(length) == len(answer.content)
    rows = list(csv.DictReader(io.StringIO(browser.get(BUDGETS).content.decode("utf-8-sig"))))
    assert {row["name"] for row in rows} == {NAME, "Köln"}


def test_programs_json_and_pages_get_no_mark(browser: TestClient, client: TestClient) -> None:
    choose(browser, "excel")

    for address in ("/dashboard", "/dashboard/budgets.json", "/dashboard/ledger.csv?kind=theft"):
        assert MARK not in browser.get(address).content
    assert MARK not in client.get(BUDGETS).content
    assert MARK not in client.get("/v1/ledger?format=csv").content
    api = browser.get("/v1/ledger?format=csv", headers=dict(client.headers) | {"accept": "text/csv"})
    assert api.status_code == 200
    assert MARK not in api.content


@pytest.mark.parametrize("to", ["https://example.org/", "//example.org", "/v1/orders", "/dashboard\\x"])
def test_choice_leads_back_to_the_dashboard_only(browser: TestClient, to: str) -> None:
    assert choose(browser, "excel", to).headers["location"] == "/dashboard"
    assert choose(browser, "excel").headers["location"] == "/dashboard/budgets?sort=x"


def test_choice_needs_a_form_of_the_session(browser: TestClient) -> None:
    answer = browser.post("/dashboard/csv", data={"files": "excel", "form_key": "0" * 32, "form_token": "x"})

    assert answer.status_code == 403
    assert not browser.get(BUDGETS).content.startswith(MARK)
    assert choose(browser, "word").status_code == 422
