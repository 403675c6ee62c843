"""The map on the dashboard: what is owned, on order and planned, narrowed by the address."""

import html
import re

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.dashboard import ground_map
from service.database.engine import Database
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import sign_in
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices


def read(browser: TestClient, query: str = "") -> str:
    answer = browser.get(f"/dashboard/map{query}")
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def listed(page: str) -> list[str]:
    """Return the addresses of the rows of the table."""
    return re.findall(r'<th scope="row"><a href="([^"]+)"', page)


@pytest.fixture
def ground(client: TestClient) -> dict[str, str]:
    """Make an owned order, an open one and a plan, each in a place of its own; return their addresses."""
    publish_prices(client)
    open_budget(client, "900.00")
    scenes = [make_geotiff(make_pixels(seed=seed), west=500_000.0 + 20_000 * seed) for seed in range(3)]
    owned = buy(client, plan_scene(client, scenes[0]))
    ordered = place(client, plan_scene(client, scenes[1], max_patches=5)).json()["id"]
    planned = plan_scene(client, scenes[2]).id
    return {
        "owned": f"/dashboard/orders/{owned}",
        "ordered": f"/dashboard/orders/{ordered}",
        "planned": f"/dashboard/plans/{planned}",
    }


def test_map_and_table_show_every_status_and_lead_to_its_page(
    browser: TestClient, ground: dict[str, str]
) -> None:
    sign_in(browser)
    page = read(browser)
    assert sorted(listed(page)) == sorted(ground.values())
    for kind, href in ground.items():
        assert re.search(rf'<a href="{href}" tabindex="-1">.*?class="ground {kind}-ground"', page, re.DOTALL)


def test_filters_narrow_map_and_table(browser: TestClient, ground: dict[str, str]) -> None:
    sign_in(browser)
    for kind, href in ground.items():
        assert listed(read(browser, f"?kind={kind}")) == [href]
    assert listed(read(browser, "?currency=USD&at_least=15.00")) == [ground["ordered"]]
    clear = '<a href="/dashboard/map">Clear</a>'
    assert (clear in read(browser), clear in read(browser, "?kind=owned")) == (False, True)
    assert "No ground fits these filters." in read(browser, "?last_day=2001-01-01")
    assert "No ground fits these filters." in read(browser, "?currency=EUR")
    page = read(browser, "?box=8.9,47.8,9.1,47.9")  # the first scene lies at 9 degrees east
    assert listed(page) == [ground["owned"]]


@pytest.mark.parametrize(
    "query", ["kind=sold", "first_day=x", "at_least=1", "at_least=x&currency=USD", "box=1", "surprise=1"]
)
def test_filter_that_cannot_be_read_is_refused(browser: TestClient, query: str) -> None:
    sign_in(browser)
    assert browser.get(f"/dashboard/map?{query}").status_code == 422


@pytest.mark.parametrize("most", [1, 2, 150])
def test_newest_plans_that_can_be_ordered_are_found_behind_others(
    client: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(ground_map, "MOST", most)
    monkeypatch.setattr(ground_map, "LOOKED_AT", 2)
    publish_prices(client)
    open_budget(client, "900.00")
    scenes = [make_geotiff(make_pixels(seed=seed), west=500_000.0 + 20_000 * seed) for seed in range(4)]
    plans = [plan_scene(client, scene) for scene in scenes]
    place(client, plans[2])  # of the two newest plans, one can be ordered
    sign_in(browser)

    expected = [f"/dashboard/plans/{plans[number].id}" for number in (3, 1, 0)][:most]
    assert listed(read(browser, "?kind=planned")) == expected


def test_map_is_only_of_the_own_workspace(
    browser: TestClient, database: Database, ground: dict[str, str]
) -> None:
    assert browser.get("/dashboard/map").headers["location"].startswith("/dashboard/login")
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    page = read(browser)
    assert not any(href in page for href in ground.values())


def test_map_says_when_it_leaves_out_older_ground(
    browser: TestClient, ground: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dashboard.ground_map.MOST", 1)
    sign_in(browser)
    page = read(browser)
    assert sorted(listed(page)) == sorted([ground["ordered"], ground["planned"]])
    assert "the newest 1 orders and 1 plans that fit" in page
