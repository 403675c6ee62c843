"""A stranger follows one saving from the page to the invoice line, through the real server and Chromium."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page
from rich.console import Console

from loupe import Money
from service.cli.proofs import follow, invoice_proofs
from service.terminal.traces import trace_view
from tests.support.bundles import make_geotiff, write_bundle
from tests.support.orders import make_patch
from tests.support.server import KEY, ServerProcess

Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("saving")
    process = ServerProcess(home, write_bundle(home / "bundles" / "tiny"))
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def order(server: ServerProcess) -> Json:
    """Buy four patches at 4.00 USD, get one refunded in part, and import invoice and credit note."""
    prices = {
        "name": "acme", "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "10000",
    }  # fmt: skip
    with server.client() as client:
        client.post("/v1/price-lists", prices)
        client.create_budget("Harvest", Money.of("2000.00", "USD"))
        plan = client.plan(make_geotiff(), price_list="acme", max_patches=4).document
        placed = client.order(plan["id"], None).document
        for one in placed["patches"]["awaited"]:
            client.deliver_patch(
                placed["id"], one["tile"], one["patch"], make_patch(one["tile"], one["patch"])
            )
        refund = {"kind": "refund", "order": placed["id"], "reason": "late", "amount": usd("1.50")}
        client.post("/v1/ledger/adjustments", refund)
        for number, kind, amount in (
            ("R-17", "invoice", plan["cost"]["amount"]),
            ("C-3", "credit-note", "1.50"),
        ):
            line = {"reference": f"order {placed['id']}", "amount": amount}
            about = {
                "number": number,
                "kind": kind,
                "provider": "Acme",
                "date": "2026-11-29",
                "currency": "USD",
            }
            client.post("/v1/invoices", about | {"lines": [line]})
    return placed | {"plan_cost": plan["cost"]["amount"], "baseline": plan["baseline"]["amount"]}


def usd(amount: str) -> Json:
    return {"amount": amount, "currency": "USD"}


def number(text: str) -> Decimal:
    found = re.search(r"-?[\d,]+\.\d\d", text)
    assert found, text
    return Decimal(found[0].replace(",", ""))


def figures(page: Page) -> dict[str, Decimal]:
    """Return the figures at the top of an order's page, by their titles."""
    return {
        sheet.locator("h3").inner_text(): number(sheet.locator(".figure").inner_text())
        for sheet in page.locator(".figures .sheet").all()
    }


def rows(page: Page, region: str) -> list[list[str]]:
    table = page.get_by_role("region", name=region)
    return [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]


def test_a_saving_leads_to_its_invoice_line(page: Page, server: ServerProcess, order: Json) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/dashboard")
    page.get_by_label("API key").fill(KEY)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()
    saving = number(page.locator(".lead .figure").inner_text())
    listed = rows(page, "Latest orders of these savings")
    assert [number(row[3]) for row in listed] == [saving]  # the orders of the page add up to its saving

    with page.expect_navigation():
        page.get_by_role("link", name=order["id"][:8]).click()
    assert page.url == f"{server.url}/dashboard/orders/{order['id']}"
    shown = figures(page)
    assert shown["Baseline"] - shown["Paid"] == shown["Realised saving"] == saving

    bill = {row[0]: number(row[3]) for row in rows(page, "Table of the bill")}
    assert bill["Every patch of the scene"] == shown["Baseline"] == Decimal(order["baseline"])
    assert bill["The bought patches, as planned"] == Decimal(order["plan_cost"])

    signs = {"settle": 1, "charge": 1, "refund": -1}
    payments = [(row[2], number(row[3])) for row in rows(page, "Movements of the order")]
    assert [kind for kind, _ in payments].count("settle") == 4
    assert sum(signs.get(kind, 0) * amount for kind, amount in payments) == shown["Paid"]

    invoiced = {row[0]: (number(row[5]), row[4]) for row in rows(page, "Invoice lines")}
    assert invoiced["invoice R-17"] == (shown["Invoiced"], f"order {order['id']}")
    assert invoiced["invoice R-17"][0] - invoiced["credit note C-3"][0] == shown["Paid"]
    assert page.get_by_text("Invoices and ledger agree").is_visible()
    assert complaints == []


def test_a_trace_of_the_order_ends_at_the_same_invoice_lines(server: ServerProcess, order: Json) -> None:
    with server.client() as client:
        traced = follow(client, order["id"])

    assert [(one["kind"], one["number"], one["amount"]["amount"]) for one in traced["invoices"]] == [
        ("credit-note", "C-3", "1.50"),
        ("invoice", "R-17", order["plan_cost"]),
    ]
    assert [line["kind"] for line in traced["ledger"]] == ["reserve", *["settle"] * 4, "refund"]
    assert all(one["holds"] for one in traced["proofs"])
    forged = traced["report"] | {"confirmed": False}
    assert [one["holds"] for one in invoice_proofs(forged, traced["ledger"], traced["invoices"])] == [False]
    shown = Console(width=200)
    with shown.capture() as printed:
        shown.print(trace_view(traced))
    words = " ".join(printed.get().split())
    for said in (f"order {order['id']}", "invoice R-17", "credit note C-3", "1.50 USD refunded to"):
        assert said in words


def test_the_commands_on_the_page_lead_to_the_same_figures(server: ServerProcess, order: Json) -> None:
    """The page names `loupe trace` and `loupe alternatives`; here are the documents that they print."""
    with server.client() as client:
        saving = client.get(f"/v1/reports/savings/orders/{order['id']}")
        other = client.get(f"/v1/reports/savings/orders/{order['id']}/alternatives")
        documents = list(client.items("/v1/invoices"))
    assert (saving["invoices"], saving["credit_notes"], saving["confirmed"]) == (["R-17"], ["C-3"], True)
    assert other["money"] == saving["net"]
    assert {line["amount"]["amount"] for one in documents for line in one["lines"]} == {
        order["plan_cost"], "1.50",
    }  # fmt: skip


@pytest.mark.parametrize("width", [390, 1366])
def test_the_page_of_an_order_fits_the_screen(
    page: Page, server: ServerProcess, order: Json, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server.url}/dashboard")
    page.get_by_label("API key").fill(KEY)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()
    page.goto(f"{server.url}/dashboard/orders/{order['id']}")
    page.get_by_role("heading", name="Invoice lines").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == width
