"""The view of models: labels against true labels, plans by week, and the files of both."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import TIFF, buy, open_budget, plan_scene, publish_prices

MODELS = "/dashboard/models"


def rows_of(browser: TestClient, listed: str) -> list[dict[str, str]]:
    answer = browser.get(f"{MODELS}/{listed}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_empty_workspace_says_what_to_do_next(browser: TestClient) -> None:
    sign_in(browser)
    page = words_of(browser.get(MODELS).text)
    assert "has no evaluation curve." in page
    assert "No label of the workspace has a true label yet." in page
    assert "No scene has been planned yet." in page
    assert [rows_of(browser, listed) for listed in ("curves", "labels", "weeks")] == [[], [], []]


def test_all_pages_of_the_view_are_marked_in_the_navigation(browser: TestClient) -> None:
    sign_in(browser)
    for path, current in ((MODELS, "page"), ("/dashboard/operations", "true")):
        marked = re.findall(r'<li><a href="([^"]+)" aria-current="([a-z]+)">', browser.get(path).text)
        assert marked == [(MODELS, current)]


@pytest.mark.usefixtures("spread_utilities")
def test_known_labels_are_compared_by_class_and_by_confidence(
    client: TestClient, browser: TestClient
) -> None:
    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client))
    made = client.post(f"/v1/orders/{order}/classification", json={}).json()
    first, second, third, *_ = made["tiles"]
    wrong = next(one for one in ("farm", "forest", "harbour") if one != second["label"])
    known = {first["tile"]: first["label"], second["tile"]: wrong, third["tile"]: third["label"]}
    given = [{"tile": tile, "true_label": label} for tile, label in known.items()]
    assert client.put(f"/v1/orders/{order}/truth", json={"tiles": given}).status_code == 200

    sign_in(browser)
    rows = rows_of(browser, "labels")
    classes = [row for row in rows if row["group"] == "true class"]
    assert sum(int(row["tiles"]) for row in classes) == 3
    assert sum(int(row["right"]) for row in classes) == 2
    (mistaken,) = (row for row in classes if f"{second['label']}: 1" in row["taken_for"])
    assert mistaken["of"] == wrong
    groups = [row for row in rows if row["group"] == "confidence"]
    mean = sum(float(row["mean_confidence"]) * int(row["tiles"]) for row in groups) / 3
    assert mean == pytest.approx(sum(one["confidence"] for one in (first, second, third)) / 3)
    page = words_of(browser.get(MODELS).text)
    assert "2 of 3 tiles with a true label" in page
    assert "Calibration error" in page

    taken_back = [{"tile": tile, "true_label": None} for tile in known]
    client.put(f"/v1/orders/{order}/truth", json={"tiles": taken_back})
    assert rows_of(browser, "labels") == []


@pytest.mark.usefixtures("spread_utilities")
def test_plans_are_counted_in_the_week_in_which_they_were_made(
    client: TestClient, browser: TestClient
) -> None:
    publish_prices(client)
    plans = [
        client.post(
            f"/v1/plans?price_list=acme&max_patches={most}", content=make_geotiff(), headers=TIFF
        ).json()
        for most in (1, 3)
    ]
    sign_in(browser)
    (row,) = rows_of(browser, "weeks")
    today = datetime.now(UTC).date()
    assert row["week"] == str(today - timedelta(days=today.weekday()))
    bought = [sum(bool(tile["buy"]) for tile in plan["tiles"]) for plan in plans]
    tiles = [tile for plan in plans for tile in plan["tiles"] if tile["status"] == "planned"]
    assert (int(row["plans"]), int(row["tiles"])) == (2, len(tiles))
    assert int(row["tiles_buying_nothing"]) == len(tiles) - sum(bought)
    utilities = [one for tile in tiles for one in tile["utilities"]]
    assert float(row["mean_utility"]) == pytest.approx(sum(utilities) / len(utilities), abs=1e-5)
    share = 100 * int(row["tiles_buying_nothing"]) / len(tiles)
    page = browser.get(MODELS).text
    assert f'aria-label="{share:.1f} % of the tiles"' in page
    assert 0 < float(row["brightness"]) < 255
    other = client.post("/v1/plans?price_list=acme", content=make_geotiff(make_pixels(seed=5)), headers=TIFF)
    (both,) = rows_of(browser, "weeks")
    client.post(f"/v1/plans/{other.json()['id']}/replan", json={"max_patches": 2})
    (again,) = rows_of(browser, "weeks")
    assert (both["brightness"], both["contrast"]) == (again["brightness"], again["contrast"])
    assert int(again["plans"]) == int(both["plans"]) + 1
    assert both["brightness"] != row["brightness"]
    row, page = again, browser.get(MODELS).text
    assert f'data-label="Brightness" class="number">{float(row["brightness"]):.1f}<' in page
    assert f'data-label="Contrast" class="number">{float(row["contrast"]):.1f}<' in page


def test_nobody_sees_models_without_signing_in(browser: TestClient) -> None:
    for path in (MODELS, f"{MODELS}/curves.csv"):
        assert browser.get(path).headers["location"].startswith("/dashboard/login")
