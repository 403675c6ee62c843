"""The map on the dashboard: what is owned, on order and planned, narrowed by the address."""

import csv
import io
import re
import time

import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import read_page, sign_in
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices


def read(browser: TestClient, query: str = "") -> str:
    return read_page(browser, f"/dashboard/map{query}")


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
    "query",
    ["kind=sold", "first_day=x", "at_least=1", "at_least=x&currency=USD", "box=1", "surprise=1", "page=0"],
)
def test_filter_that_cannot_be_read_is_refused(browser: TestClient, query: str) -> None:
    sign_in(browser)
    assert browser.get(f"/dashboard/map?{query}").status_code == 422


def test_map_keeps_up_with_orders_and_plans(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    open_budget(client, "900.00")
    sign_in(browser)
    assert "There is no ground on the map yet." in read(browser)

    first = plan_scene(client)
    assert listed(read(browser)) == [f"/dashboard/plans/{first.id}"]
    order = place(client, first).json()["id"]
    assert listed(read(browser)) == [f"/dashboard/orders/{order}"]
    assert client.post(f"/v1/orders/{order}/cancel").status_code == 200
    assert listed(read(browser)) == [f"/dashboard/plans/{first.id}"]
    second = client.post(f"/v1/plans/{first.id}/replan", json={"max_patches": 2}).json()["id"]
    assert listed(read(browser)) == [f"/dashboard/plans/{second}"]
    plan_scene(client, make_geotiff(make_pixels(seed=9)), max_patches=0)  # buys nothing
    assert listed(read(browser)) == [f"/dashboard/plans/{second}"]

    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # plans never change
        session.execute(text("UPDATE plan SET expires_at = now()"))
    placed = place(client, plan_scene(client, make_geotiff(make_pixels(seed=5)))).json()["id"]
    assert listed(read(browser)) == [f"/dashboard/orders/{placed}"]


def test_plan_leaves_map_and_table_once_its_prices_expire(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    first, second = (plan_scene(client, make_geotiff(make_pixels(seed=seed))).id for seed in (1, 2))
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # plans never change
        soon = text("UPDATE plan SET expires_at = now() + interval '4 seconds' WHERE id = :plan")
        session.execute(soon, {"plan": second})
    sign_in(browser)
    before = read(browser)
    assert listed(before) == [f"/dashboard/plans/{one}" for one in (second, first)]
    time.sleep(4.1)  # nothing is written, so what was kept still is
    after = read(browser)
    assert listed(after) == [f"/dashboard/plans/{first}"]
    assert [page.count(f'<a href="/dashboard/plans/{second}" tabindex') for page in (before, after)] == [1, 0]


def test_table_pages_through_all_ground(
    browser: TestClient, ground: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dashboard.ground_map.ROWS", 1)
    sign_in(browser)
    pages = [read(browser, f"?page={number}") for number in (1, 2, 3)]
    assert [listed(page) for page in pages] == [[ground[kind]] for kind in ("planned", "ordered", "owned")]
    for number, page in enumerate(pages, start=1):
        assert f"Rows {number} to {number} of 3 places, newest first." in page
        assert len(re.findall(r'tabindex="-1"><title>', page)) == 3  # the map has all
    assert 'href="/dashboard/map?page=2#ground" rel="next"' in pages[0]
    assert 'href="/dashboard/map?page=1#ground" rel="prev"' in pages[1]
    assert 'rel="next"' not in pages[2]
    assert listed(read(browser, "?page=9")) == [ground["owned"]]
    assert listed(read(browser, "?page=2&kind=planned")) == [ground["planned"]]


@pytest.mark.parametrize("query", ["", "?kind=owned", "?box=8.9,47.8,9.1,47.9", "?currency=EUR"])
def test_files_hold_all_ground_that_the_filters_choose(
    browser: TestClient, ground: dict[str, str], monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr("service.dashboard.ground_files.READ_AT_ONCE", 2)
    monkeypatch.setattr("service.dashboard.ground_map.ROWS", 2)
    sign_in(browser)
    expected = [] if "EUR" in query else [ground["owned"]]
    if not query:
        expected = [ground[kind] for kind in ("planned", "ordered", "owned")]

    answer = browser.get(f"/dashboard/map.csv{query}")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [f"/dashboard/{row['document']}s/{row['id']}" for row in rows] == expected
    assert all(47 < float(row["latitude"]) < 48.5 and float(row["cost"]) > 0 for row in rows)

    answer = browser.get(f"/dashboard/map.geojson{query}")
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert [f"/dashboard/{one['properties']['document']}s/{one['id']}" for one in features] == expected
    for row, feature in zip(rows, features, strict=True):
        middle = shapely.geometry.shape(feature["geometry"]).centroid
        assert (middle.x, middle.y) == pytest.approx(
            (float(row["longitude"]), float(row["latitude"])), abs=1e-3
        )
        assert feature["properties"]["cost"] == float(row["cost"])
        assert feature["properties"]["status"] == row["status"]


@pytest.mark.usefixtures("ground")
def test_page_leads_to_the_files_of_its_filters(browser: TestClient) -> None:
    sign_in(browser)
    assert '<a href="/dashboard/map.geojson">GeoJSON</a> <a href="/dashboard/map.csv">CSV</a>' in read(
        browser
    )
    page = read(browser, "?kind=owned&first_day=2026-01-01&at_least=")
    assert 'href="/dashboard/map.csv?kind=owned&first_day=2026-01-01"' in page


def test_map_is_only_of_the_own_workspace(
    browser: TestClient, database: Database, ground: dict[str, str]
) -> None:
    assert browser.get("/dashboard/map").headers["location"].startswith("/dashboard/login")
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    page = read(browser)
    assert not any(href in page for href in ground.values())
