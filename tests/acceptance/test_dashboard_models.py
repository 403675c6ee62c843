"""Models and operations in headless Chromium, with the real bundles: axe, both schemes, three screens."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from examples.demo.scenes import LR_FILE, SAMPLE
from loupe import Money, ProblemError
from service.access.roles import Role
from tests.support.browsers import enter, examine, listen
from tests.support.operations import NOBODY
from tests.support.server import KEY, ROOT, ServerProcess, running_server

STARTER = ROOT / "models" / "bundles" / "starter"
FREE = "example-no-minimum"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Start a server with a labelled order, true labels, a finished job and a refusal."""
    with running_server(STARTER) as process, process.client() as client:
        scene = (SAMPLE / LR_FILE).read_bytes()
        client.create_budget("Harvest", Money.of("500.00", "USD"))
        plan = client.plan(scene, price_list=FREE, max_patches=1)
        order = client.order(plan.id).id
        tiles = client.classify(order, allow_partial=True).document["tiles"]
        named = {"tiles": [{"tile": one["tile"], "true_label": one["label"]} for one in tiles]}
        named["tiles"][0]["true_label"] = tiles[1]["label"]
        client.send("PUT", f"/v1/orders/{order}/truth", json=named)
        client.wait(client.plan_later(scene, price_list=FREE, max_patches=20).id)
        with pytest.raises(ProblemError):
            client.get(f"/v1/orders/{NOBODY}")
        process.add_key("Ada", Role.APPROVER)
        yield process


@pytest.fixture
def quiet(page: Page, server: ServerProcess) -> Iterator[Page]:
    """Sign in; in the end the console must have been silent."""
    complaints = listen(page)
    enter(page, f"{server.url}/dashboard/plans", KEY)
    yield page
    assert complaints == []


def test_models_satisfy_axe_on_every_screen(quiet: Page) -> None:
    page = quiet
    page.get_by_role("link", name="Models and operations").click()
    expect(page.get_by_role("heading", name="Measured curves")).to_be_visible()
    assert page.locator("figure.chart svg .dot.plan").count() >= 2  # operating points of both bundles
    expect(page.get_by_role("heading", name="Calibration error")).to_be_visible()
    examine(page, "models")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Curves as CSV").click()
    assert "operating_point" in downloading.value.path().read_text()


def test_operations_satisfy_axe_on_every_screen(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    page.goto(f"{server.url}/dashboard/operations")
    expect(page.get_by_role("row", name="POST /v1/plans ")).to_be_visible()
    expect(page.get_by_role("row", name="not found")).to_be_visible()
    expect(page.get_by_role("row", name="Ada")).to_contain_text("never")
    examine(page, "operations")
    page.get_by_role("link", name="The plan", exact=True).first.click()
    expect(page.get_by_role("heading", name="Plan ").first).to_be_visible()


def test_job_appears_on_open_operations_without_reloading(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    page.goto(f"{server.url}/dashboard/operations")
    page.evaluate("() => { window.notReloaded = true; }")
    with server.client() as client:
        job = client.plan_later((SAMPLE / LR_FILE).read_bytes(), price_list=FREE, max_patches=5).id
        row = page.get_by_role("row", name=job[:8])
        expect(row).to_be_visible(timeout=60_000)
        client.wait(job)
    expect(row).to_contain_text("succeeded", timeout=60_000)
    assert page.evaluate("() => window.notReloaded === true")
