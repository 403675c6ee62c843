"""The dashboard over HTTP: access, content policy, and figures equal to the API's."""

import csv
import html
import io
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.dashboard import plans
from service.database.engine import Database
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import (
    buy,
    buy_everything,
    open_budget,
    plan_scene,
    publish_prices,
    waiting_connections,
)
from tests.support.orders import make_patch

EXPORTS = ("savings", "ledger", "budgets", "plans")


@pytest.mark.parametrize("path", ["/dashboard/login", "/dashboard"])
def test_page_forbids_inline_scripts_and_foreign_content(browser: TestClient, path: str) -> None:
    sign_in(browser)
    answer = browser.get(path)

    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["cache-control"] == "no-store"
    inline = r'<script(?! type="module" src="/dashboard/assets/[a-z]+\.js\?v=[0-9a-f]+"></script>)'
    assert not re.search(rf"{inline}|style=|\son\w+=|https?://", answer.text)


def test_assets_are_served_and_cached_for_ever(browser: TestClient) -> None:
    links = re.findall(r'(?:href|src)="(/dashboard/assets/[^"]+)"', browser.get("/dashboard/login").text)

    assert len(set(links)) == 3
    for link in links:
        answer = browser.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["frame.html", "..%2Frouting.py", "nothing.css"])
def test_asset_route_refuses_unknown_names(browser: TestClient, name: str) -> None:
    assert browser.get(f"/dashboard/assets/{name}").status_code == 404


def test_page_of_an_empty_workspace_explains_the_first_steps(browser: TestClient) -> None:
    sign_in(browser)
    page = browser.get("/dashboard").text

    for words in (
        "Nothing has been ordered yet",
        "There is no budget yet",
        "No scene has been planned yet",
        "The ledger is empty",
    ):
        assert words in page


def test_page_escapes_user_input(client: TestClient, browser: TestClient) -> None:
    attack = "<script>alert(1)</script>"
    publish_prices(client, provider=attack)
    open_budget(client, name='"><img src=x onerror=alert(1)>')
    buy(client, plan_scene(client))
    sign_in(browser)

    page = browser.get("/dashboard").text

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x" in page
    assert "<script>" not in page
    assert "<img src=x" not in page


def test_page_figures_equal_those_of_the_api(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    budget = open_budget(client, "12345.00")
    plan = plan_scene(client)
    order = buy(client, plan)
    sign_in(browser)

    page = words_of(browser.get("/dashboard").text)

    (entry,) = client.get("/v1/reports/savings").json()["currencies"]
    usage = client.get(f"/v1/budgets/{budget}/usage").json()
    shown = [entry["savings"][kind] for kind in ("realised", "ordered", "list")]
    shown += [entry["baseline"], usage["spent"], usage["available"], usage["limit"]]
    for money in shown:
        assert f"{float(money['amount']):,.2f}" in page
    assert client.get(f"/v1/plans/{plan.id}").json()["decision"] in page
    assert f"order:{order}" in page
    assert "completed" in page


def test_page_shows_the_warnings_of_a_plan(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    pixels = make_pixels()
    pixels[:, :8] = 0
    plan = plan_scene(client, make_geotiff(pixels))
    sign_in(browser)

    (warning,) = client.get(f"/v1/plans/{plan.id}").json()["warnings"]
    assert warning["code"] == "undeclared-nodata"
    assert html.escape(warning["detail"]) in browser.get("/dashboard").text


def test_page_shows_partial_deliveries_and_doubtful_patches(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    plan = plan_scene(client)
    order = buy(client, plan, patches=1)
    sign_in(browser)
    before = browser.get("/dashboard").text
    place = plan.bought[1]
    path = f"/v1/orders/{order}/tiles/{place[0]}/patches/{place[1]}?accept_unlike=true"
    answer = client.put(path, content=make_patch(*place, black=True), headers={"Content-Type": "image/tiff"})
    after = browser.get("/dashboard").text

    assert answer.status_code == 201, answer.text
    assert "<dt>Patches delivered</dt><dd>1 of 3</dd>" in before
    assert "delivered patch with doubts" not in before
    assert "<dt>Patches delivered</dt><dd>2 of 3</dd>" in after
    assert "1 delivered patch with doubts" in after


def test_each_section_exports_its_rows_as_csv_and_json(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    open_budget(client, name="=1+1")
    buy(client, plan_scene(client))
    sign_in(browser)
    page = browser.get("/dashboard").text

    for name in EXPORTS:
        assert f'href="/dashboard/{name}.csv' in page
        rows = list(csv.DictReader(io.StringIO(browser.get(f"/dashboard/{name}.csv").text)))
        assert rows
        assert browser.get(f"/dashboard/{name}.json").json()
    (budget,) = csv.DictReader(io.StringIO(browser.get("/dashboard/budgets.csv").text))
    assert budget["name"] == "'=1+1"  # a spreadsheet would run it as a formula
    (plan,) = csv.DictReader(io.StringIO(browser.get("/dashboard/plans.csv").text))
    counted = ("objects", "expected_objects", "expected_in_bought", "share_in_bought")
    assert (plan["task"], *(plan[name] for name in counted)) == ("label", "", "", "", "")


def test_preview_is_a_png(client: TestClient, browser: TestClient) -> None:
    plan = plan_scene(client, price_list="example-no-minimum")
    sign_in(browser)

    answer = browser.get(f"/dashboard/plans/{plan.id}/preview.png")

    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_preview_holds_no_connection_while_drawing(
    client: TestClient, browser: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_scene(client, price_list="example-no-minimum")
    sign_in(browser)
    seen = []

    def watch(*_: Any) -> bytes:
        seen.append(waiting_connections(database))
        return b"a picture"

    monkeypatch.setattr(plans, "render_preview", watch)

    assert browser.get(f"/dashboard/plans/{plan.id}/preview.png").content == b"a picture"
    assert seen == [0]


def test_exports_and_previews_refuse_a_stranger(client: TestClient, browser: TestClient) -> None:
    plan = plan_scene(client, price_list="example-no-minimum")

    paths = [f"/dashboard/{name}.{kind}" for name in EXPORTS for kind in ("csv", "json")]
    for path in [*paths, f"/dashboard/plans/{plan.id}/preview.png"]:
        assert browser.get(path).headers["location"].startswith("/dashboard/login"), path
        assert browser.get(path, headers={"Accept": "image/png,*/*"}).status_code == 401, path


def test_visitor_sees_only_its_own_workspace(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    open_budget(client, name="A budget of the first workspace")
    plan = plan_scene(client)
    buy(client, plan)
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)

    page = browser.get("/dashboard").text

    assert "stranger" in page
    assert "A budget of the first workspace" not in page
    assert str(plan.id) not in page
    assert browser.get(f"/dashboard/plans/{plan.id}/preview.png").status_code == 404
    assert browser.get("/dashboard/budgets.json").json()["items"] == []


def test_page_of_an_order_says_why_nothing_is_saved_yet_and_is_not_for_others(
    browser: TestClient, client: TestClient, database: Database
) -> None:
    publish_prices(client)
    open_budget(client)
    labels: dict[str, Any] = {"tags": {"team": "<north>", "run": "7"}, "cost_center": "4711"}
    order = buy(client, plan_scene(client), patches=1, **labels)
    path = f"/dashboard/orders/{order}"
    assert browser.get(path).headers["location"] == f"/dashboard/login?to={path}"
    sign_in(browser)
    page = html.unescape(browser.get(path).text)
    assert "Not known yet: not every patch was delivered." in page
    assert "is paid and on no invoice. Ask the provider for its invoice." in page
    assert "</a> lists those that are imported, and imports more." in page
    assert "Tags: run = 7, team = <north>." in page
    assert "Cost centre: 4711." in page
    assert f'href="{path}"' in browser.get("/dashboard").text
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    assert browser.get(path).status_code == 404


def test_page_of_an_order_that_moved_no_money(browser: TestClient, client: TestClient) -> None:
    publish_prices(client)
    open_budget(client, "900.00")
    buy_everything(client)
    plan = plan_scene(client)  # buys nothing: all of it is owned
    sign_in(browser)
    page = html.unescape(browser.get(f"/dashboard/plans/{plan.id}").text)
    assert "Order it to label the scene with patches that you own or have on order." in page
    order = buy(client, plan)
    page = html.unescape(browser.get(f"/dashboard/orders/{order}").text)
    assert "The order moved no money." in page
