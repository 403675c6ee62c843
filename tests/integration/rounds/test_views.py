"""Views, order and pages of a second round under a minimum area for each shape."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from models.manifest import CurvePoint, ValueCurve
from service.access.repository import create_key, create_workspace
from service.app import create_app
from service.database.engine import Database
from service.plans.audit import audit_plans
from service.plans.preview import OWNED, WANTED
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.counting import GUARANTEES, LR_M, scene_pixels, write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import code, open_budget, place, plan_scene, publish_prices
from tests.support.rounds import LOOK, Json, bought, kept, next_round, ordered, places, planned

CURVE = tuple(
    CurvePoint(
        threshold=one, mean_patches=16.0 - at, accuracy=0.9 - at / 10, found=1 - at / 2, count_error=at
    )
    for at, one in enumerate((0.0, 0.5, 9.0))
)
LEAST_KM2 = "0.0012"
"""Minimum area of a shape: that of three patches of 400 m2."""


@dataclass(frozen=True)
class Rounds:
    """A first order, delivered, and the plan that follows it."""

    order: str
    first: Json
    second: Json


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Yield a client of a server whose bundle has a curve, a second look and guarantees."""
    values = {
        task: ValueCurve(threshold=threshold, curve=CURVE)
        for task, threshold in (("label", 0.01), ("count", 1.0), ("find", 0.5))
    }
    write_count_bundle(
        tmp_path / "b" / "tiny-count", second_look=LOOK, guarantees=GUARANTEES, values=values,
        evaluation={"test sites": {"images": 304}}, curve_split="test sites",
    )  # fmt: skip
    own = settings.model_copy(update={"bundles": tmp_path / "b", "default_bundle": "tiny-count"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client, name="shapes", minimum_km2=LEAST_KM2, minimum_applies_to="shape")
        open_budget(client, "10000.00")
        yield client


@pytest.fixture
def rounds(client: TestClient) -> Rounds:
    """Order four patches, deliver them, and plan what else to buy for at most 30 USD."""
    plan = planned(client, price_list="shapes", max_patches=4)
    order = ordered(client, plan)
    first = client.get(f"/v1/plans/{plan.id}").json()
    return Rounds(order, first, next_round(client, order, max_cost="30.00"))


def test_views_of_a_second_round_agree_with_the_plan(
    client: TestClient, database: Database, rounds: Rounds
) -> None:
    made, path = rounds.second, f"/v1/plans/{rounds.second['id']}"
    features = client.get(f"{path}/patches").json()["features"]
    properties = [one["properties"] for one in features]
    chosen = [(one["tile"], one["index"]) for one in properties if one["selected"]]
    assert sorted(chosen) == sorted(places(made, "buy"))
    assert sum(Decimal(str(one["cost"])) for one in properties) == Decimal(made["cost"]["amount"])
    owned = {(one["tile"], one["index"]): one for one in properties if one["reason"] == "already-owned"}
    assert sorted(owned) == sorted(places(rounds.first, "buy"))
    readings = kept(database, made["id"], "readings")[0]
    for where, one in owned.items():
        assert one["expected_objects"] == pytest.approx(float(readings[where]), abs=1e-5)
    shapes = client.get(f"{path}/shapes").json()
    assert shapes["cost"] == made["cost"] == client.get(f"{path}/bill").json()["cost"]
    assert sum(one["properties"]["patches"] for one in shapes["features"]) == made["patches"]["bought"]
    assert Decimal(shapes["billable_km2"]) >= len(shapes["features"]) * Decimal(LEAST_KM2)
    picture = Image.open(io.BytesIO(client.get(f"{path}/preview.png").content)).convert("RGBA")
    colours = {tuple(one) for one in np.asarray(picture).reshape(-1, 4).tolist()}
    assert {OWNED, WANTED} <= colours
    assert Decimal(made["cost"]["amount"]) <= 30


def test_curve_of_a_second_round_counts_reused_patches_in_every_figure(
    client: TestClient, rounds: Rounds
) -> None:
    made = rounds.second
    points = client.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    nothing, *_, everything = (one["here"] for one in points)
    total = made["objects"]["scene"]["expected"]
    assert nothing["objects"] == pytest.approx(made["objects"]["in_reused"], abs=1e-3)
    assert nothing["objects_share"] == pytest.approx(made["objects"]["in_reused"] / total, abs=1e-5)
    assert everything["objects"] == pytest.approx(total, abs=1e-3)
    assert (everything["objects_share"], everything["correct_share"]) == (1.0, pytest.approx(1.0, abs=1e-3))


def test_second_round_under_a_minimum_per_shape_is_paid_delivered_and_classified(
    client: TestClient, database: Database, rounds: Rounds
) -> None:
    made = rounds.second
    second = ordered(client, bought(made))
    done = client.get(f"/v1/orders/{second}").json()
    assert (done["status"], done["amounts"]["settled"]) == ("completed", made["cost"])
    labelled = client.post(f"/v1/orders/{second}/classification").json()
    assert labelled["complete"] is True
    assert sum(tile["patches_used"] for tile in labelled["tiles"]) == made["patches"]["bought"]
    reused = {(one["tile"], one["patch"]) for one in labelled["provenance"]["reused_patches"]}
    assert reused == set(places(rounds.first, "buy"))
    costs = Decimal(rounds.first["cost"]["amount"]) + Decimal(made["cost"]["amount"])
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/reports/savings?format=csv").text)))
    assert {one["order"] for one in rows} == {rounds.order, second}
    assert sum(Decimal(one["settled"]) for one in rows) == costs
    (report,) = client.get("/v1/reports/savings").json()["currencies"]
    assert Decimal(report["savings"]["realised"]["amount"]) == Decimal(made["baseline"]["amount"]) - costs
    with database.sessions() as session:
        assert list(audit_plans(session)) == []


def test_nothing_of_a_second_round_is_seen_with_another_workspace_s_key(
    client: TestClient, database: Database, rounds: Rounds
) -> None:
    second, plan = str(place(client, bought(rounds.second)).json()["id"]), rounds.second["id"]
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "other"), "other")
    mine = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a" * 16}
    refused = [
        client.get(f"/v1/plans/{plan}{view}", headers=mine)
        for view in ("", "/patches", "/shapes", "/bill", "/scene.tif", "/curve", "/preview.png")
    ]
    refused += [
        client.post(f"/v1/orders/{rounds.order}/next-round", headers=mine),
        client.post(f"/v1/orders/{second}/next-round", headers=mine),
        client.post(f"/v1/plans/{plan}/replan", json={}, headers=mine),
        client.post("/v1/orders", json={"plan": plan}, headers=mine),
        client.get(f"/v1/orders/{second}", headers=mine),
        client.post(f"/v1/orders/{second}/classification", headers=mine),
        client.post(f"/v1/orders/{second}/cancel", headers=mine),
    ]
    assert {code(one) for one in refused} == {(404, "not-found")}
    with TestClient(client.app) as browser:
        browser.post("/dashboard/login", data={"key": key})
        assert browser.get(f"/dashboard/plans/{plan}/preview.png").status_code == 404
        assert "Round 2" not in browser.get("/dashboard").text


def test_page_shows_rounds_priors_and_guarantees(client: TestClient, rounds: Rounds) -> None:
    publish_prices(client)
    body = make_geotiff(scene_pixels(), gsd_m=LR_M)
    sure = plan_scene(client, body, guarantee="objects:0.1", max_patches=None)
    guarantee = client.get(f"/v1/plans/{sure.id}").json()["guarantee"]
    assert client.post("/dashboard/login", data={"key": KEY}).status_code == 200
    page = client.get("/dashboard").text
    assert f"<strong>Round 2:</strong> {rounds.second['round']['verdict']}" in page
    assert f"<strong>Guarantee:</strong> {guarantee['promise']}" in page
    assert client.get(f"/dashboard/plans/{rounds.second['id']}/preview.png").status_code == 200
    rows = list(csv.DictReader(io.StringIO(client.get("/dashboard/plans.csv").text)))
    (row,) = [one for one in rows if one["id"] == rounds.second["id"]]
    assert row["reuse_saving"] == rounds.second["reuse"]["saved"]["amount"]
    assert float(row["expected_in_bought"]) == rounds.second["objects"]["in_bought"]
