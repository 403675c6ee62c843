"""The forms in which order shapes leave the service, read again by other readers."""

from typing import Any
from xml.etree import ElementTree

import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import shape

from tests.support.ordering import code, open_budget, place, plan_scene, publish_prices

KML = "{http://www.opengis.net/kml/2.2}"
APART = 1e-7
"""Degrees by which outlines may differ after they were rounded: a centimetre."""


@pytest.fixture
def paths(client: TestClient) -> tuple[str, str]:
    """Return where the shapes of a plan and of its order are."""
    publish_prices(client, max_vertices=8)
    open_budget(client, "1000.00")
    plan = plan_scene(client, max_patches=20)
    order = place(client, plan).json()["id"]
    return f"/v1/plans/{plan.id}/shapes", f"/v1/orders/{order}/shapes"


def outlines(client: TestClient, path: str) -> list[Any]:
    return [shape(feature["geometry"]) for feature in client.get(path).json()["features"]]


def test_features_name_their_plan_and_prices_with_numbers_as_numbers(
    client: TestClient, paths: tuple[str, str]
) -> None:
    features = client.get(paths[0]).json()["features"]

    assert len(features) > 1
    for feature in features:
        known = feature["properties"]
        assert known["plan"] == paths[0].split("/")[3]
        assert (known["price_list"], known["price_list_version"], known["provider"]) == ("acme", 1, "Acme")
        assert {type(known[name]) for name in ("area_km2", "padding_km2")} == {float}


def test_order_has_the_shapes_of_its_plan(client: TestClient, paths: tuple[str, str]) -> None:
    for form in ("features", "multipolygon", "wkt", "kml"):
        plan, order = (client.get(path, params={"as": form}) for path in paths)
        assert plan.status_code == order.status_code == 200
        assert plan.content == order.content
        assert plan.headers["content-type"] == order.headers["content-type"]


def test_multipolygon_is_one_feature_with_the_numbers_that_providers_limit(
    client: TestClient, paths: tuple[str, str]
) -> None:
    separate = outlines(client, paths[0])
    answer = client.get(paths[0], params={"as": "multipolygon"})
    feature = answer.json()
    together: Any = shape(feature["geometry"])

    assert answer.headers["content-type"] == "application/geo+json"
    assert (feature["type"], together.geom_type, together.is_valid) == ("Feature", "MultiPolygon", True)
    assert shapely.hausdorff_distance(together, shapely.union_all(separate)) < APART
    assert all(part.exterior.is_ccw for part in together.geoms)
    assert feature["properties"]["parts"] == len(together.geoms) < len(separate)
    assert feature["properties"]["shapes"] == len(separate)
    assert feature["properties"]["vertices"] == sum(
        shapely.get_num_coordinates(part) - 1 - len(part.interiors) for part in together.geoms
    )
    assert feature["bbox"] == pytest.approx(together.bounds, abs=APART)


def test_vertices_of_an_order_form_are_its_corners(client: TestClient) -> None:
    publish_prices(client)
    everything = plan_scene(client, max_patches=96)
    known = client.get(f"/v1/plans/{everything.id}/shapes", params={"as": "multipolygon"}).json()

    assert (known["properties"]["parts"], known["properties"]["vertices"]) == (1, 4)
    assert len(known["geometry"]["coordinates"][0][0]) == 5


def test_wkt_is_the_same_multipolygon_as_text(client: TestClient, paths: tuple[str, str]) -> None:
    answer = client.get(paths[0], params={"as": "wkt"})
    read = shapely.from_wkt(answer.text)

    assert answer.headers["content-type"].startswith("text/plain")
    assert (read.geom_type, read.is_valid) == ("MultiPolygon", True)
    assert shapely.hausdorff_distance(read, shapely.union_all(outlines(client, paths[0]))) < APART


def test_kml_has_a_placemark_for_each_shape(client: TestClient, paths: tuple[str, str]) -> None:
    answer = client.get(paths[0], params={"as": "kml"})
    placemarks = ElementTree.fromstring(answer.content).findall(f".//{KML}Placemark")  # noqa: S314  (our own)
    separate = outlines(client, paths[0])

    assert answer.headers["content-type"] == "application/vnd.google-earth.kml+xml"
    assert answer.headers["content-disposition"].endswith('.kml"')
    assert len(placemarks) == len(separate)
    for placemark, outline in zip(placemarks, separate, strict=True):
        text = placemark.findtext(f".//{KML}outerBoundaryIs/{KML}LinearRing/{KML}coordinates") or ""
        ring = [tuple(map(float, place.split(","))) for place in text.split()]
        assert shapely.Polygon(ring).normalize().equals_exact(outline.normalize(), APART)


def test_kml_has_only_corners_in_the_colour_of_shapes_to_order(client: TestClient) -> None:
    publish_prices(client)
    everything = plan_scene(client, max_patches=96)
    answer = client.get(f"/v1/plans/{everything.id}/shapes", params={"as": "kml"})
    document = ElementTree.fromstring(answer.content)  # noqa: S314  (our own)
    (placemark,) = document.findall(f".//{KML}Placemark")

    assert len((placemark.findtext(f".//{KML}coordinates") or "").split()) == 5
    assert (placemark.findtext(f"{KML}description") or "").endswith(" km2, 4 vertices")
    assert placemark.findtext(f"{KML}styleUrl") == "#shape"
    style = document.find(f".//{KML}Style[@id='shape']")
    assert style is not None
    assert style.findtext(f"{KML}LineStyle/{KML}color") == "ff3c1ebe"
    assert style.findtext(f"{KML}PolyStyle/{KML}color") == "3f3c1ebe"


def test_kml_states_patches_and_area_of_each_shape(client: TestClient, paths: tuple[str, str]) -> None:
    answer = client.get(paths[0], params={"as": "kml"})
    placemarks = ElementTree.fromstring(answer.content).findall(f".//{KML}Placemark")  # noqa: S314  (our own)
    stated = [placemark.findtext(f"{KML}description") or "" for placemark in placemarks]
    shapes = [one["properties"] for one in client.get(paths[0]).json()["features"]]

    assert [int(text.split()[0]) for text in stated] == [one["patches"] for one in shapes]
    assert [float(text.split()[2]) for text in stated] == [
        pytest.approx(one["area_km2"], rel=1e-5) for one in shapes
    ]


def test_unknown_form_is_refused(client: TestClient, paths: tuple[str, str]) -> None:
    assert code(client.get(paths[0], params={"as": "shapefile"})) == (422, "invalid-request")
