"""Pages that send files and stay up to date, in headless Chromium: progress, results, and changes.

Findings of axe, violations of the content policy and errors of the console fail the tests. With
LOUPE_PICTURES it writes pictures.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from loupe import Client, Money
from service.access.roles import Role
from tests.support.browsers import enter, examine, listen
from tests.support.bundles import make_geotiff, usd, write_bundle
from tests.support.orders import make_patch
from tests.support.server import KEY, ServerProcess, running_server

PATIENCE_MS = 60_000
"""The page asks every few seconds, and the machine may be busy."""
MARK = "() => { window.notReloaded = true; }"
IS_MARKED = "() => window.notReloaded === true"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server with a budget above whose 5.00 USD another holder approves."""
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    prices = {
        "name": "acme", "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "10000",
    }  # fmt: skip
    with running_server(bundle, LOUPE_REQUEST_TILES="5") as process:
        with process.client() as client:
            client.post("/v1/price-lists", prices)
            client.create_budget("Harvest", Money.of("500.00", "USD"))
            client.create_budget("Careful", Money.of("500.00", "USD"), approval_above=usd("1.00"))
        yield process


def place(client: Client, patches: int, budget: str = "Harvest") -> tuple[str, list[tuple[int, int]]]:
    """Place an order on the budget of a name; return its id and its patches."""
    plan = client.plan(make_geotiff(), price_list="acme", max_patches=patches, reuse="none").document["id"]
    (pays,) = (one["id"] for one in client.items("/v1/budgets") if one["name"] == budget)
    order = client.order(plan, pays).document
    return order["id"], [(one["tile"], one["patch"]) for one in order["patches"]["awaited"]]


@pytest.fixture
def quiet(page: Page, server: ServerProcess) -> Iterator[Page]:
    """Sign in; in the end the console must have been silent, but for answers with a status of 4xx."""
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    complaints = listen(page)
    enter(page, f"{server.url}/dashboard/plans", KEY)
    yield page
    assert [one for one in complaints if "the server responded with a status of 4" not in one] == []


def test_files_are_sent_one_by_one_and_the_order_shows_them_without_reloading(
    quiet: Page, server: ServerProcess, tmp_path: Path
) -> None:
    page = quiet
    with server.client() as client:
        order, patches = place(client, 3)
    good, bad = tmp_path / "good.tif", tmp_path / "bad.tif"
    good.write_bytes(make_patch(*patches[0]))
    bad.write_bytes(b"no raster")
    page.goto(f"{server.url}/dashboard/orders/{order}")
    page.evaluate(MARK)
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.get_by_label("Files").set_input_files([good, bad])
    page.get_by_role("button", name="Hand in", exact=True).dblclick()

    results = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(results.nth(0)).to_contain_text("1 patch was delivered and paid for.")
    expect(results.nth(1).get_by_role("alert")).to_be_visible()
    expect(page.locator("#live-facts")).to_contain_text("1 of 3")
    expect(page.get_by_role("region", name="Patches", exact=True)).to_contain_text("Version 1")
    assert len(sent) == 2  # a second click sends nothing again
    assert page.get_by_label("Files").evaluate("input => input.files.length") == 0
    assert page.evaluate(IS_MARKED)
    examine(page, "order-files-sent")


def test_scene_that_is_refused_stays_chosen_and_a_second_try_makes_one_plan(
    quiet: Page, server: ServerProcess, tmp_path: Path
) -> None:
    page, scene = quiet, tmp_path / "scene.tif"
    scene.write_bytes(make_geotiff())
    page.goto(f"{server.url}/dashboard/plans/new")
    page.evaluate(MARK)
    page.get_by_label("Scene").set_input_files(scene)
    page.get_by_label("Aim").select_option(label="Buy at most a number of patches")
    page.get_by_label("Limit").fill("many")
    page.get_by_text("Name, own id and tags").click()
    page.get_by_label("Tags").fill("team=north")
    page.get_by_role("button", name="Plan the scene").click()
    expect(page.get_by_role("alert")).to_contain_text("Give a whole number, such as 40.")
    assert page.evaluate(IS_MARKED)
    examine(page, "new-plan-refused-by-script")

    page.get_by_label("Limit").fill("2")
    page.get_by_role("button", name="Plan the scene").dblclick()
    page.get_by_role("heading", name="Plan ").first.wait_for()
    page.wait_for_url("**/dashboard/plans/*-*")  # by way of the page of its job
    with server.client() as client:
        (plan,) = (one for one in client.items("/v1/plans") if one["tags"] == {"team": "north"})
    assert plan["id"] in page.url


def test_what_others_do_appears_and_what_is_typed_stays(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    with server.client() as client:
        order, patches = place(client, 2)
        page.goto(f"{server.url}/dashboard/orders/{order}")
        page.evaluate(MARK)
        client.deliver_patch(order, *patches[0], make_patch(*patches[0]))
        expect(page.locator("#live-facts")).to_contain_text("1 of 2")
        expect(page.get_by_text("Updated at")).to_be_visible()

        day = (datetime.now(UTC) + timedelta(days=50)).strftime("%Y-%m-%d")
        page.get_by_label("Await patches until the end of").fill(day)
        client.deliver_patch(order, *patches[1], make_patch(*patches[1]))
        expect(page.locator("#live-status")).to_have_text("completed")
    expect(page.get_by_text("This page changed while you were filling in a form.")).to_be_visible()
    assert page.get_by_label("Await patches until the end of").input_value() == day
    examine(page, "order-changed-while-typing")
    assert page.evaluate(IS_MARKED)
    page.get_by_role("link", name="Show the changes").click()
    expect(page.get_by_role("heading", name="Hand in better files")).to_be_visible()


def test_order_that_waits_for_approval_appears_on_an_open_overview(
    browser: Browser, server: ServerProcess
) -> None:
    with browser.new_context() as context, server.client() as client:
        page = context.new_page()
        complaints = listen(page)
        enter(page, f"{server.url}/dashboard", server.add_key("Ada", Role.APPROVER))
        page.evaluate(MARK)
        order, _ = place(client, 2, "Careful")
        expect(page.get_by_role("link", name="1 order to approve or reject")).to_be_visible(
            timeout=PATIENCE_MS
        )
        assert page.evaluate(IS_MARKED)

        listed = context.new_page()
        listed.goto(f"{server.url}/dashboard/orders")
        row = listed.get_by_role("region", name="Orders to decide on").get_by_role("link", name=order[:8])
        expect(row).to_be_visible()
        with Client(server.url, server.add_key("Bea", Role.APPROVER)) as approver:
            approver.decide(order, "approve", "Within the plan.")
        expect(row).to_have_count(0, timeout=PATIENCE_MS)
        assert complaints == []


def test_page_of_somebody_who_signed_out_elsewhere_says_so(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    page.goto(f"{server.url}/dashboard/orders")
    other = page.context.new_page()
    other.goto(f"{server.url}/dashboard/plans")
    with other.expect_navigation():
        other.get_by_role("button", name="Sign out").click()
    page.bring_to_front()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_pages_without_scripts_take_files_and_show_the_present_state(
    browser: Browser, server: ServerProcess, tmp_path: Path
) -> None:
    with server.client() as client:
        order, patches = place(client, 1)
    file = tmp_path / "patch.tif"
    file.write_bytes(make_patch(*patches[0]))
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        enter(page, f"{server.url}/dashboard/orders/{order}", KEY)
        page.get_by_label("Files").set_input_files(file)
        with page.expect_navigation():
            page.get_by_role("button", name="Hand in", exact=True).click()
        assert page.get_by_role("status").inner_text() == "1 patch was delivered and paid for."
        page.get_by_role("link", name="Back to the order").click()
        expect(page.locator("#live-status")).to_have_text("completed")
