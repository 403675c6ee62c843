"""Deliveries compared with the scene they were bought for, and bands that a price list names."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.plans import reading
from tests.support.bundles import HR_GSD_M, make_geotiff
from tests.support.databases import rows
from tests.support.ordering import TIFF, Json, code, open_budget, place, plan_scene, publish_prices
from tests.support.orders import NORTH, WEST, make_detail, make_patch


def black(tile: int, patch: int) -> bytes:
    """Write a patch's GeoTIFF in which every pixel is black."""
    return make_patch(tile, patch, black=True)


def put(client: TestClient, order: str, body: bytes, tile: int = 0, patch: int = 6, **query: Any) -> Any:
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    return client.put(path, content=body, headers=TIFF, params=query)


def warnings(answer: Any) -> list[str]:
    return [one["code"] for one in answer.json()["checks"]["warnings"]]


def test_patch_unlike_its_scene_is_refused_without_a_trace(
    client: TestClient, order: str, database: Database
) -> None:
    answer = put(client, order, black(0, 6))

    # A file that is black throughout may also be nothing but an undeclared border.
    assert code(answer) in {(409, "patch-unlike-scene"), (409, "patch-misplaced")}
    assert "accept_unlike=true" in answer.json()["detail"]
    assert rows(database, "delivered_file") == rows(database, "delivery") == 0


def test_patch_unlike_its_scene_is_taken_with_the_override_and_a_warning(
    client: TestClient, order: str
) -> None:
    answer = put(client, order, black(0, 6), accept_unlike=True)

    assert answer.status_code == 201, answer.text
    assert answer.json()["checks"]["accept_unlike"] is True
    assert "patch-unlike-scene" in warnings(answer)


def test_right_file_supersedes_an_accepted_faulty_one(client: TestClient, order: str) -> None:
    put(client, order, black(0, 6), accept_unlike=True)

    answer = put(client, order, make_patch(0, 6))

    assert (answer.status_code, answer.json()["supersedes"]["version"]) == (201, 1)
    assert warnings(answer) == []


def test_delivery_of_a_planned_scene_does_not_decode_the_scene(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_prices(client)
    open_budget(client)
    planned = plan_scene(client)
    order = place(client, planned).json()["id"]
    monkeypatch.setattr(reading, "read_again", None)

    tile, patch = planned.bought[0]
    assert put(client, order, make_patch(tile, patch), tile, patch).status_code == 201


@pytest.mark.parametrize(
    ("query", "bands", "bands_from"),
    [
        ({}, [3, 2, 1], "delivery_bands of the price list"),
        ({"bands": "1,2,3", "accept_unlike": True}, [1, 2, 3], "as asked for (bands=)"),
    ],
)
def test_bands_of_the_price_list_are_used_unless_the_request_names_some(
    client: TestClient, query: Json, bands: list[int], bands_from: str
) -> None:
    publish_prices(client, delivery_bands="3,2,1")
    open_budget(client)
    planned = plan_scene(client)
    order = place(client, planned).json()["id"]
    tile, patch = planned.bought[0]
    row, column = (tile // 3 * 4 + patch % 4) * 8, (tile % 3 * 4 + patch // 4) * 8
    pixels = make_detail(row + np.arange(8), column + np.arange(8))[::-1]
    body = make_geotiff(pixels, west=WEST + column * HR_GSD_M, north=NORTH - row * HR_GSD_M, gsd_m=HR_GSD_M)

    checks = put(client, order, body, tile, patch, **query).json()["checks"]

    assert checks["bands"] == bands
    assert checks["bands_from"] == bands_from
