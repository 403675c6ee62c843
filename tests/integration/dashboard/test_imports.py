"""Files of invoices and price lists, imported on their pages."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import Workspace
from service.dashboard.sent_table import MOST_SHOWN
from service.database.engine import Database
from tests.support.dashboard import fields_of, follow, sign_in, words_of
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices

INVOICES = "/dashboard/ledger/invoices"
PRICE_LISTS = "/dashboard/plans/price-lists"
HEADER = "number,provider,date,currency,tax,reference,amount,description"
LISTS = "name,provider,product,gsd_m,currency,price_per_km2,minimum_km2,tiers"
BY_KM2 = "acme-30cm,Acme,30 cm archive,0.3,EUR,19.50,2,500:17"


def import_file(browser: TestClient, page: str, name: str, content: str | bytes) -> Any:
    """Send the form of a page with a file, as a browser does."""
    hidden = fields_of(browser.get(page).text, page)
    return browser.post(page, data=hidden, files={"table": (name, content, "application/octet-stream")})


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def test_invoices_of_a_csv_are_imported_and_compared(browser: TestClient, client: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client))
    paid = client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"]
    sign_in(browser)
    file = table(f"R-1,Acme,2026-11-30,USD,0.00,{order},{paid},first", "R-2,Acme,2026-11-30,USD,0,4711,1.00,")

    words = follow(browser, import_file(browser, INVOICES, "november.CSV", file))
    assert "2 documents were imported." in words
    assert "1 paid or invoiced order agrees, and there is 1 difference." in words
    assert {one["number"] for one in client.get("/v1/invoices").json()["items"]} == {"R-1", "R-2"}

    again = follow(browser, import_file(browser, INVOICES, "november.csv", file))
    assert "0 documents were imported; 2 were known before." in again
    assert len(client.get("/v1/invoices").json()["items"]) == 2


def test_invoices_of_a_json_file_are_imported(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    line = {"reference": "4711", "amount": "1.00"}
    one = {"number": "R-1", "provider": "Acme", "date": "2026-11-30", "currency": "USD", "lines": [line]}
    assert "1 document was imported." in follow(
        browser, import_file(browser, INVOICES, "one.json", json.dumps(one))
    )
    assert [one["number"] for one in client.get("/v1/invoices").json()["items"]] == ["R-1"]


def test_wrong_cells_are_named_and_nothing_is_imported(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    right, wrong = "R-1,Acme,2026-11-30,USD,0,4711,1.00,", "R-2,Acme,30.11.2026,USD,0,4711,one,"
    answer = import_file(browser, INVOICES, "november.csv", table(right, wrong))
    words = words_of(answer.text)
    assert answer.status_code == 422
    assert "The file was not imported. Correct 2 cells, and import the file again." in words
    assert "Invoice 2, date:" in words
    assert "Invoice 2, line 1, amount:" in words
    assert client.get("/v1/invoices").json()["items"] == []


def test_long_list_of_wrong_cells_is_cut(browser: TestClient) -> None:
    sign_in(browser)
    rows = [f"acme-{number},Acme,archive,0.3,EUR,free,," for number in range(MOST_SHOWN + 5)]
    page = import_file(browser, PRICE_LISTS, "lists.csv", table(*rows, header=LISTS)).text
    assert f"Correct {MOST_SHOWN + 5} cells" in words_of(page)
    assert page.count("price per km2:") == MOST_SHOWN
    assert "Row 2, price per km2: " in page
    assert "Row 2: " not in page


@pytest.mark.parametrize("page", [INVOICES, PRICE_LISTS])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("lists.xlsx", b"PK\x03\x04", "The file is neither .csv nor .json."),
        ("", b"", "No file was chosen."),
        ("lists.csv", "name,größe\n".encode("latin-1"), "The file is not UTF-8."),
        ("lists.csv", b"colour\nred\n", "colour"),
        ("lists.json", b"{", "is not JSON"),
    ],
)
def test_file_that_cannot_be_read_says_why(
    browser: TestClient, page: str, name: str, content: bytes, words: str
) -> None:
    sign_in(browser)
    answer = import_file(browser, page, name, content)
    assert answer.status_code in {400, 422}
    assert words in words_of(answer.text)


def test_invoice_of_a_taken_number_is_refused_on_the_page(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    import_file(browser, INVOICES, "one.csv", table("R-1,Acme,2026-11-30,USD,0,4711,1.00,"))
    answer = import_file(browser, INVOICES, "two.csv", table("R-1,Acme,2026-11-30,USD,0,4711,2.00,"))
    assert answer.status_code == 409
    assert "The invoice R-1 of Acme was imported before with other content" in words_of(answer.text)
    assert [one["net"]["amount"] for one in client.get("/v1/invoices").json()["items"]] == ["1.00"]


def test_price_lists_of_a_csv_are_published_and_shown(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    answer = import_file(browser, PRICE_LISTS, "lists.csv", table(BY_KM2, header=LISTS))
    words = follow(browser, answer)
    assert "1 price list was published." in words
    assert "19.5 EUR per km², 17 beyond 500 km²" in words
    assert "at least 2 km² per order" in words
    assert words.index("acme-30cm") < words.index("example, not an offer")
    again = import_file(browser, PRICE_LISTS, "lists.csv", table(BY_KM2, header=LISTS))
    assert "0 price lists were published; 1 was known before." in follow(browser, again)
    names = [one["name"] for one in client.get("/v1/price-lists").json()["items"]]
    assert names.count("acme-30cm") == 1


def test_page_shows_the_version_of_today_only(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    for terms in ({"price_per_km2": "7"}, {"price_per_km2": "8"}, {"valid_from": "2999-01-01"}):
        publish_prices(client, **terms)
    words = words_of(browser.get(PRICE_LISTS).text)
    assert "acme version 2" in words
    assert "version 1 acme" not in words
    assert "acme version 3" not in words


@pytest.mark.parametrize("page", [INVOICES, PRICE_LISTS])
def test_role_that_may_not_import_sees_no_form_and_is_refused(
    browser: TestClient, database: Database, page: str
) -> None:
    with database.sessions.begin() as session:
        viewer = create_key(session, session.query(Workspace).one(), "viewer", Role.VIEWER)
    sign_in(browser, viewer)
    shown = browser.get(page).text
    assert 'name="table"' not in shown
    hidden = fields_of(shown)
    answer = browser.post(page, data=hidden, files={"table": ("a.csv", table(BY_KM2, header=LISTS), "")})
    assert answer.status_code == 403


@pytest.mark.parametrize("page", [INVOICES, PRICE_LISTS])
def test_form_of_another_session_is_refused(browser: TestClient, client: TestClient, page: str) -> None:
    sign_in(browser)
    hidden = fields_of(browser.get(page).text, page) | {"form_token": "0" * 64}
    answer = browser.post(page, data=hidden, files={"table": ("a.csv", "name\n", "text/csv")})
    assert answer.status_code == 403
    assert client.get("/v1/invoices").json()["items"] == []
