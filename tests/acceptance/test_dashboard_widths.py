"""No view of the dashboard, and no table in one, is wider than a screen of any customary width, or than A4.

The views are found by following links, so that a new one is looked at too. One server and one browser.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from loupe import Client, Money
from service.access.roles import Role
from tests.support.browsers import enter, scrolling
from tests.support.bundles import make_geotiff, usd, write_bundle
from tests.support.orders import make_patch
from tests.support.server import KEY, ServerProcess, running_server

WIDTHS = (360, 768, 1024, 1280, 1366, 1920, 2560)
PAPER = 703
"""Pixels between the margins of a printed page: 186 mm of A4."""
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
FILE = re.compile(r"\.[a-z]+$|/shapes$|/scene$")
PAGES = 2
"""Most pages of a view that are looked at: of the orders, the completed one and the open one."""
EXPECTED = {
    "/dashboard", "/dashboard/orders", "/dashboard/orders/ID", "/dashboard/orders/ID/cancel",
    "/dashboard/plans", "/dashboard/plans/ID", "/dashboard/plans/ID/what-if", "/dashboard/plans/new",
    "/dashboard/plans/price-lists", "/dashboard/map", "/dashboard/ledger", "/dashboard/ledger/invoices",
    "/dashboard/budgets", "/dashboard/budgets/ID", "/dashboard/budgets/ID/terms", "/dashboard/reports",
    "/dashboard/ledger/invoices/ID", "/dashboard/models", "/dashboard/operations", "/dashboard/words",
}  # fmt: skip
"""Views that must be among those that links lead to; ids are written as ID."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server whose lists have long names and amounts of millions."""
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    with running_server(bundle) as process, process.client() as client:
        process.add_key("Ada of the second office", Role.APPROVER)
        fill(client)
        yield process


def fill(client: Client) -> None:
    """Make a completed order and an open one, a bill, and proposals that wait."""
    prices = {
        "name": "acme-archive-half-metre", "provider": "Acme Imaging of the North", "gsd_m": "0.5",
        "product": "0.5 m archive, colour", "currency": "USD", "price_per_km2": "1000000",
    }  # fmt: skip
    client.post("/v1/price-lists", prices)
    name = "Fields of the northern district"
    budget = client.create_budget(name, Money.of("9000000.00", "USD"), tags={"team": "north"}).id
    client.change_budget(budget, approval_above=usd("8000000.00"))
    client.change_budget(budget, limit=usd("9500000.00"))
    for number, delivered in ((3, 3), (2, 1)):
        plan = client.plan(
            make_geotiff(), price_list=prices["name"], max_patches=number, reuse="none"
        ).document
        order = client.order(plan["id"], budget).document
        for one in order["patches"]["awaited"][:delivered]:
            file = make_patch(one["tile"], one["patch"])
            client.deliver_patch(order["id"], one["tile"], one["patch"], file)
    client.plan(make_geotiff(), price_list=prices["name"], max_patches=4, reuse="none")
    invoice = {
        "number": "R-2026-1", "provider": prices["provider"], "date": "2026-11-30", "currency": "USD",
        "tax": "1.90", "lines": [{"reference": order["id"], "amount": "5.00"}],
    }  # fmt: skip
    client.post("/v1/invoices", invoice)


def test_no_view_is_wider_than_its_screen_or_page(browser: Browser, server: ServerProcess) -> None:
    # Local times stand beside UTC in a zone half an hour off, so they are as wide as they get.
    with browser.new_context(timezone_id="Asia/Kolkata") as context:
        page = context.new_page()
        enter(page, f"{server.url}/dashboard", KEY)
        seen, found = defaultdict[str, set[str]](set), list[str]()
        waiting = ["/dashboard"]
        while waiting:
            path = waiting.pop()
            view = ID.sub("ID", path)
            if path in seen[view] or len(seen[view]) == PAGES:
                continue
            seen[view].add(path)
            page.goto(server.url + path)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                found += [f"{view} at {width}: {one}" for one in scrolling(page)]
            page.emulate_media(media="print")
            page.set_viewport_size({"width": PAPER, "height": 1000})
            found += [f"{view} on paper: {one}" for one in scrolling(page)]
            page.emulate_media(media="screen")
            waiting += links_of(page)
    assert found == []
    assert set(seen) >= EXPECTED


def links_of(page: Page) -> list[str]:
    """Return the addresses of pages of the dashboard that a page leads to."""
    read = "[...document.querySelectorAll('a[href]')].map(one => one.getAttribute('href'))"
    addresses: list[str] = page.evaluate(read)
    parts = [urlsplit(one) for one in addresses]
    pages = [one for one in parts if one.path.startswith("/dashboard") and not FILE.search(one.path)]
    return [one.path for one in pages]
