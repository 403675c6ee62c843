"""The first steps in a new workspace on the dashboard, in headless Chromium: from empty pages to a budget.

Findings of axe, violations of the content policy and errors of the console fail the tests. With
LOUPE_PICTURES it writes pictures.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from loupe import Client
from service.access.roles import Role
from tests.support.browsers import enter, examine, listen
from tests.support.bundles import usd, write_bundle
from tests.support.server import KEY, ServerProcess, running_server

EMPTY = {
    "orders": "Choose a plan",
    "plans": "Plan a scene",
    "budgets": "Open a budget",
    "ledger": "Open a budget",
    "reports": "Open a budget",
    "operations": "Plan a scene",
    "ledger/invoices": "Orders",
    "map": "Plan a scene",
    "models": "Plan a scene",
}
"""Pages without rows, and the link that leads on from each."""


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server in whose workspace nobody does anything."""
    with running_server(write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")) as process:
        yield process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server for what the tests store."""
    with running_server(write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")) as process:
        yield process


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """Yield a page whose console is silent in the end, but for answers with a status of 4xx."""
    complaints = listen(page)
    yield page
    assert [one for one in complaints if "the server responded with a status of 4" not in one] == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER])
def test_every_empty_page_leads_on(quiet: Page, empty_server: ServerProcess, role: Role) -> None:
    page = quiet
    enter(page, f"{empty_server.url}/dashboard", empty_server.add_key(role, role))
    examine(page, f"empty-overview-{role}")
    for path, link in EMPTY.items():
        page.goto(f"{empty_server.url}/dashboard/{path}")
        state = page.locator(".empty")
        assert state.first.is_visible(), path
        assert state.get_by_role("link").count() > 0, path
        if role == Role.ADMIN:
            assert state.get_by_role("link", name=link).count() > 0, path
        examine(page, f"empty-{path.replace('/', '-')}-{role}")


def test_budget_is_opened_and_changed_without_scripts(browser: Browser, server: ServerProcess) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        enter(page, f"{server.url}/dashboard/orders", KEY)
        page.get_by_role("link", name="Budgets", exact=True).click()
        page.get_by_role("main").get_by_role("link", name="Open a budget").first.click()
        page.get_by_label("Name").fill("Trials")
        page.get_by_label("Limit", exact=True).fill("90.00")
        page.get_by_label("Currency").select_option("EUR")
        page.get_by_role("button", name="Open the budget").click()
        expect(page.get_by_role("status")).to_have_text(
            "The budget is open. Orders can hold and spend 90.00 EUR."
        )
        page.get_by_role("link", name="Change limit and terms").click()
        page.get_by_label("Thresholds").fill("half")
        page.get_by_role("button", name="Change limit and terms").click()
        expect(page.get_by_role("alert")).to_contain_text("Correct the fields: Thresholds.")
        page.get_by_label("Thresholds").fill("50")
        page.get_by_role("button", name="Change limit and terms").click()
        expect(page.get_by_role("status")).to_contain_text("version 2 is in force")


def test_forms_of_budgets_satisfy_axe_and_say_what_is_wrong(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    enter(page, f"{server.url}/dashboard/budgets/new", KEY)
    examine(page, "budget-new")
    page.get_by_label("Name").fill("Harvest 2026")
    page.get_by_label("Limit", exact=True).fill("1,000")
    page.get_by_label("Currency").select_option("USD")
    page.get_by_label("Granted").select_option(label="Each month")
    page.get_by_label("Thresholds").fill("half")
    page.get_by_label("Tags").fill("team")
    page.get_by_role("button", name="Open the budget").click()
    limit = page.get_by_label("Limit", exact=True)
    expect(limit).to_have_accessible_description(
        "Write an amount such as 12.50: at most 15 digits, a point and decimals, "
        "without sign, commas or spaces. "
        "Most money that orders may hold and spend, such as 500.00."
    )
    assert limit.get_attribute("aria-invalid") == "true"
    examine(page, "budget-new-refused")
    limit.fill("1000.00")
    page.get_by_label("Thresholds").fill("50, 90")
    page.get_by_label("Tags").fill("team=north")
    page.get_by_label("Another holder approves above").fill("100")
    page.get_by_role("button", name="Open the budget").dblclick()
    page.get_by_role("heading", name="Budget Harvest 2026").wait_for()
    examine(page, "budget-opened")

    page.get_by_role("link", name="Change limit and terms").click()
    examine(page, "budget-terms")
    page.get_by_label("Limit", exact=True).fill("2000.00")
    page.get_by_role("button", name="Change limit and terms").click()
    expect(page.get_by_role("status")).to_contain_text("waits until another holder approves it")
    with server.client() as client:
        (budget,) = (one for one in client.items("/v1/budgets") if one["name"] == "Harvest 2026")
    assert (budget["limit"], budget["waiting_number"]) == (usd("1000.00"), 1)


def test_change_that_somebody_overtook_is_shown_with_theirs(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    with server.client() as client:
        budget = client.post(
            "/v1/budgets", {"name": "Shared", "limit": usd("10.00"), "approval_above": usd("0")}
        )
        enter(page, f"{server.url}/dashboard/budgets/{budget['id']}/terms", KEY)
        page.get_by_label("Limit", exact=True).fill("5.00")
        change(client, budget["id"])
    page.get_by_role("button", name="Change limit and terms").click()
    expect(page.get_by_role("alert")).to_contain_text("Version 2 is in force now.")
    assert page.get_by_label("Tags").input_value() == "team=south"
    assert page.get_by_label("Limit", exact=True).input_value() == "5.00"
    examine(page, "budget-terms-overtaken")


def change(client: Client, budget: str) -> None:
    """Change the tags of a budget, as somebody else does meanwhile."""
    client.change_budget(budget, tags={"team": "south"})
