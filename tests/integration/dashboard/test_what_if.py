"""What if on the dashboard: comparing writes nothing, and saving makes the plan that was shown."""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from models.manifest import CurvePoint
from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import Workspace
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.dashboard import form_fields, path_of_plan, read_page, sign_in
from tests.support.ordering import open_budget, place, publish_prices
from tests.support.orders import Planned
from tests.support.planning import TIFF, app_with

pytestmark = pytest.mark.usefixtures("spread_utilities")


def path_of(plan: Planned) -> str:
    return f"{path_of_plan(plan)}/what-if"


def rows(database: Database) -> tuple[int, ...]:
    tables = ("plan", "scene", "price_list", '"order"', "job")
    with database.sessions() as session:
        return tuple(session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables)


def test_comparing_writes_nothing_and_the_plan_can_still_be_ordered(
    client: TestClient, browser: TestClient, database: Database, planned: Planned
) -> None:
    open_budget(client)
    publish_prices(client, name="dear", price_per_km2="30000")
    sign_in(browser)
    before = rows(database)
    for query in ("", "?budget=20.00", "?patches=9"):
        read_page(browser, path_of(planned) + query)

    assert rows(database) == before
    assert place(client, planned).status_code == 201


def test_choice_costs_what_a_plan_with_its_limit_costs(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    publish_prices(client, name="dear", price_per_km2="30000")
    sign_in(browser)
    page = read_page(browser, f"{path_of(planned)}?patches=9")

    for price_list in ("acme", "dear"):
        made = client.post(
            "/v1/plans", content=make_geotiff(), headers=TIFF,
            params={"price_list": price_list, "max_patches": 9},
        ).json()  # fmt: skip
        (row,) = re.findall(rf"Acme: {price_list}, version 1.*?</tr>", page, re.DOTALL)
        assert row.count(f"{float(made['cost']['amount']):,.2f}") == 2  # the same patches are its best choice
    assert "Your choice: most utility in at most 9 patches" in page


def test_ground_that_was_bought_since_is_named_and_left_out_of_what_is_saved(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    open_budget(client)
    sign_in(browser)
    said = "came to be owned or on order after the plan was made"
    assert said not in read_page(browser, path_of(planned))

    assert place(client, planned).status_code == 201
    plan = client.get(f"/v1/plans/{planned.id}").json()
    assert f"{plan['patches']['bought']} patches of this scene {said}" in read_page(browser, path_of(planned))
    again = client.post(f"/v1/plans/{planned.id}/replan", json={}).json()
    assert again["reuse"]["on_order"] == plan["patches"]["bought"]
    both = client.post(f"/v1/plans/{planned.id}/replan", json={"reuse": "none"}).json()
    assert said not in read_page(browser, f"/dashboard/plans/{both['id']}/what-if")


def test_slider_stands_at_the_limit_that_was_asked_for(browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    slider = re.compile(r'id="budget" name="budget" type="range".*? step="([^"]+)" value="([^"]+)"')
    step = Decimal(slider.findall(read_page(browser, path_of(planned)))[0][0])
    for steps in range(1, 20, 3):
        page = read_page(browser, f"{path_of(planned)}?budget={steps * step}")
        assert slider.findall(page) == [(str(step), str(steps * step))]
    assert 'max="96" step="1" value="95"' in read_page(browser, f"{path_of(planned)}?patches=95")


def test_slider_of_a_plan_stands_where_its_choice_can_be_paid(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    page = read_page(browser, path_of(planned))
    (value,) = re.findall(r'id="budget" name="budget" type="range".*? value="([^"]+)"', page)
    cost = client.get(f"/v1/plans/{planned.id}").json()["cost"]["amount"]
    assert Decimal(value) >= Decimal(cost)


def test_limit_of_money_is_not_compared_in_another_currency(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    publish_prices(client, name="euro", currency="EUR")
    sign_in(browser)
    page = read_page(browser, f"{path_of(planned)}?budget=20.00")
    (row,) = re.findall(r"Acme: euro, version 1.*?</tr>", page, re.DOTALL)
    assert "Its prices are in EUR; money is never converted." in row


@pytest.mark.parametrize(
    "query", ["budget=much", "budget=1.005", "budget=-1", "patches=4.5", "patches=9&budget=1"]
)
def test_limit_that_cannot_be_read_is_refused_beside_the_plan_as_it_is(
    browser: TestClient, planned: Planned, query: str
) -> None:
    sign_in(browser)
    answer = browser.get(f"{path_of(planned)}?{query}")
    assert answer.status_code == 422
    assert 'class="refusal" role="alert"' in answer.text
    assert "As the plan: " in answer.text


def test_saving_makes_the_plan_that_was_shown_once(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    sign_in(browser)
    page = read_page(browser, f"{path_of(planned)}?patches=9")
    (price_list,) = re.findall(
        r"Acme: acme, version 1.*?name=\"price_list\" value=\"([^\"]+)\"", page, re.DOTALL
    )
    form = form_fields(browser, path_of(planned)) | {"price_list": price_list, "patches": "9"}
    first, second = (browser.post(path_of(planned), data=form) for _ in range(2))

    assert first.headers["location"] == second.headers["location"]
    newest, older = client.get("/v1/plans").json()["items"]
    assert first.headers["location"] == f"/dashboard/plans/{newest['id']}"
    assert (newest["supersedes"], older["id"]) == (str(planned.id), str(planned.id))
    assert newest["objective"] == {"kind": "max_patches", "max_patches": 9}
    assert "it adds 6 patches and drops 0" in read_page(browser, first.headers["location"])


def test_role_that_may_not_plan_cannot_save(
    client: TestClient, browser: TestClient, database: Database, planned: Planned
) -> None:
    with database.sessions.begin() as session:
        workspace = session.query(Workspace).one()
        key = create_key(session, workspace, "reader", role=Role.VIEWER)
    sign_in(browser, key)
    page = read_page(browser, path_of(planned))
    assert "To save a choice, sign in with a key for the role planner, buyer or admin." in page
    (listed,) = [one for one in client.get("/v1/price-lists").json()["items"] if one["name"] == "acme"]
    form = form_fields(browser) | {"price_list": listed["id"], "patches": "9"}
    answer = browser.post(path_of(planned), data=form)
    assert answer.status_code == 403
    assert "the role planner, buyer or admin" in answer.text
    assert len(client.get("/v1/plans").json()["items"]) == 1


@pytest.fixture
def evaluated(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of an application whose bundle has a curve of three points."""
    curve = tuple(
        CurvePoint(threshold=threshold, mean_patches=16 - 16 * threshold, accuracy=accuracy)
        for threshold, accuracy in ((0.0, 0.9), (0.5, 0.85), (1.0, 0.7))
    )
    split = "120 held-out tiles"
    with app_with(
        tmp_path / "evaluated", settings, curve=curve, curve_split=split, evaluation={split: {"images": 120}}
    ) as client:
        yield client


def test_chart_and_table_show_the_curve_with_its_intervals(evaluated: TestClient) -> None:
    made = evaluated.post("/v1/plans", content=make_geotiff(), headers=TIFF).json()
    sign_in(evaluated)
    page = read_page(evaluated, f"/dashboard/plans/{made['id']}/what-if")
    curve = evaluated.get(f"/v1/plans/{made['id']}/curve").json()

    assert page.count('class="dot plan"') == 2  # the point and its key
    assert 'class="band"' in page
    for point in curve["points"]:
        low, high = (f"{100 * end:.1f}" for end in point["interval"])
        assert re.search(rf"{low}\s*%.*? to {high}", page)
    assert curve["source"] in page


def test_file_has_every_point_of_the_chart(evaluated: TestClient) -> None:
    made = evaluated.post("/v1/plans", content=make_geotiff(), headers=TIFF).json()
    sign_in(evaluated)
    address = f"/dashboard/plans/{made['id']}"
    assert f'href="{address}/curve.csv"' in read_page(evaluated, f"{address}/what-if")
    points = evaluated.get(f"/v1/plans/{made['id']}/curve").json()["points"]

    rows = list(csv.DictReader(io.StringIO(evaluated.get(f"{address}/curve.csv").text)))

    assert len(rows) == len(points) > 1
    assert [row["cost"] for row in rows] == [point["cost"]["amount"] for point in points]
    assert [float(row["accuracy_low"]) for row in rows] == [point["interval"][0] for point in points]
    assert [row["nearest_to_plan"] for row in rows].count("yes") == 1


def test_file_has_no_point_without_the_bundle_of_the_plan(browser: TestClient, planned: Planned) -> None:
    sign_in(browser)
    answer = browser.get(f"/dashboard/plans/{planned.id}/curve.csv")
    assert (answer.status_code, len(answer.text.splitlines())) == (200, 1)
