"""The browser of the tests of pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers import chromium


# Not for the whole run: Playwright's event loop would stay in the process of tests that run loops themselves.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium. Without it the tests fail in CI and are skipped elsewhere."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page of a visitor who was never here."""
    with browser.new_context() as context:
        yield context.new_page()
