"""Every view of the books in headless Chromium: ledger, invoices, budgets, reports, and pages of problems.

Each is looked at on three screens, light and dark: axe, sideways scrolling, violated policies and errors of
the console fail the test. With LOUPE_PICTURES it writes the pictures.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from loupe import Client, Money
from service.access.roles import Role
from tests.support.browsers import enter, examine, listen
from tests.support.bundles import make_geotiff, usd, write_bundle
from tests.support.orders import make_patch
from tests.support.server import KEY, ServerProcess, running_server

PAGES = {
    "ledger": ("/ledger", "Ledger"),
    "ledger-by-order": ("/ledger?by=orders", "Ledger"),
    "ledger-nothing-found": ("/ledger?to=2020-01-01", "Ledger"),
    "invoices": ("/ledger/invoices", "Invoices and differences"),
    "price-lists": ("/plans/price-lists", "Price lists"),
    "budgets": ("/budgets", "Budgets"),
    "reports": ("/reports", "Monthly reports"),
    "map-owned": ("/map", "Map"),
    "words": ("/words", "Words"),
}
"""Addresses of views and their headings, by the names of their pictures."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server that runs no jobs, with orders, an invoice too low, a refund and a history of terms."""
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    with running_server(bundle, LOUPE_WORKER="false") as process, process.client() as client:
        approver = process.add_key("Ada", Role.APPROVER)
        fill(client, Client(process.url, approver))
        yield process


def fill(client: Client, approver: Client) -> None:
    """Make the books that the pages show."""
    prices = {
        "name": "acme", "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "10000",
    }  # fmt: skip
    client.post("/v1/price-lists", prices)
    budget = client.create_budget("Harvest", Money.of("500.00", "USD"), tags={"team": "north"}).id
    client.create_budget("Trials", Money.of("90.00", "EUR"), period="month", thresholds=[50, 90])
    client.change_budget(budget, approval_above=usd("60.00"))
    waiting = client.change_budget(budget, limit=usd("900.00")).document["waiting"][0]
    with approver:
        approver.decide(waiting["id"], "approve", "For the second field.")
    orders = []
    for patches, delivered in ((3, 3), (2, 2), (2, 1)):
        plan = client.plan(make_geotiff(), price_list="acme", max_patches=patches, reuse="none").document
        order = client.order(plan["id"], budget).document
        for one in order["patches"]["awaited"][:delivered]:
            client.deliver_patch(
                order["id"], one["tile"], one["patch"], make_patch(one["tile"], one["patch"])
            )
        orders.append(order["id"])
    refund = {
        "kind": "refund",
        "order": orders[0],
        "amount": usd("1.00"),
        "reason": "credit note 4711: cloud",
    }
    client.post("/v1/ledger/adjustments", refund)
    lines = [{"reference": orders[0], "amount": "5.00"}, {"reference": "delivery 4711", "amount": "2.00"}]
    document = {
        "number": "R-2026-1", "provider": "Acme", "date": "2026-11-30", "currency": "USD", "tax": "1.90",
        "lines": lines,
    }  # fmt: skip
    client.post("/v1/invoices", document)


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """Sign in; in the end the console must have been silent, but for answers with a status of 4xx."""
    with browser.new_context() as context:
        page = context.new_page()
        complaints = listen(page)
        enter(page, f"{server.url}/dashboard/reports", KEY)
        yield page
        assert [one for one in complaints if "the server responded with a status of 4" not in one] == []


@pytest.mark.parametrize("name", PAGES)
def test_view_satisfies_axe_on_every_screen(page: Page, server: ServerProcess, name: str) -> None:
    path, heading = PAGES[name]
    page.goto(f"{server.url}/dashboard{path}")
    assert page.locator("h1").inner_text() == heading
    examine(page, name)


def test_difference_is_followed_from_the_ledger_to_the_invoice_line_and_the_order(
    page: Page, server: ServerProcess
) -> None:
    page.goto(f"{server.url}/dashboard/ledger")
    page.get_by_role("link", name="Invoices and differences").click()
    page.get_by_role("link", name="R-2026-1, line 1").click()
    page.get_by_role("heading", name="Invoice R-2026-1").wait_for()
    examine(page, "invoice")
    page.get_by_role("region", name="Lines").get_by_role("link").first.click()
    page.get_by_role("heading", name="Invoice lines").wait_for()
    page.get_by_role("link", name="The ledger", exact=True).click()
    page.get_by_role("cell", name="refund", exact=True).wait_for()
    assert page.get_by_label("Order").input_value() in page.url


def test_price_list_is_corrected_and_imported(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    page.goto(f"{server.url}/dashboard/plans")
    page.get_by_role("link", name="Price lists", exact=True).click()
    header = "name,provider,product,gsd_m,currency,price_per_km2"
    for price in ("free", "22.50"):
        row = f"acme-30cm,Acme,30 cm archive,0.3,USD,{price}"
        file.write_text(f"{header}\n{row}\n")
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Import").click()
        if price == "free":
            page.get_by_text("Row 2, price per km2:").wait_for()
            examine(page, "price-lists-refused")
    page.get_by_text("1 price list was published.").wait_for()
    page.get_by_role("row", name="acme-30cm").get_by_role("cell", name="22.5 USD per km²").wait_for()


def test_budget_shows_who_changed_and_who_approved_it(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/dashboard/budgets")
    page.get_by_role("link", name="Harvest", exact=True).click()
    page.get_by_text("For the second field.").first.wait_for()
    assert page.get_by_role("cell", name=re.compile("^Ada, ")).first.is_visible()
    examine(page, "budget")


def test_report_of_the_month_prints_on_two_pages(page: Page) -> None:
    page.get_by_role("list").last.get_by_role("link").first.click()
    page.get_by_role("heading", name="Report of").wait_for()
    examine(page, "report")
    page.get_by_role("region", name="Budgets of the month").get_by_role("link").first.click()
    page.get_by_role("heading", name="Movements of money").wait_for()
    page.go_back()
    printed = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2


def test_job_and_cancellation_have_pages(page: Page, server: ServerProcess) -> None:
    with server.client() as client:
        job = client.plan_later(make_geotiff(), price_list="acme", max_patches=1, reuse="none").document["id"]
        (open_order,) = (one["id"] for one in client.items("/v1/orders") if one["status"] == "processing")
    page.goto(f"{server.url}/dashboard/jobs/{job}")
    page.get_by_text("The job waits for its turn.").wait_for()
    examine(page, "job")
    page.goto(f"{server.url}/dashboard/orders/{open_order}/cancel")
    examine(page, "cancel")


def test_refused_filter_is_shown_on_the_page_of_the_ledger(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/dashboard/ledger?order=4711+xyz")
    assert page.get_by_role("alert").is_visible()
    examine(page, "ledger-refused")


def test_unknown_address_is_a_page_with_the_way_back(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/dashboard/no/such/view")
    page.get_by_role("heading", name="There is no such page").wait_for()
    examine(page, "problem")
    page.get_by_role("link", name="Open the overview").click()
    page.get_by_role("heading", name="Overview").wait_for()
    assert page.url == f"{server.url}/dashboard"


def test_word_leads_to_its_meaning_by_keyboard(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/dashboard")
    page.get_by_role("link", name="Ordered saving").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Words").wait_for()
    assert page.url == f"{server.url}/dashboard/words#ordered-saving"
    shown = "getComputedStyle(document.querySelector(':target')).backgroundColor"
    assert page.evaluate(shown) == "rgb(227, 240, 238)"
    page.keyboard.press("Tab")  # reading goes on behind the word
    assert page.evaluate("document.activeElement.closest('footer') !== null")
