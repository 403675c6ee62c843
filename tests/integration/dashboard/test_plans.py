"""Plans on the dashboard: the list, one plan with its picture and files, and ordering it."""

import html
import re
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.access.repository import create_key, create_workspace, first_workspace
from service.access.roles import Role
from service.dashboard.standing import PlanStanding, stands
from service.database.engine import Database
from service.plans.tables import Plan
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import form_fields, send, sign_in
from tests.support.ordering import buy, code, open_budget, place, plan_scene, publish_prices, usage
from tests.support.orders import Planned
from tests.support.planner import outside_subplans, plan_for_many_rows

FILES = ("shapes", "patches.geojson", "plan.json", "bill.json", "scene.tif", "scene.png")


@pytest.fixture
def planned(client: TestClient) -> Planned:
    publish_prices(client)
    return plan_scene(client)


def path_of(plan: Planned) -> str:
    return f"/dashboard/plans/{plan.id}"


def read(browser: TestClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def test_list_shows_plans_and_narrows_them_by_the_address(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    open_budget(client)
    ordered = plan_scene(client, make_geotiff(make_pixels(seed=3)), max_patches=2)
    assert place(client, ordered).status_code == 201
    sign_in(browser)

    everything = read(browser, "/dashboard/plans")
    assert (path_of(planned) in everything, path_of(ordered) in everything) == (True, True)
    assert "3 of 96" in everything
    for query, shown in (
        ("standing=ordered", ordered), ("standing=open", planned), (f"text={str(planned.id)[:8]}", planned),
    ):  # fmt: skip
        page = read(browser, f"/dashboard/plans?{query}&first_day=&last_day=")
        assert re.findall(r'href="/dashboard/plans/([0-9a-f-]{36})"', page) == [str(shown.id)]
    assert "No plan fits these filters." in read(browser, "/dashboard/plans?last_day=2001-01-01")
    assert "No plan fits these filters." in read(browser, "/dashboard/plans?text=100%25")


def test_list_of_a_standing_has_the_plans_that_show_it(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    open_budget(client)
    ordered = plan_scene(client, make_geotiff(make_pixels(seed=3)), max_patches=2)
    place(client, ordered)
    empty = plan_scene(client, make_geotiff(make_pixels(seed=4)), max_patches=0)
    old = plan_scene(client, make_geotiff(make_pixels(seed=5)))
    newer = client.post(f"/v1/plans/{old.id}/replan", json={"max_patches": 2}).json()["id"]
    sign_in(browser)

    expected = {"ordered": [ordered.id], "replaced": [old.id], "empty": [empty.id], "expired": []}
    for standing, plans in (expected | {"open": [newer, planned.id]}).items():
        page = read(browser, f"/dashboard/plans?standing={standing}")
        shown = re.findall(r'href="/dashboard/plans/([0-9a-f-]{36})"', page)
        assert shown == [str(plan) for plan in plans], standing


@pytest.mark.parametrize(
    ("standing", "index"),
    [
        (PlanStanding.ORDERED, "uq_order_plan_open"),
        (PlanStanding.REPLACED, "ix_plan_supersedes"),
        (PlanStanding.EMPTY, "ix_plan_buys_nothing"),
    ],
)
def test_standings_that_few_plans_have_are_found_in_indexes_by_the_role_that_serves(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    planned: Planned,
    standing: PlanStanding,
    index: str,
) -> None:
    assert place(client, planned, budget=open_budget(client)).status_code == 201
    query = select(Plan.id).where(Plan.workspace_id == workspace_id, stands(standing))
    page = query.order_by(Plan.created_at.desc()).limit(26)
    written = page.compile(database.engine, compile_kwargs={"literal_binds": True})
    plan = plan_for_many_rows(database, str(written), {"workspace": workspace_id})

    assert any("Index" in line and index in line for line in outside_subplans(plan)), plan


@pytest.mark.parametrize("query", ["standing=sold", "first_day=yesterday", "cursor=x", "surprise=1"])
def test_list_refuses_a_filter_that_it_cannot_read(browser: TestClient, query: str) -> None:
    sign_in(browser)
    assert browser.get(f"/dashboard/plans?{query}").status_code == 422


def test_list_continues_on_older_pages_with_the_same_filter(
    client: TestClient, browser: TestClient, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dashboard.plan_list.ROWS", 1)
    newer = plan_scene(client, max_patches=2)
    sign_in(browser)
    first = read(browser, "/dashboard/plans?standing=open")
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = read(browser, following)

    assert "standing=open" in following
    assert (path_of(newer) in first, path_of(planned) in first) == (True, False)
    assert (path_of(newer) in second, path_of(planned) in second) == (False, True)
    assert 'rel="next"' not in second


def test_page_of_a_plan_shows_what_the_api_says(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    page = read(browser, path_of(planned))
    plan = client.get(f"/v1/plans/{planned.id}").json()

    assert plan["decision"] in page
    for money in (plan["cost"], plan["baseline"], plan["savings"]["billable"]):
        assert money["amount"] in page
    assert plan["provenance"]["input_sha256"] in page
    assert 'class="bought"' in page
    assert 'class="shape"' in page
    assert "No budget is in USD." in page
    assert "can be ordered" in page


@pytest.mark.parametrize(
    ("price_list", "said"),
    [
        ("acme", "It becomes a realised saving once the patches are delivered and paid."),
        ("example-no-minimum", "At example prices it never becomes a realised saving."),
    ],
)
def test_plan_says_whether_its_saving_can_be_realised(
    client: TestClient, browser: TestClient, price_list: str, said: str
) -> None:
    publish_prices(client)
    planned = plan_scene(client, price_list=price_list)
    sign_in(browser)
    assert said in read(browser, path_of(planned))


@pytest.mark.parametrize(
    ("reuse", "said", "warning"),
    [
        ("owned", "This ground is not bought again.", ""),
        ("none", "The plan buys this ground again.", "was made to buy owned ground again."),
    ],
)
def test_plan_says_whether_owned_ground_is_bought_again(
    client: TestClient, browser: TestClient, planned: Planned, reuse: str, said: str, warning: str
) -> None:
    open_budget(client)
    buy(client, planned)
    again = plan_scene(client, reuse=reuse)
    sign_in(browser)
    page = read(browser, path_of(again))
    assert said in page
    assert warning in page


def test_tile_lists_its_patches_with_reason_and_price(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    tile, patch = planned.bought[0]
    page = read(browser, f"{path_of(planned)}?tile={tile}")

    features = client.get(f"/v1/plans/{planned.id}/patches").json()["features"]
    (bought,) = (one["properties"] for one in features if one["id"] == f"{tile}/{patch}")
    (row,) = re.findall(
        rf'<tr class="is-bought"><th scope="row">Patch {patch}</th>(.*?)</tr>', page, re.DOTALL
    )
    assert f"{bought['utility']:.4f}" in row
    assert f"{float(bought['cost']):.2f}" in row
    assert f"{float(bought['marginal_cost']):.2f}" in row
    assert "Bought: the objective asks for it." in row
    assert page.count("Not bought:") == 15 - sum(place[0] == tile for place in planned.bought[1:])


def test_patch_without_a_price_of_its_own_has_no_sign(client: TestClient, browser: TestClient) -> None:
    publish_prices(client, minimum_km2="100")
    sign_in(browser)
    plan = plan_scene(client)
    page = read(browser, f"{path_of(plan)}?tile={plan.bought[0][0]}")

    prices = re.findall(r'<td data-label="Change if left out or added" class="number">(.*?)</td>', page)
    assert [re.sub("<[^>]*>", "", price) for price in prices] == ["0.00 USD"] * 16


@pytest.mark.parametrize("query", ["tile=6", "tile=-1", "tile=x", "window=0,0,9,9", "window=x"])
def test_tile_or_window_outside_the_scene_is_refused(
    browser: TestClient, planned: Planned, query: str
) -> None:
    sign_in(browser)
    assert browser.get(f"{path_of(planned)}?{query}").status_code == 422


def test_plan_of_a_tile_without_data_says_why_it_has_no_patches(
    client: TestClient, browser: TestClient
) -> None:
    pixels = make_pixels()
    pixels[:, :8, :8] = 0
    publish_prices(client)
    planned = plan_scene(client, make_geotiff(pixels, nodata=0))
    sign_in(browser)
    assert "Tile 0 is not planned" in read(browser, f"{path_of(planned)}?tile=0")


def test_files_are_those_of_the_api(client: TestClient, browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    ours, theirs = path_of(planned), f"/v1/plans/{planned.id}"

    for name, other in (("shapes", "shapes"), ("bill.json", "bill")):
        assert browser.get(f"{ours}/{name}").json() == client.get(f"{theirs}/{other}").json()
    for form in ("multipolygon", "wkt", "kml"):
        assert browser.get(f"{ours}/shapes?as={form}").text == client.get(f"{theirs}/shapes?as={form}").text
    assert browser.get(f"{ours}/plan.json").json() == client.get(theirs).json()
    patches = browser.get(f"{ours}/patches.geojson").json()
    assert patches["features"] == client.get(f"{theirs}/patches").json()["features"]
    assert browser.get(f"{ours}/scene.tif").content == client.get(f"{theirs}/scene.tif").content
    assert browser.get(f"{ours}/scene.png?window=1,0,1,1").content.startswith(b"\x89PNG")


def test_plan_and_its_files_are_only_for_their_workspace(
    browser: TestClient, database: Database, planned: Planned
) -> None:
    paths = [path_of(planned), *(f"{path_of(planned)}/{name}" for name in FILES)]
    for path in paths:
        assert browser.get(path).headers["location"].startswith("/dashboard/login")
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    for path in paths:
        assert browser.get(path).status_code == 404
    assert path_of(planned) not in read(browser, "/dashboard/plans")
    answer = send(browser, f"{path_of(planned)}/order", "/dashboard/plans/new")
    assert answer.status_code == 404


def test_ordering_holds_the_sum_once_however_often_the_form_is_sent(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    budget = open_budget(client)
    sign_in(browser)
    form = form_fields(browser, path_of(planned)) | {"budget": budget}
    cost = client.get(f"/v1/plans/{planned.id}").json()["cost"]["amount"]
    assert f"Order for {cost} USD" in read(browser, path_of(planned))

    first, second = (browser.post(f"{path_of(planned)}/order", data=form) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(client.get("/v1/orders").json()["items"]) == 1
    assert usage(client, budget)["held"] == cost
    assert f"Ordered 3 patches for {cost} USD." in read(browser, first.headers["location"])
    assert "buys this plan" in read(browser, path_of(planned))


def test_order_that_is_refused_says_why_on_the_page_and_holds_nothing(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    budget = open_budget(client, "1.00")
    sign_in(browser)
    answer = send(browser, f"{path_of(planned)}/order", path_of(planned), budget=budget)

    assert answer.status_code == 402
    assert 'class="refusal" role="alert"' in answer.text
    assert "1.00 USD" in answer.text
    assert usage(client, budget)["held"] == "0.00"


def test_role_that_may_not_order_sees_no_button_and_is_refused(
    client: TestClient, browser: TestClient, database: Database, planned: Planned
) -> None:
    open_budget(client)
    with database.sessions.begin() as session:
        key = create_key(session, first_workspace(session), "planner", Role.PLANNER)
    sign_in(browser, key)
    page = read(browser, path_of(planned))
    assert "sign in with a key for the role buyer or admin" in page
    assert f"{path_of(planned)}/order" not in page

    answer = send(browser, f"{path_of(planned)}/order", "/dashboard/plans/new")
    assert answer.status_code == 403
    assert "the role buyer or admin" in answer.text
    assert client.get("/v1/orders").json()["items"] == []


def test_order_form_of_another_session_is_refused(browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    form = form_fields(browser, path_of(planned)) | {"form_token": "0" * 64}
    answer = browser.post(f"{path_of(planned)}/order", data=form, headers={"Accept": "application/json"})
    assert code(answer) == (403, "cross-site-request")


def test_replaced_plan_leads_to_the_one_to_order(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    newer = client.post(f"/v1/plans/{planned.id}/replan", json={"max_patches": 5}).json()["id"]
    sign_in(browser)
    page = read(browser, path_of(planned))
    assert f'href="/dashboard/plans/{newer}"' in page
    assert f"{path_of(planned)}/order" not in page


def test_plan_whose_pixels_were_deleted_stays_readable_and_says_so(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    assert client.delete(f"/v1/plans/{planned.id}/pixels").status_code < 300
    sign_in(browser)
    page = read(browser, path_of(planned))
    assert "The pixels of this scene were deleted on" in page
    assert 'class="bought"' in page
    assert "scene.png" not in page
    assert browser.get(f"{path_of(planned)}/scene.png").status_code == 410
