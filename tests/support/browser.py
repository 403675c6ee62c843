"""Headless Chromium, and the requests and errors of its pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser. Without Chromium a test fails in CI and is skipped elsewhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "Chromium is missing, so the page was not checked (apt-get install chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # No sandbox: these tests also run as root in a container, and load only our pages.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """Addresses that a page asked for, and errors in its console, since it was opened."""

    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> "Watched":
        """Begin to watch a page: errors in its console, and every request."""
        watched = cls()

        def hear(message: ConsoleMessage) -> None:
            if message.type == "error":
                watched.errors.append(message.text)

        def note(request: Request) -> None:
            watched.asked.append(request.url)

        page.on("console", hear)
        page.on("request", note)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        return watched
