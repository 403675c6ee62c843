"""The sums by order on the page of the ledger, and their files."""

import csv
import io
import json
import re

import pytest
from fastapi.testclient import TestClient

from service.dashboard import exports, ledger
from service.dashboard.ledger_orders import AMOUNTS
from tests.support.dashboard import cells_of, sign_in

PAGE = "/dashboard/ledger?by=orders"


def linked(browser: TestClient, page: str, words: str) -> str:
    """Return the file that a link of a page leads to."""
    link = re.search(rf'href="([^"]+)">{words}</a>', page)
    assert link is not None, words
    answer = browser.get(link[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    return str(answer.text)


def test_sums_by_order_lead_to_their_movements(
    browser: TestClient, client: TestClient, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "ROWS", 1)
    sign_in(browser)
    page = browser.get(PAGE).text
    (south,) = cells_of(page)
    older = re.search(r'href="([^"]+)">Older</a>', page)
    assert older is not None
    (north,) = cells_of(browser.get(older[1].replace("&amp;", "&")).text)

    for row, order, refunded in ((north, orders[0], "0.00 USD"), (south, orders[1], "1.00 USD")):
        amounts = client.get(f"/v1/orders/{order}").json()["amounts"]
        assert (row[0], row[1], row[4], row[8]) == (
            order[:8],
            "completed",
            "4" if order == orders[0] else "5",
            refunded,
        )
        assert row[6].split()[0] == amounts["settled"]["amount"]
        assert row[10].split()[0] == amounts["net"]["amount"]
    assert f"/dashboard/ledger?order={orders[1]}" in page
    assert [row[0] for row in cells_of(browser.get(f"{PAGE}&kind=refund").text)] == [orders[1][:8]]


@pytest.mark.parametrize(
    ("query", "found"), [("", 2), ("&provider=Acme&kind=settle", 1), ("&kind=refund", 1), ("&kind=charge", 0)]
)
def test_sums_by_order_are_exported_whole_with_the_movements_beside_them(
    browser: TestClient, orders: list[str], monkeypatch: pytest.MonkeyPatch, query: str, found: int
) -> None:
    assert orders
    monkeypatch.setattr(exports, "READ_AT_ONCE", 1)
    sign_in(browser)
    page = browser.get(f"{PAGE}{query}").text
    shown = cells_of(page)
    assert len(shown) == found

    as_csv = list(csv.DictReader(io.StringIO(linked(browser, page, "Orders as CSV"))))
    as_json = json.loads(linked(browser, page, "Orders as JSON"))["items"]
    movements = list(csv.DictReader(io.StringIO(linked(browser, page, "Movements as CSV"))))

    assert [one["order"] for one in as_csv] == [one["order"] for one in as_json]
    for row, cells, item in zip(as_csv, shown, as_json, strict=True):
        amounts = [row[name] for name in AMOUNTS]
        assert [row["order"][:8], row["status"], row["budget"], row["movements"]] == [
            cells[0], cells[1], cells[3], cells[4],
        ]  # fmt: skip
        assert [f"{amount} {row['currency']}" for amount in amounts] == cells[5:]
        assert [item[name]["amount"] for name in AMOUNTS] == amounts
    of_orders = [one for one in movements if one["kind"] != "fund"]
    assert len(of_orders) == sum(int(one["movements"]) for one in as_csv)
    assert len(json.loads(linked(browser, page, "Movements as JSON"))["items"]) == len(movements)
