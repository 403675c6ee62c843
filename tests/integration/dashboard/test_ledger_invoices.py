"""Invoices on the dashboard: differences that lead to orders and lines, and documents."""

import csv
import io
import json
import re

import pytest
from fastapi.testclient import TestClient

from service.dashboard import ledger_invoices
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import Json, buy, open_budget, plan_scene, publish_prices

PAGE = "/dashboard/ledger/invoices"


def invoice(number: str, *lines: tuple[str, str]) -> Json:
    return {
        "number": number, "provider": "Acme", "date": "2026-11-30", "currency": "USD", "tax": "1.90",
        "lines": [{"reference": reference, "amount": amount} for reference, amount in lines],
    }  # fmt: skip


@pytest.fixture
def order(client: TestClient) -> str:
    """Return an order that was invoiced too low, in the second line of a document."""
    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client))
    answer = client.post("/v1/invoices", json=invoice("R-1", ("delivery 4711", "2.00"), (order, "1.00")))
    assert answer.status_code == 201, answer.text
    return order


def test_shortened_id_of_an_order_is_listed_with_what_its_reference_lacks(
    browser: TestClient, client: TestClient, order: str
) -> None:
    assert client.post("/v1/invoices", json=invoice("R-2", (order[:8], "1.00"))).status_code == 201
    sign_in(browser)
    assert f"'{order[:8]}' contains no full id of an order of the workspace." in words_of(
        browser.get(PAGE).text
    )


def test_credit_on_the_page_of_an_order_has_its_currency(
    browser: TestClient, client: TestClient, order: str
) -> None:
    credit = invoice("C-1", (order, "0.50")) | {"kind": "credit-note"}
    assert client.post("/v1/invoices", json=credit).status_code == 201
    sign_in(browser)
    assert "credited: 0.50 USD" in words_of(browser.get(f"/dashboard/orders/{order}").text)


def test_difference_leads_to_its_order_and_its_invoice_line(browser: TestClient, order: str) -> None:
    sign_in(browser)
    page = browser.get(PAGE).text
    words = words_of(page)

    assert "0 paid or invoiced orders agree, and there are 2 differences." in words
    assert f'<a class="mono" href="/dashboard/orders/{order}"' in page
    assert "and 1.00 USD is invoiced;" in words
    assert "'delivery 4711' contains no full id of an order of the workspace." in words
    links = re.findall(r'href="(/dashboard/ledger/invoices/[^"#]+)#(line-\d)">R-1, line', page)
    assert sorted(place for _, place in links) == ["line-1", "line-2"]
    document = browser.get(links[0][0]).text
    row = re.search(r'<tr id="line-2">.*?</tr>', document, re.DOTALL)
    assert row is not None
    assert f'href="/dashboard/orders/{order}"' in row[0]
    assert "names no order of this workspace" in document
    assert "Invoice R-1" in document
    assert f'{links[0][0]}#line-2">invoice R-1</a>' in browser.get(f"/dashboard/orders/{order}").text


def test_differences_are_filtered_paged_and_sent_as_files(
    browser: TestClient, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_invoices, "ROWS", 1)
    sign_in(browser)
    unknown = words_of(browser.get(f"{PAGE}?state=order-unknown").text)
    assert "delivery 4711" in unknown
    assert "1.00 USD is invoiced" not in unknown
    assert "No order has this difference." in browser.get(f"{PAGE}?state=not-invoiced").text

    first = browser.get(f"{PAGE}?state=").text
    more = re.search(r'href="([^"]+)">More differences</a>', first)
    assert more is not None
    assert "delivery 4711" not in first
    second = browser.get(more[1].replace("&amp;", "&")).text
    assert "delivery 4711" in second
    assert "More differences" not in second

    rows = list(csv.DictReader(io.StringIO(browser.get("/dashboard/ledger/differences.csv").text)))
    assert [row["state"] for row in rows] == ["amount-differs", "order-unknown"]
    items = json.loads(browser.get("/dashboard/ledger/differences.json").text)["items"]
    assert items[0]["order"] == order


def test_agreement_and_emptiness_are_said(browser: TestClient, client: TestClient) -> None:
    sign_in(browser)
    words = words_of(browser.get(PAGE).text)
    assert "Nothing was paid, and nothing is invoiced." in words
    assert "No invoice is imported." in words

    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client))
    paid = client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"]
    client.post("/v1/invoices", json=invoice("R-1", (order, paid)))
    words = words_of(browser.get(PAGE).text)
    assert "Invoices and ledger agree." in words
    assert "1 paid or invoiced order agrees, and there is no difference." in words


def test_unknown_document_is_a_page(browser: TestClient) -> None:
    sign_in(browser)
    answer = browser.get(f"{PAGE}/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 404
    assert "There is no invoice" in answer.text
