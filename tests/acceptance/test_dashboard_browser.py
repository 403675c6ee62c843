"""The dashboard in headless Chromium, against a real server process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from loupe import Money
from models.bundle import CurvePoint
from tests.support.browsers import enter
from tests.support.bundles import make_geotiff, write_bundle
from tests.support.orders import make_patch
from tests.support.server import KEY, ServerProcess, running_server

CURVE = tuple(
    CurvePoint(threshold=threshold, mean_patches=patches, accuracy=accuracy)
    for threshold, patches, accuracy in ((0.0, 16, 0.93), (0.5, 4.2, 0.91), (1.01, 0, 0.7))
)
ATTACK = "<script>document.title = 'run'</script>"
WIDTHS = {"laptop": 1366, "phone": 390}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server with a measured bundle, a completed order and an incomplete one."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    bundle = write_bundle(folder, curve=CURVE, curve_split="a held-out split")
    with running_server(bundle) as process:
        fill(process)
        yield process


def fill(process: ServerProcess) -> None:
    """Place one completed and one incomplete order."""
    prices = {
        "name": "acme", "provider": ATTACK, "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "100000",
    }  # fmt: skip
    with process.client() as client:
        client.post("/v1/price-lists", prices)
        client.create_budget("Harvest", Money.of("2000.00", "USD"))
        for patches, delivered in ((4, 4), (6, 2)):
            plan = client.plan(make_geotiff(), price_list="acme", max_patches=patches).document
            order = client.order(plan["id"], None).document
            for one in order["patches"]["awaited"][:delivered]:
                client.deliver_patch(
                    order["id"], one["tile"], one["patch"], make_patch(one["tile"], one["patch"])
                )


def sign_in(page: Page, server: ServerProcess, key: str = KEY) -> None:
    enter(page, f"{server.url}/dashboard", key)


def test_visitor_can_sign_in_read_and_sign_out(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)

    page.get_by_role("heading", name="Savings and accuracy").wait_for()
    assert page.url == f"{server.url}/dashboard"
    assert page.get_by_text("91.0").first.is_visible()
    assert page.get_by_role("cell", name="settle", exact=True).count() == 6

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    page.goto(f"{server.url}/dashboard")
    assert page.url == f"{server.url}/dashboard/login"


def test_login_explains_a_wrong_key(page: Page, server: ServerProcess) -> None:
    sign_in(page, server, "not-a-key-of-anybody")

    assert page.get_by_role("alert").inner_text().startswith("This key is not valid.")


def test_page_obeys_its_policy_and_loads_from_its_server_only(page: Page, server: ServerProcess) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, server)
    page.wait_for_load_state("networkidle")

    assert complaints == []
    assert asked
    assert [url for url in asked if not url.startswith(server.url)] == []


def test_page_shows_user_input_as_text(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)

    page.get_by_text(ATTACK).first.wait_for()
    assert page.title() == "Overview - default - Loupe"


def test_page_shows_previews(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)
    picture = page.locator(".plan img").first
    picture.scroll_into_view_if_needed()
    # wait_for_function would poll with a script in the page, which the page's policy forbids.
    picture.evaluate("image => image.decode()")

    assert picture.evaluate("image => image.naturalWidth") > 100


def test_budget_bar_is_proportional_to_its_share(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)
    with server.client() as client:
        (budget,) = list(client.items("/v1/budgets"))
        usage = client.get(f"/v1/budgets/{budget['id']}/usage")
    for part in ("spent", "held"):
        share = float(usage[part]["amount"]) / float(usage["limit"]["amount"])
        box = width_of(page, f".meter .{part}") / width_of(page, ".meter .track")

        assert share > 0
        assert box == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_screen_in_both_colour_schemes(
    browser: Browser, server: ServerProcess, scheme: Any, width: int
) -> None:
    with browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        sign_in(page, server)
        page.get_by_role("heading", name="Budgets").wait_for()

        assert page.evaluate("document.documentElement.scrollWidth") == width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(16, 22, 21)") == (scheme == "dark")
        assert lowest_contrast(page) >= 4.5  # WCAG 2.2, level AA, text of ordinary size


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/orders",
        "/plans",
        "/ledger",
        "/ledger/invoices",
        "/budgets",
        "/reports",
        "/models",
        "/operations",
    ],
)
def test_printed_page_fits_the_paper(page: Page, server: ServerProcess, path: str) -> None:
    sign_in(page, server)
    page.set_viewport_size({"width": 680, "height": 900})  # A4 without its margins, at 96 pixels an inch
    page.emulate_media(media="print")

    page.goto(f"{server.url}/dashboard{path}")

    assert page.evaluate("document.documentElement.scrollWidth") == 680


def test_page_controls_are_reachable_with_the_keyboard(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)
    wanted = page.locator("a, button").count()
    reached = set()
    for _ in range(wanted + 30):  # the fields of the forms, and the parts of a date
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("[...document.querySelectorAll('a, button')].indexOf(document.activeElement)")
        )

    assert reached - {-1} == set(range(wanted))


def test_csv_link_downloads_the_rows(page: Page, server: ServerProcess) -> None:
    sign_in(page, server)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Orders as CSV").click()

    lines = Path(downloading.value.path()).read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("order,plan,")


def width_of(page: Page, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("node => node.getBoundingClientRect().width"))


def lowest_contrast(page: Page) -> float:
    """Return the lowest contrast ratio (WCAG 2.2, 1.4.3) of any visible text to its background."""
    return float(
        page.evaluate(
            """() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = parts(colour).map(v => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = node => {
        for (let one = node; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if ((parts(colour)[3] ?? 1) > 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const texts = [...document.querySelectorAll('body *')].filter(node =>
        [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
    return Math.min(...texts.map(node => {
        const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
}"""
        )
    )
