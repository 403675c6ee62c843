"""A plan as a GeoPackage: read by GDAL, by the rules of the standard, and by the style that QGIS finds."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import shapely
from fastapi.testclient import TestClient
from pyproj import CRS

from service.plans.patch_facts import STATES
from tests.support.ogr import read_layers
from tests.support.ordering import open_budget, place, plan_scene, publish_prices
from tests.support.planning import plan

KIND = "application/geopackage+sqlite3"

pytestmark = pytest.mark.usefixtures("spread_utilities")


def fetch(client: TestClient, path: str, folder: Path) -> Path:
    answer = client.get(f"{path}/shapes", params={"as": "gpkg"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, KIND), answer.text
    assert answer.headers["content-disposition"].endswith('.gpkg"')
    file = folder / "plan.gpkg"
    file.write_bytes(answer.content)
    return file


@pytest.fixture
def made(client: TestClient) -> dict[str, Any]:
    publish_prices(client, minimum_km2="0.002", minimum_applies_to="shape")
    return plan(client, price_list="acme", max_patches=9)


@pytest.fixture
def opened(client: TestClient, made: dict[str, Any], tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(fetch(client, f"/v1/plans/{made['id']}", tmp_path)) as file:
        yield file
    file.close()


def test_gdal_reads_both_layers_in_the_crs_of_the_scene(
    client: TestClient, made: dict[str, Any], tmp_path: Path
) -> None:
    path = f"/v1/plans/{made['id']}"
    layers = read_layers(fetch(client, path, tmp_path))
    features = client.get(f"{path}/patches").json()["features"]
    shapes = client.get(f"{path}/shapes").json()["features"]

    assert f"EPSG:{layers['patches']['epsg']}" == made["scene"]["crs"]
    assert layers["shapes"]["epsg"] == layers["patches"]["epsg"] != "4326"
    assert layers["patches"]["geometries"] == layers["shapes"]["geometries"] == ["POLYGON"]
    assert (len(layers["patches"]["rows"]), len(layers["shapes"]["rows"])) == (len(features), len(shapes))
    for row, feature in zip(layers["patches"]["rows"], features, strict=True):
        known = feature["properties"]
        assert (int(row["tile"]), int(row["patch"])) == (known["tile"], known["index"])
        for name in ("utility", "cost", "marginal_cost", "area_km2"):
            assert float(row[name]) == known[name]
        assert row["reason"] == known["reason"]
        assert row["explanation"].endswith(".")
    assert sum(Decimal(row["cost"]) for row in layers["patches"]["rows"]) == Decimal(made["cost"]["amount"])


def test_states_of_patches_add_up_to_the_shapes(opened: sqlite3.Connection, made: dict[str, Any]) -> None:
    rows = opened.execute("SELECT state, count(*), sum(area_km2) FROM patches GROUP BY state").fetchall()
    counts = {state: count for state, count, _ in rows}
    areas = {state: area for state, _, area in rows}
    ((ordered, padding),) = opened.execute("SELECT sum(area_km2), sum(padding_km2) FROM shapes").fetchall()

    assert set(counts) <= set(STATES)
    assert counts["bought"] + counts.get("filled", 0) == made["patches"]["bought"]
    assert padding == pytest.approx(areas.get("padding", 0.0), abs=1e-9)
    assert ordered - padding == pytest.approx(areas["bought"] + areas.get("filled", 0.0), abs=1e-9)


def test_file_keeps_the_rules_of_the_standard(opened: sqlite3.Connection) -> None:
    """Check requirements 2, 3, 6, 10 to 13, 19 to 25 and 29 of OGC 12-128r18."""
    ask = opened.execute
    assert ask("PRAGMA application_id").fetchone() == (0x47504B47,)
    assert ask("PRAGMA user_version").fetchone() == (10300,)
    assert ask("PRAGMA integrity_check").fetchone() == ("ok",)
    assert ask("PRAGMA foreign_key_check").fetchall() == []
    systems = dict(ask("SELECT srs_id, definition FROM gpkg_spatial_ref_sys").fetchall())
    assert {-1, 0, 4326} <= set(systems)
    for table, kind, west, south, east, north, srs in ask(
        "SELECT table_name, data_type, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents"
    ).fetchall():
        assert ask(f"PRAGMA table_info({table})").fetchone()[5] == 1  # an integer primary key
        if kind == "attributes":
            continue
        assert CRS.from_wkt(systems[srs]).equals(CRS.from_epsg(srs), ignore_axis_order=True)
        assert ask(
            "SELECT geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns WHERE table_name = ?",
            (table,),
        ).fetchall() == [("POLYGON", srs, 0, 0)]
        blobs = [blob for (blob,) in ask(f"SELECT geom FROM {table}").fetchall()]
        polygons = [shapely.from_wkb(blob[40:]) for blob in blobs]
        assert all(blob[:4] == b"GP\x00\x03" for blob in blobs)
        assert all(int.from_bytes(blob[4:8], "little") == srs for blob in blobs)
        assert all(shapely.is_valid(polygon) for polygon in polygons)
        assert tuple(shapely.total_bounds(polygons).tolist()) == (west, south, east, north)


def test_style_colours_every_state_and_outlines_shapes(opened: sqlite3.Connection) -> None:
    styles = {
        table: (column, default, ElementTree.fromstring(qml.partition("\n")[2]))  # noqa: S314  (our own)
        for table, column, default, qml in opened.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        )
    }
    assert {name: style[:2] for name, style in styles.items()} == {
        "patches": ("geom", 1),
        "shapes": ("geom", 1),
    }
    patches = styles["patches"][2]
    assert patches.find("renderer-v2").get("attr") == "state"  # type: ignore[union-attr]
    categories = {one.get("value"): one.get("symbol") for one in patches.iter("category")}
    assert set(categories) == set(STATES)
    assert {one.get("name") for one in patches.iter("symbol")} == set(categories.values())
    assert len(list(styles["shapes"][2].iter("symbol"))) == 1


def test_accept_chooses_the_form_and_the_same_bytes_come_again(client: TestClient) -> None:
    publish_prices(client)
    open_budget(client, "1000.00")
    planned = plan_scene(client, max_patches=5)
    order = place(client, planned).json()["id"]
    plans, orders = f"/v1/plans/{planned.id}/shapes", f"/v1/orders/{order}/shapes"

    file = client.get(plans, headers={"Accept": KIND})
    assert file.headers["content-type"] == KIND
    assert file.content == client.get(orders, params={"as": "gpkg"}).content
    kml = client.get(plans, headers={"Accept": "application/vnd.google-earth.kml+xml"})
    assert kml.text == client.get(plans, params={"as": "kml"}).text
    known = client.get(plans, headers={"Accept": KIND, "If-None-Match": file.headers["etag"]})
    assert known.status_code == 304


def test_plan_that_buys_nothing_has_an_empty_layer_of_shapes(client: TestClient, tmp_path: Path) -> None:
    made = plan(client, max_patches=0)
    layers = read_layers(fetch(client, f"/v1/plans/{made['id']}", tmp_path))
    assert (layers["shapes"]["rows"], len(layers["patches"]["rows"])) == ([], 96)
