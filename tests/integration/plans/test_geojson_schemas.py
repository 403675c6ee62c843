"""GeoJSON answers and their schemas in the OpenAPI document: each says what the other writes."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient

from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import open_budget, place, plan_scene, publish_prices

Json = dict[str, Any]
AT_THE_ANTIMERIDIAN: Json = {"crs": "EPSG:32601", "west": 165_971.44, "north": 100.0}
"""Placement of a scene of whose patches some lie on both sides."""


@pytest.fixture
def document(client: TestClient) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def schema_of(document: Json, path: str) -> Json:
    """Return the schema of the GeoJSON that an operation answers with."""
    answer = document["paths"][path]["get"]["responses"]["200"]
    schema: Json = answer["content"]["application/geo+json"]["schema"]
    return schema | {"components": document["components"]}


def geojson(client: TestClient, path: str, **query: str) -> Json:
    answer = client.get(path, params=query)
    assert answer.headers["content-type"] == "application/geo+json"
    found: Json = answer.json()
    return found


def objects_of(found: Json) -> Iterator[tuple[str, Json]]:
    """Yield the documents and properties of an answer, each with a name of its schema."""
    kind = "Joined" if found["type"] == "Feature" else "Patch" if "reasons" in found else "Shape"
    yield {"Joined": "JoinedShapes", "Patch": "PatchPage", "Shape": "ShapeCollection"}[kind], found
    for feature in found.get("features", [found]):
        yield f"{kind}Properties", feature["properties"]


def check(document: Json, path: str, found: Json) -> None:
    """Validate an answer; the schema also has to name every member that it has."""
    jsonschema_rs.validator_for(schema_of(document, path), validate_formats=True).validate(found)
    for name, one in objects_of(found):
        assert one.keys() - document["components"]["schemas"][name]["properties"].keys() == set(), name


def with_a_hole() -> bytes:
    """Make a scene of which one tile has no data."""
    pixels = make_pixels()
    pixels[:, :8, :8] = 0
    return make_geotiff(pixels, nodata=0)


@pytest.mark.usefixtures("spread_utilities")
@pytest.mark.parametrize(
    "scene",
    [make_geotiff(), make_geotiff(**AT_THE_ANTIMERIDIAN), with_a_hole()],
    ids=["plain", "antimeridian", "no-data"],
)
@pytest.mark.parametrize("max_patches", [0, 20])
def test_geojson_is_as_its_schema_says(
    client: TestClient, document: Json, scene: bytes, max_patches: int
) -> None:
    publish_prices(client)
    plan = plan_scene(client, scene, max_patches=max_patches)
    address, path = f"/v1/plans/{plan.id}", "/v1/plans/{plan_id}"

    patches = geojson(client, f"{address}/patches", limit="2")
    check(document, f"{path}/patches", patches)
    assert len(patches["features"]) == 32
    for form in ("features", "multipolygon"):
        check(document, f"{path}/shapes", geojson(client, f"{address}/shapes", **{"as": form}))


@pytest.mark.usefixtures("spread_utilities")
def test_scenes_of_the_test_reach_each_case_of_the_schema(client: TestClient) -> None:
    publish_prices(client)
    around = plan_scene(client, make_geotiff(**AT_THE_ANTIMERIDIAN), max_patches=1)
    holed = plan_scene(client, with_a_hole(), max_patches=1)

    kinds = {one["geometry"]["type"] for one in geojson(client, f"/v1/plans/{around.id}/patches")["features"]}
    facts = [one["properties"] for one in geojson(client, f"/v1/plans/{holed.id}/patches")["features"]]
    assert kinds == {"Polygon", "MultiPolygon"}
    assert {(one["status"], one["utility"] is None) for one in facts} == {
        ("planned", False), ("no-data", True),
    }  # fmt: skip


def test_shapes_of_orders_are_as_their_schema_says(client: TestClient, document: Json) -> None:
    publish_prices(client)
    open_budget(client)
    order = place(client, plan_scene(client)).json()["id"]

    for form in ("features", "multipolygon"):
        found = geojson(client, f"/v1/orders/{order}/shapes", **{"as": form})
        check(document, "/v1/orders/{order_id}/shapes", found)


def test_schema_refuses_what_is_no_geojson(client: TestClient, document: Json) -> None:
    publish_prices(client)
    found = geojson(client, f"/v1/plans/{plan_scene(client).id}/patches")
    validator = jsonschema_rs.validator_for(schema_of(document, "/v1/plans/{plan_id}/patches"))

    for wrong in (
        {"type": "Collection"}, {"features": None}, {"bbox": [1, 2, 3]},
        {"features": [found["features"][0] | {"geometry": {"type": "Polygon", "coordinates": [1, 2]}}]},
        {"features": [found["features"][0] | {"properties": {}}]},
    ):  # fmt: skip
        assert not validator.is_valid(found | wrong), wrong
