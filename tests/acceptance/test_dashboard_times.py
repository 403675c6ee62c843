"""Times in the zone and the language of the reader, and amounts that can be copied, in headless Chromium."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from loupe import Money
from tests.support.browsers import enter, examine, listen
from tests.support.bundles import write_bundle
from tests.support.server import KEY, ServerProcess, running_server

ADD = """moment => {
    const time = document.createElement("time");
    time.id = "added";
    time.dateTime = moment;
    time.textContent = "then";
    document.querySelector("main").append(time);
}"""
"""Puts a time on an open page, as a part that is replaced brings new times."""
COPY = """node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return getSelection().toString();
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server with a budget."""
    with running_server(write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")) as process:
        with process.client() as client:
            client.create_budget("Harvest", Money.of("1234567.50", "USD"))
        yield process


def read_as(browser: Browser, server: ServerProcess, zone: str, locale: str, path: str = "/budgets") -> Page:
    """Open a page as a reader in a time zone, with a language."""
    page = browser.new_context(timezone_id=zone, locale=locale).new_page()
    enter(page, f"{server.url}/dashboard{path}", KEY)
    return page


@pytest.mark.parametrize(
    ("zone", "locale", "moment", "beside"),
    [
        ("Europe/Berlin", "de-DE", "2026-11-02T14:05:00Z", " (15:05 your time)"),
        ("Europe/Berlin", "de-DE", "2026-11-02T23:30:00Z", " (03.11.2026, 00:30 your time)"),
        ("America/New_York", "en-US", "2026-11-02T14:05:00Z", " (9:05 AM your time)"),
        ("America/New_York", "en-US", "2026-11-02T01:05:00Z", " (Nov 1, 2026, 8:05 PM your time)"),
        ("Asia/Kolkata", "en-IN", "2026-11-02T14:05:30.5Z", " (7:35 pm your time)"),
        ("Europe/London", "en-GB", "2026-07-02T14:05:00Z", " (15:05 your time)"),
        ("Europe/London", "en-GB", "2026-11-02T14:05:00Z", ""),
        ("UTC", "en-US", "2026-11-02T14:05:00Z", ""),
        ("Europe/Berlin", "de-DE", "2026-11-02", ""),
    ],
)
def test_time_has_that_of_the_reader_beside_it(
    browser: Browser, server: ServerProcess, zone: str, locale: str, moment: str, beside: str
) -> None:
    page = read_as(browser, server, zone, locale)
    page.evaluate(ADD, moment)
    time = page.locator("#added")
    expect(time).to_have_text(f"then{beside}")  # of blanks, it takes all kinds as one
    assert time.locator("bdi").count() == bool(beside)
    if beside:
        assert time.locator("bdi").get_attribute("lang") == locale
    page.context.close()


def test_page_of_a_budget_says_each_time_twice(browser: Browser, server: ServerProcess) -> None:
    page = read_as(browser, server, "Asia/Tokyo", "en-GB")
    complaints = listen(page)
    page.get_by_role("link", name="Harvest", exact=True).click()
    time = page.get_by_role("region", name="Versions of limit and terms").locator("time").first
    at = datetime.fromisoformat(time.get_attribute("datetime") or "")
    local = at.astimezone(ZoneInfo("Asia/Tokyo"))
    day = "" if local.date() == at.astimezone(UTC).date() else f"{local:%-d %b %Y}, "
    expect(time).to_have_text(f"{at:%-d %b %Y, %H:%M} UTC ({day}{local:%H:%M} your time)")
    expect(page.get_by_text("Times and days are UTC. Your time is that of Asia/Tokyo.")).to_be_visible()
    examine(page, "budget-in-tokyo")
    assert complaints == []
    page.context.close()


@pytest.mark.parametrize(("scripts", "zone"), [(False, "Asia/Tokyo"), (True, "UTC")])
def test_page_without_scripts_and_page_in_utc_say_utc_only(
    browser: Browser, server: ServerProcess, zone: str, *, scripts: bool
) -> None:
    with browser.new_context(java_script_enabled=scripts, timezone_id=zone) as context:
        page = context.new_page()
        enter(page, f"{server.url}/dashboard/budgets", KEY)
        page.get_by_role("link", name="Harvest", exact=True).click()
        page.get_by_role("heading", name="Budget Harvest").wait_for()
        times = page.locator("time")
        assert times.count() > 0
        assert [one for one in times.all_inner_texts() if not one.endswith(" UTC")] == []
        notes = page.get_by_role("contentinfo")
        expect(notes).to_contain_text("Times and days are UTC.")
        expect(notes).not_to_contain_text("Your time")


def test_amount_is_shown_with_commas_and_copied_without(browser: Browser, server: ServerProcess) -> None:
    page = read_as(browser, server, "Europe/Berlin", "de-DE", "/budgets")
    cell = page.get_by_role("region", name="Budgets by urgency").locator("td[data-label=Limit] .number")
    drawn = cell.locator(".thousands").first.evaluate("node => getComputedStyle(node, '::before').content")
    assert drawn == '","'
    copied = cell.evaluate(COPY)
    assert copied == "1234567.50 USD"
    page.goto(f"{server.url}/dashboard/budgets/new")
    page.get_by_label("Name").fill("Copied")
    page.get_by_label("Limit", exact=True).fill(copied.split()[0])
    page.get_by_role("button", name="Open the budget").click()
    expect(page.get_by_role("status")).to_contain_text("Orders can hold and spend 1,234,567.50 USD.")
    page.context.close()
