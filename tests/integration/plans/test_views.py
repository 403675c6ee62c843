"""Views of a plan (patches, order shapes, curve, preview) and the served bundle."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.blobs import path_of
from service.web.paging import encode_cursor
from tests.support.planning import bought, plan

pytestmark = pytest.mark.usefixtures("spread_utilities")


def test_patches_carry_decision_utility_and_share_of_the_cost(client: TestClient) -> None:
    made = plan(client)
    answer = client.get(f"/v1/plans/{made['id']}/patches")
    document = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert len(document["features"]) == 96
    shares = Decimal(0)
    for feature in document["features"]:
        facts = feature["properties"]
        tile = made["tiles"][facts["tile"]]
        assert facts["selected"] == (facts["index"] in tile["buy"])
        assert facts["utility"] == tile["utilities"][facts["index"]]
        assert (facts["row"], facts["col"]) == (facts["index"] % 4, facts["index"] // 4)
        assert facts["selected"] or facts["cost"] == 0
        assert facts["reason"] == ("wanted" if facts["selected"] else "below-threshold")
        assert facts["reason"] in document["reasons"]
        assert facts["marginal_cost"] in {0, 0.01}  # 400 m2 at 10 USD per km2
        shares += Decimal(str(facts["cost"]))
    assert shares == Decimal(made["cost"]["amount"])
    area = sum(feature["properties"]["area_km2"] for feature in document["features"])
    assert area == pytest.approx(made["scene"]["planned_km2"], abs=1e-8)


def test_patches_lie_where_their_index_says_and_run_counter_clockwise(client: TestClient) -> None:
    made = plan(client)
    document = client.get(f"/v1/plans/{made['id']}/patches").json()
    centres = {}
    for feature in document["features"]:
        ring = np.array(feature["geometry"]["coordinates"][0])
        x, y = (ring - ring[0]).T
        assert (ring[0] == ring[-1]).all()
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0
        centres[feature["properties"]["tile"], feature["properties"]["index"]] = ring[:4].mean(axis=0)
    west, south, east, north = document["bbox"]
    points = np.array(list(centres.values()))
    assert (points > (west, south)).all()
    assert (points < (east, north)).all()
    assert centres[0, 1][1] < centres[0, 0][1]  # index 1 lies south of 0
    assert centres[0, 4][0] > centres[0, 0][0]  # index 4 lies east of 0
    assert centres[1, 0][0] > centres[0, 12][0]  # tile 1 lies east of tile 0
    assert centres[3, 0][1] < centres[0, 3][1]  # tile 3 starts the second row


def test_patches_come_in_pages_of_tiles(client: TestClient) -> None:
    made = plan(client)
    whole = client.get(f"/v1/plans/{made['id']}/patches").json()["features"]
    seen: list[Any] = []
    path = f"/v1/plans/{made['id']}/patches?limit=4"
    while path:
        page = client.get(path).json()
        seen += page["features"]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == whole


@pytest.mark.parametrize("limit", [0, 4097])
def test_patches_refuse_a_page_of_no_or_too_many_tiles(client: TestClient, limit: int) -> None:
    assert client.get(f"/v1/plans/{plan(client)['id']}/patches?limit={limit}").status_code == 422


@pytest.mark.parametrize(("tile", "status"), [("999", 200), ("-1", 422), ("first", 422), ("1\n2", 422)])
def test_patches_begin_at_the_tile_of_a_cursor(client: TestClient, tile: str, status: int) -> None:
    path = f"/v1/plans/{plan(client)['id']}/patches"
    (_, onward) = client.get(f"{path}?limit=1").json()["links"]
    tag = onward["href"].rpartition(".")[2]

    answer = client.get(path, params={"cursor": f"{encode_cursor(tile)}.{tag}"})

    assert answer.status_code == status
    assert answer.json().get("features", []) == []


def test_shapes_hold_the_bought_patches_and_state_the_bill(client: TestClient) -> None:
    made = plan(client)
    document = client.get(f"/v1/plans/{made['id']}/shapes").json()
    assert sum(feature["properties"]["patches"] for feature in document["features"]) == len(bought(made))
    area = sum(feature["properties"]["area_km2"] for feature in document["features"])
    assert area == pytest.approx(float(made["area_km2"]), abs=1e-9)
    assert (document["billable_km2"], document["cost"]) == (made["billable_km2"], made["cost"])


def test_curve_of_a_bundle_without_one_is_empty_with_the_reason(client: TestClient) -> None:
    curve = client.get(f"/v1/plans/{plan(client)['id']}/curve").json()
    assert curve == {
        "points": [],
        "images": None,
        "source": "The bundle tiny 1 was released without an evaluation curve.",
    }


def test_preview_is_a_png(client: TestClient) -> None:
    answer = client.get(f"/v1/plans/{plan(client)['id']}/preview.png")
    assert (answer.headers["content-type"], answer.content[:4]) == ("image/png", b"\x89PNG")


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_preview_of_a_lost_scene_is_no_reason_to_ask_again(
    client: TestClient,
    own_blobs: Path,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    made = plan(client)
    sha256 = made["scene"]["sha256"]
    path = path_of(own_blobs, sha256)
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"rot" + path.read_bytes())
    answer = client.get(f"/v1/plans/{made['id']}/preview.png")
    assert (answer.status_code, answer.json()["type"]) == (500, f"/problems/blob-{fault}")
    assert "Retry-After" not in answer.headers
    assert sha256 in caplog.text


def test_views_of_an_unknown_plan_are_not_found(client: TestClient) -> None:
    for view in ("", "/patches", "/shapes", "/curve", "/preview.png"):
        assert client.get(f"/v1/plans/{uuid4()}{view}").status_code == 404


def test_bundles_show_the_card_without_weights(client: TestClient) -> None:
    (bundle,) = client.get("/v1/bundles").json()["items"]
    assert (bundle["name"], bundle["classes"], bundle["tile_m"]) == (
        "tiny",
        ["farm", "forest", "harbour"],
        80.0,
    )
    assert "weights" not in bundle
