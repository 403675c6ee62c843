"""A headless Chromium, and what every page of the dashboard must satisfy in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

PICTURES = os.environ.get("LOUPE_PICTURES")
"""Folder of the pictures. It is read here, because tests do not see this machine's settings."""
SIZES = {"phone": (390, 844), "laptop": (1440, 900), "wall": (2560, 1440)}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium. Without it the tests fail in CI and are skipped elsewhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "Chromium is missing, so no page was checked (apt-get install chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # No sandbox: these tests also run as root in a container, and load only our pages.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def listen(page: Page) -> list[str]:
    """Return a list that grows with every error of the page's console, which names violated policies too."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


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


def enter(page: Page, url: str, key: str) -> None:
    """Open an address of the dashboard with a key: fill in the sign-in form and wait for the page."""
    page.goto(url)
    page.get_by_label("API key").fill(key)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()


def findings(page: Page) -> list[str]:
    """Return what axe finds on a page, by its rules of WCAG 2.2 A and AA and of best practice."""
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def scrolling(page: Page) -> list[str]:
    """Return what scrolls sideways: the page, or tables by their names, with the pixels that are too many."""
    found: list[str] = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll('.scroll')]
            .filter(one => one.scrollWidth > one.clientWidth)
            .map(one => `${one.ariaLabel ?? 'page'}: ${one.scrollWidth - one.clientWidth} px`)"""
    )
    return found


def look_at(page: Page, scheme: str, width: int) -> None:
    """Show a page in a colour scheme on a screen of one of the SIZES."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": dict(SIZES.values())[width]})


def photograph(page: Page, name: str) -> None:
    """Write pictures of a page at every size, light and dark, to the folder LOUPE_PICTURES if it is set.

    No size may scroll sideways.
    """
    for _ in on_every_screen(page, name):
        pass


def examine(page: Page, name: str) -> None:
    """Let axe judge a page at every size, light and dark, and write its pictures as `photograph` does."""
    for screen in on_every_screen(page, name):
        assert [f"{screen}: {finding}" for finding in findings(page)] == []


def on_every_screen(page: Page, name: str) -> Iterator[str]:
    """Show a page at every size, light and dark, take its picture, and yield the name of the screen."""
    for scheme in ("light", "dark"):
        for size, (width, _) in SIZES.items():
            look_at(page, scheme, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, f"{name} at {width}"
            if PICTURES is not None:
                Path(PICTURES).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=Path(PICTURES) / f"{name}-{size}-{scheme}.png", full_page=True)
            yield f"{name}-{size}-{scheme}"
    page.emulate_media(color_scheme="light")
