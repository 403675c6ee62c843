"""Plans over HTTP under price lists that bill or restrict each shape."""

from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.bundles.classifying import ClassifyPredictor
from service.database.engine import Database
from service.plans.audit import audit_plans
from service.pricing.areas import whole_cm2
from service.pricing.billing import bill
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.planning import TIFF

SPARSE = np.zeros((1, 16), dtype=np.float32)
SPARSE[0, [0, 2, 15]] = 0.9, 0.8, 0.7  # the first two have one patch between them, the third is far off
SPARSE[0, 1] = 0.1
RULES: dict[str, dict[str, Any]] = {
    "minimum per shape": {"minimum_km2": "0.00125", "minimum_applies_to": "shape"},
    "each shape an order": {"minimum_charge": "100", "areas_summed": False},
    "rectangles": {"convex": True},
    "two patches wide": {"minimum_width_m": "40", "convex": True},
    "wider than the tile": {"minimum_width_m": "100"},
    "four corners": {"max_vertices": 4},
}


@pytest.fixture(autouse=True)
def sparse_utilities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClassifyPredictor, "utilities", lambda _self, lr: np.repeat(SPARSE, len(lr), axis=0))


def publish(client: TestClient, **rules: Any) -> None:
    terms = {"name": "shapes", "provider": "Acme", "product": "archive", "gsd_m": "0.5"}
    prices = {"currency": "USD", "price_per_km2": "100000"}
    assert client.post("/v1/price-lists", json=terms | prices | rules).status_code == 201


def plan(client: TestClient, **options: str) -> dict[str, Any]:
    tile = make_geotiff(make_pixels(height=8, width=8))
    query = {"price_list": "shapes"} | options
    answer = client.post("/v1/plans", content=tile, headers=TIFF, params=query)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def shapes_of(client: TestClient, plan: dict[str, Any]) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = client.get(f"/v1/plans/{plan['id']}/shapes").json()["features"]
    return features


NEAR = pytest.approx
"""Compares roughly: patches of 20 m in the projection are 0.08 % larger on the ground."""


@pytest.mark.parametrize(
    ("rules", "buy", "cost", "shapes", "words"),
    [
        ("minimum per shape", [0, 1, 2, 7, 11, 15], 250, 2, "a shape is billed for at least 0.00125 km2"),
        ("each shape an order", [0, 1, 2, 11, 15], 220, 2, "a shape costs at least 100.00 USD"),
        ("rectangles", [0, 2, 15], 120, 3, "utility of at least 0.5."),
        (
            "two patches wide",
            [0, 1, 2, 4, 5, 6, 10, 11, 14, 15],
            400,
            2,
            "a shape must be at least 40 m wide and be convex",
        ),
        ("wider than the tile", list(range(16)), 1000, 1, "a shape must be at least 100 m wide"),
        ("four corners", [0, 2, 15], 120, 3, "utility of at least 0.5."),
    ],
)
def test_plan_of_one_tile_buys_the_cheapest_legal_shapes(
    client: TestClient, database: Database, rules: str, buy: list[int], cost: int, shapes: int, words: str
) -> None:
    publish(client, **RULES[rules])
    made = plan(client)
    (tile,) = made["tiles"]
    assert (tile["buy"], words in made["decision"]) == (buy, True), made["decision"]
    assert float(made["cost"]["amount"]) == NEAR(cost, rel=1e-3)
    ordered = shapes_of(client, made)
    assert len(ordered) == shapes
    area = sum(shape["properties"]["area_km2"] for shape in ordered)
    assert area == NEAR(float(made["area_km2"]), rel=1e-6)
    with database.sessions() as session:
        assert list(audit_plans(session)) == []


def test_order_shapes_contain_every_bought_patch_and_keep_the_rules(client: TestClient) -> None:
    publish(client, **RULES["two patches wide"])
    made = plan(client)
    shapes = [shapely.geometry.shape(shape["geometry"]) for shape in shapes_of(client, made)]
    patches = client.get(f"/v1/plans/{made['id']}/patches").json()["features"]
    bought = [shapely.geometry.shape(one["geometry"]) for one in patches if one["properties"]["selected"]]
    assert shapely.union_all(shapes).buffer(1e-7).covers(shapely.union_all(bought))
    for shape in shapes:
        assert shape.area == NEAR(shapely.minimum_rotated_rectangle(shape).area, rel=1e-3)


def test_order_shape_around_a_narrow_tile_is_a_centred_square(client: TestClient) -> None:
    publish(client, **RULES["wider than the tile"])
    made = plan(client)
    (ordered,) = shapes_of(client, made)
    patches = client.get(f"/v1/plans/{made['id']}/patches").json()["features"]
    tile = shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in patches])
    square = shapely.geometry.shape(ordered["geometry"])
    assert square.area / tile.area == NEAR(25 / 16, rel=1e-3)
    assert square.centroid.distance(tile.centroid) < 1e-6
    assert ordered["properties"]["patches"] == 16


def test_order_shapes_have_no_vertices_on_straight_sides(client: TestClient) -> None:
    publish(client, **RULES["four corners"])
    made = plan(client, max_patches="16")
    for shape in shapes_of(client, made):
        assert len(shape["geometry"]["coordinates"][0]) == 5


def test_max_patches_does_not_count_padding(client: TestClient) -> None:
    publish(client, **RULES["two patches wide"])
    made = plan(client, max_patches="1")
    assert made["tiles"][0]["buy"] == [0]
    assert float(made["cost"]["amount"]) == NEAR(160, rel=1e-3)
    (ordered,) = shapes_of(client, made)
    assert ordered["properties"]["patches"] == 1


def test_curve_is_priced_by_shapes(client: TestClient) -> None:
    publish(client, **RULES["minimum per shape"])
    made = plan(client)
    assert client.get(f"/v1/plans/{made['id']}/curve").status_code == 200


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("objective", [{}, {"lambda": "0.001"}, {"max_cost": "900"}, {"max_patches": "5"}])
def test_plan_of_several_tiles_costs_what_its_order_shapes_cost(
    client: TestClient, database: Database, rules: str, objective: dict[str, str]
) -> None:
    publish(client, **RULES[rules])
    query = {"price_list": "shapes"} | objective
    made = client.post("/v1/plans", content=make_geotiff(), headers=TIFF, params=query).json()
    assert made["bound"]["gap"] >= 0
    shapes = client.get(f"/v1/plans/{made['id']}/shapes").json()
    areas = [whole_cm2(np.array(one["properties"]["area_km2"]) * 1e6) for one in shapes["features"]]
    with database.sessions() as session:
        (price_list,) = session.scalars(select(PriceList).where(PriceList.name == "shapes"))
        assert (
            bill([int(area) for area in areas], terms_of(price_list)).amount.amount == made["cost"]["amount"]
        )
        assert list(audit_plans(session)) == []
    patches = client.get(f"/v1/plans/{made['id']}/patches").json()["features"]
    bought = [shapely.geometry.shape(one["geometry"]) for one in patches if one["properties"]["selected"]]
    polygons = [shapely.geometry.shape(one["geometry"]) for one in shapes["features"]]
    assert shapely.union_all(bought).difference(shapely.union_all(polygons).buffer(1e-7)).is_empty
