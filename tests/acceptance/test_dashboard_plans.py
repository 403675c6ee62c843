"""From a scene to an order on the dashboard, in headless Chromium against a real server with the real bundle.

Findings of axe, violations of the content policy and errors of the console fail the test. With LOUPE_PICTURES
it writes pictures of every page.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from examples.demo.scenes import LR_FILE, SAMPLE
from loupe import Money
from tests.support.browsers import enter, findings, listen, photograph
from tests.support.server import KEY, ROOT, ServerProcess, running_server

REFUSED = "the server responded with a status of 422"
"""Line of the console about the form that is refused on purpose."""
STARTER = ROOT / "models" / "bundles" / "starter"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Start a server with the bundles of the repository, a budget, and a price list with a minimum area."""
    with running_server(STARTER) as process, process.client() as client:
        client.create_budget("Harvest", Money.of("2000.00", "USD"))
        prices = {
            "name": "acme", "provider": "Acme", "product": "0.3 m archive", "gsd_m": "0.3", "currency": "USD",
            "price_per_km2": "500", "minimum_km2": "0.02", "areas_summed": False,
        }  # fmt: skip
        client.post("/v1/price-lists", prices)
        yield process


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """Sign in; in the end the console must have been silent."""
    with browser.new_context() as context:
        page = context.new_page()
        complaints = listen(page)
        enter(page, f"{server.url}/dashboard", KEY)
        yield page
        assert [one for one in complaints if REFUSED not in one] == []


def look_at(page: Page, name: str) -> None:
    """Check a page as it is, and take its picture at every size."""
    assert findings(page) == []
    photograph(page, name)
    page.set_viewport_size({"width": 1440, "height": 900})


def send_sample(page: Page, price_list: str, aim: str, limit: str) -> None:
    """Send the demo's scene with the form."""
    page.get_by_role("link", name="Plans", exact=True).click()
    page.get_by_role("link", name="Plan a scene").first.click()
    page.get_by_label("Scene").set_input_files(SAMPLE / LR_FILE)
    page.get_by_label("Aim").select_option(label=aim)
    page.get_by_label("Limit").fill(limit)
    page.get_by_label("Price list").select_option(value=price_list)
    page.get_by_role("button", name="Plan the scene").click()


def test_scene_is_planned_compared_and_ordered(page: Page, server: ServerProcess) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    send_sample(page, "acme", "Buy at most a number of patches", "many")
    expect(page.get_by_role("alert")).to_contain_text("Give a whole number, such as 40.")
    look_at(page, "new-plan-refused")

    send_sample(page, "acme", "Buy at most a number of patches", "40")
    expect(page.get_by_role("status")).to_contain_text("of 192 patches")
    page.locator("svg.scene a").nth(3).click()
    expect(page.get_by_role("heading", name="Tile 3", exact=True)).to_be_visible()
    patches = page.get_by_role("region", name="Patches of tile 3").get_by_role("row")
    expect(patches).to_have_count(1 + 16)
    look_at(page, "plan")

    plan = page.url.partition("?")[0]
    page.get_by_role("link", name="What if", exact=True).click()
    slider = page.get_by_label("Most patches")
    with page.expect_navigation():
        slider.fill("62")
    expect(slider).to_be_focused()
    with page.expect_navigation():  # one page for both presses
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
    expect(slider).to_be_focused()
    expect(page.get_by_role("heading", name="most utility in at most 60 patches")).to_be_visible()
    look_at(page, "what-if")
    row = page.get_by_role("row", name="Acme: acme, version 1")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("replaces the one before")
    newer = page.url
    page.goto(plan)
    expect(page.get_by_text("replaces this one. Order that one.")).to_be_visible()

    page.goto(newer)
    page.get_by_role("button", name="Order for").click()
    expect(page.get_by_role("status")).to_contain_text("Ordered")
    with server.client() as client:
        (order,) = list(client.items("/v1/orders"))
    assert f"/dashboard/plans/{order['plan']}" in newer
    assert page.url.endswith(f"/dashboard/orders/{order['id']}")

    page.get_by_role("link", name="Map", exact=True).click()
    expect(page.get_by_role("row", name="On order")).to_be_visible()
    look_at(page, "map")
    page.get_by_role("link", name="Plans", exact=True).click()
    expect(page.get_by_role("cell", name="ordered", exact=True)).to_be_visible()
    look_at(page, "plans")


def test_pages_of_plans_are_complete_without_scripts(browser: Browser, server: ServerProcess) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{server.url}/dashboard/plans")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        send_sample(page, "example-no-minimum", "Buy what the bundle recommends", "")
        page.get_by_role("link", name="What if", exact=True).click()
        page.get_by_label("Most patches").press("End")
        page.get_by_role("button", name="Show this number of patches").click()
        expect(page.get_by_role("heading", name="Your choice: most utility in at most")).to_be_visible()
