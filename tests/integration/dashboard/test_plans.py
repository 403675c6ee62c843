"""One plan on the dashboard, with its picture and files, and ordering it."""

import re

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace, first_workspace
from service.access.roles import Role
from service.database.engine import Database
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import form_fields, path_of_plan, read_page, send, sign_in
from tests.support.ordering import buy, code, open_budget, plan_scene, publish_prices, usage
from tests.support.orders import Planned

FILES = ("shapes", "patches.geojson", "plan.json", "bill.json", "scene.tif", "scene.png")


def test_page_of_a_plan_shows_what_the_api_says(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    page = read_page(browser, path_of_plan(planned))
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
    assert said in read_page(browser, path_of_plan(planned))


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
    page = read_page(browser, path_of_plan(again))
    assert said in page
    assert warning in page


def test_tile_lists_its_patches_with_reason_and_price(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    tile, patch = planned.bought[0]
    page = read_page(browser, f"{path_of_plan(planned)}?tile={tile}")

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
    page = read_page(browser, f"{path_of_plan(plan)}?tile={plan.bought[0][0]}")

    prices = re.findall(r'<td data-label="Change if left out or added" class="number">(.*?)</td>', page)
    assert [re.sub("<[^>]*>", "", price) for price in prices] == ["0.00 USD"] * 16


@pytest.mark.parametrize("query", ["tile=6", "tile=-1", "tile=x", "window=0,0,9,9", "window=x"])
def test_tile_or_window_outside_the_scene_is_refused(
    browser: TestClient, planned: Planned, query: str
) -> None:
    sign_in(browser)
    assert browser.get(f"{path_of_plan(planned)}?{query}").status_code == 422


def test_plan_of_a_tile_without_data_says_why_it_has_no_patches(
    client: TestClient, browser: TestClient
) -> None:
    pixels = make_pixels()
    pixels[:, :8, :8] = 0
    publish_prices(client)
    planned = plan_scene(client, make_geotiff(pixels, nodata=0))
    sign_in(browser)
    assert "Tile 0 is not planned" in read_page(browser, f"{path_of_plan(planned)}?tile=0")


def test_files_are_those_of_the_api(client: TestClient, browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    ours, theirs = path_of_plan(planned), f"/v1/plans/{planned.id}"

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
    paths = [path_of_plan(planned), *(f"{path_of_plan(planned)}/{name}" for name in FILES)]
    for path in paths:
        assert browser.get(path).headers["location"].startswith("/dashboard/login")
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    for path in paths:
        assert browser.get(path).status_code == 404
    assert path_of_plan(planned) not in read_page(browser, "/dashboard/plans")
    answer = send(browser, f"{path_of_plan(planned)}/order", "/dashboard/plans/new")
    assert answer.status_code == 404


def test_ordering_holds_the_sum_once_however_often_the_form_is_sent(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    budget = open_budget(client)
    sign_in(browser)
    form = form_fields(browser, path_of_plan(planned)) | {"budget": budget}
    cost = client.get(f"/v1/plans/{planned.id}").json()["cost"]["amount"]
    assert f"Order for {cost} USD" in read_page(browser, path_of_plan(planned))

    first, second = (browser.post(f"{path_of_plan(planned)}/order", data=form) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(client.get("/v1/orders").json()["items"]) == 1
    assert usage(client, budget)["held"] == cost
    assert f"Ordered 3 patches for {cost} USD." in read_page(browser, first.headers["location"])
    assert "buys this plan" in read_page(browser, path_of_plan(planned))


def test_order_that_is_refused_says_why_on_the_page_and_holds_nothing(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    budget = open_budget(client, "1.00")
    sign_in(browser)
    answer = send(browser, f"{path_of_plan(planned)}/order", path_of_plan(planned), budget=budget)

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
    page = read_page(browser, path_of_plan(planned))
    assert "sign in with a key for the role buyer or admin" in page
    assert f"{path_of_plan(planned)}/order" not in page

    answer = send(browser, f"{path_of_plan(planned)}/order", "/dashboard/plans/new")
    assert answer.status_code == 403
    assert "the role buyer or admin" in answer.text
    assert client.get("/v1/orders").json()["items"] == []


def test_order_form_of_another_session_is_refused(browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    form = form_fields(browser, path_of_plan(planned)) | {"form_token": "0" * 64}
    answer = browser.post(f"{path_of_plan(planned)}/order", data=form, headers={"Accept": "application/json"})
    assert code(answer) == (403, "cross-site-request")


def test_replaced_plan_leads_to_the_one_to_order(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    newer = client.post(f"/v1/plans/{planned.id}/replan", json={"max_patches": 5}).json()["id"]
    sign_in(browser)
    page = read_page(browser, path_of_plan(planned))
    assert f'href="/dashboard/plans/{newer}"' in page
    assert f"{path_of_plan(planned)}/order" not in page


def test_plan_whose_pixels_were_deleted_stays_readable_and_says_so(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    assert client.delete(f"/v1/plans/{planned.id}/pixels").status_code < 300
    sign_in(browser)
    page = read_page(browser, path_of_plan(planned))
    assert "The pixels of this scene were deleted on" in page
    assert 'class="bought"' in page
    assert "scene.png" not in page
    assert browser.get(f"{path_of_plan(planned)}/scene.png").status_code == 410
