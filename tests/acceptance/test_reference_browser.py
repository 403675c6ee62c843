"""The page /docs in headless Chromium, against a real server process."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.support.browsers import Watched
from tests.support.bundles import write_bundle
from tests.support.server import KEY, ServerProcess

PATIENCE_MS = 180_000
"""The page takes seconds of a processor to draw, and much longer on a busy machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("reference")
    process = ServerProcess(home, write_bundle(home / "bundles" / "tiny"))
    try:
        process.start()
        yield process
    finally:
        process.close()


def test_reference_lets_a_reader_try_an_operation(browser: Browser, server: ServerProcess) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    watched = Watched.of(page)
    page.goto(f"{server.url}/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(KEY)
    page.get_by_role("button", name="Apply credentials").click()
    page.locator(".auth-btn-wrapper .btn-done").click()

    operation = page.locator("#operations-budgets-open_budget")
    operation.get_by_role("button").first.click()
    operation.locator("textarea").fill('{"name": "Tried", "limit": {"amount": "5.00", "currency": "USD"}}')
    operation.get_by_role("button", name="Execute").click()
    operation.locator(".live-responses-table").get_by_text("201", exact=True).first.wait_for()

    with server.client() as client:
        assert [budget["name"] for budget in client.get("/v1/budgets")["items"]] == ["Tried"]
    assert watched.errors == []
    assert [url for url in watched.asked if not url.startswith(server.url)] == []


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(250, 250, 250)"), ("dark", "rgb(28, 32, 34)")])
def test_reference_fits_a_phone_in_both_colour_schemes(
    browser: Browser, server: ServerProcess, scheme: Literal["light", "dark"], ground: str
) -> None:
    with browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        watched = Watched.of(page)
        page.goto(f"{server.url}/docs#/orders/create_order")
        page.locator(".opblock.is-open .responses-table").first.wait_for()

        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        assert watched.errors == []
