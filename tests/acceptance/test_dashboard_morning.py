"""A morning on the dashboard in headless Chromium: approve, hand in a mosaic, classify, confirm labels, save.

Set LOUPE_PICTURES to a folder to get a picture of each page at every size.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from loupe import Money
from service.access.roles import Role
from tests.support.browsers import enter, findings, listen, look_at, photograph
from tests.support.bundles import make_geotiff, usd, write_bundle
from tests.support.mosaics import mosaic
from tests.support.server import KEY, ServerProcess, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server whose only order waits for another holder."""
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    prices = {
        "name": "acme", "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "10000",
    }  # fmt: skip
    with running_server(bundle) as process:
        with process.client() as client:
            client.post("/v1/price-lists", prices)
            client.create_budget("Small", Money.of("500.00", "USD"))
            careful = client.create_budget("Harvest", Money.of("500.00", "USD"), approval_above=usd("1.00"))
            plan = client.plan(make_geotiff(), price_list="acme", max_patches=3).document
            client.order(plan["id"], careful.id)
        yield process


def sign_in(browser: Browser, server: ServerProcess, key: str) -> tuple[Page, list[str]]:
    """Sign in and return the page with the complaints of its console."""
    page = browser.new_context().new_page()
    complaints = listen(page)
    enter(page, f"{server.url}/dashboard/orders", key)
    return page, complaints


def click(page: Page, name: str) -> None:
    """Press a button and wait for the page that it leads to."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def check(page: Page, name: str, complaints: list[str]) -> None:
    """Look at the page at every size, and let axe and the console judge it."""
    photograph(page, name)
    for scheme, width in (("dark", 390), ("light", 1440)):
        look_at(page, scheme, width)
        assert findings(page) == [], f"{name}, {scheme}"
    assert complaints == [], name


def test_a_morning_of_an_approver_and_a_buyer(
    browser: Browser, server: ServerProcess, tmp_path: Path
) -> None:
    page, complaints = sign_in(browser, server, server.add_key("Ada", Role.APPROVER))
    assert page.get_by_role("heading", name="1 order to approve or reject").is_visible()
    check(page, "orders-waiting", complaints)
    with page.expect_navigation():
        page.get_by_role("region", name="Orders to decide on").locator("tbody").get_by_role("link").click()
    check(page, "order-held", complaints)
    page.get_by_label("Reason (kept in the history)").fill("Within the plan for November.")
    click(page, "Approve")
    assert page.get_by_role("status").inner_text().startswith("The order is approved.")
    assert page.get_by_text("Within the plan for November.").is_visible()
    assert page.get_by_text("Handing in files needs the role buyer or admin").is_visible()
    check(page, "order-approved", complaints)

    order = page.url.rpartition("/")[2]
    page, complaints = sign_in(browser, server, KEY)
    page.goto(f"{server.url}/dashboard/orders/{order}")
    scene = tmp_path / "scene.tif"
    scene.write_bytes(mosaic())
    page.get_by_label("Files").set_input_files(scene)
    page.get_by_role("button", name="Hand in", exact=True).click()
    sent = page.get_by_role("list", name="Uploads")
    expect(sent).to_contain_text("3 patches were delivered and paid for.")
    with page.expect_navigation():
        sent.get_by_role("link", name="Show the result").click()
    check(page, "files", complaints)
    with page.expect_navigation():
        page.get_by_role("link", name="Back to the order").click()
    click(page, "Classify")
    labels = page.get_by_role("region", name="Labels of tiles")
    for row in labels.locator("tbody tr").all()[:2]:
        label = re.split(r"\s", row.locator("td").first.inner_text())[0]
        row.get_by_role("combobox").select_option(label)
    click(page, "Keep true labels")
    assert "2 of 2 labels are right" in page.get_by_role("status").inner_text()
    check(page, "order-completed", complaints)

    with page.expect_navigation():
        page.get_by_role("link", name="Overview").click()
    with server.client() as client:
        saved = client.get("/v1/reports/savings")["currencies"][0]["savings"]["realised"]["amount"]
    assert page.locator(".lead .figure").inner_text().split()[0] == f"{float(saved):,.2f}"
    assert page.get_by_text("2 of 2 tiles with a true label").is_visible()
    check(page, "overview", complaints)
    click(page, "Sign out")
    check(page, "sign-in", complaints)


def test_files_can_be_dropped_on_the_form(browser: Browser, server: ServerProcess) -> None:
    with server.client() as client:
        plan = client.plan(make_geotiff(), price_list="acme", max_patches=1, reuse="none").document
        (budget,) = (one["id"] for one in client.items("/v1/budgets") if one["name"] == "Small")
        order = client.order(plan["id"], budget).document["id"]
    page, complaints = sign_in(browser, server, KEY)
    page.goto(f"{server.url}/dashboard/orders/{order}")
    data: Any = page.evaluate_handle(
        "() => { const data = new DataTransfer();"
        " data.items.add(new File(['II'], 'scene.tif')); return data; }"
    )
    page.locator("[data-drop]").dispatch_event("drop", {"dataTransfer": data})
    assert page.get_by_label("Files").evaluate("input => input.files[0].name") == "scene.tif"
    page.get_by_role("button", name="Hand in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert [one for one in complaints if "422" not in one] == []
    assert page.get_by_role("heading", name="Hand in files").is_visible()
