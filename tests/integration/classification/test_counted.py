"""Classifications of orders of a bundle that counts: patches are read, and others hold what is expected."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from sqlalchemy import text

from models.answers import TileAnswers
from models.counts import Reading
from service.app import create_app
from service.bundles.counting import CountPredictor, counts_of
from service.bundles.predictor import ExpectedCounts
from service.bundles.registry import open_bundles
from service.classification import labelling
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.counting import LR_M, hr_patch, hr_pixels, scene_pixels, write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import deliver, open_budget, place, plan_scene, publish_prices
from tests.support.orders import Planned

Json = dict[str, Any]
TILES, CLASSES = 6, ["0", "1 to 9", "10 or more"]


@pytest.fixture
def counting_settings(settings: Settings, tmp_path: Path) -> Settings:
    write_count_bundle(tmp_path / "counting" / "tiny-count", licence="CC BY-NC-SA 4.0")
    return settings.model_copy(update={"bundles": tmp_path / "counting"})


@pytest.fixture
def client(counting_settings: Settings) -> Iterator[TestClient]:
    """Yield a client of a server with a bundle that counts, with prices and a budget."""
    with TestClient(create_app(counting_settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        open_budget(client, "10000.00")
        yield client


def planned(client: TestClient, **query: Any) -> Planned:
    return plan_scene(client, make_geotiff(scene_pixels(), gsd_m=LR_M), task="find", **query)


def delivered(client: TestClient, plan: Planned, patches: int | None = None) -> str:
    order = str(place(client, plan).json()["id"])
    for where in plan.bought[:patches]:
        answer = deliver(client, order, *where, hr_patch(*where))
        assert answer.status_code == 201, answer.text
    return order


def classify(client: TestClient, order: str, **body: Any) -> Json:
    answer = client.post(f"/v1/orders/{order}/classification", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def by_hand(database: Database, plan: Planned, settings: Settings, came: int | None = None) -> TileAnswers:
    """Return the answers from the plan's stored counts and the counter, called directly."""
    with database.sessions() as session:
        raw = session.execute(text("SELECT expected FROM plan WHERE id = :id"), {"id": plan.id}).scalar_one()
    mean, variance = np.frombuffer(raw, "<f4").reshape(2, TILES, 16)
    predictor = open_bundles(settings.bundles, None, "cpu", 1).default
    assert isinstance(predictor, CountPredictor)
    places = plan.bought[:came]
    expected = np.array([mean[where] for where in places])
    read = predictor.read(np.stack([hr_pixels(*where) for where in places]), expected)
    bought, readings = torch.zeros(TILES, 16, dtype=torch.bool), torch.zeros(2, TILES, 16)
    for (tile, patch), number, spread in zip(places, read.mean, read.variance, strict=True):
        bought[tile, patch] = True
        readings[:, tile, patch] = torch.tensor([float(number), float(spread)])
    counts = counts_of(ExpectedCounts(mean=mean, variance=variance))
    return TileAnswers.of(bought, Reading(mean=readings[0], variance=readings[1]), counts)


def test_counts_are_readings_of_delivered_patches_and_expected_counts_of_others(
    client: TestClient, database: Database, counting_settings: Settings
) -> None:
    plan = planned(client, max_patches=9)
    made = classify(client, delivered(client, plan))
    answers = by_hand(database, plan, counting_settings)
    low, high = answers.interval(0.95)
    probabilities = answers.class_probabilities((1, 10))
    for at, tile in enumerate(made["tiles"]):
        assert tile["count"] == {
            "expected": pytest.approx(float(answers.mean[at]), abs=1e-3),
            "low": int(low[at]),
            "high": int(high[at]),
        }
        assert tile["label"] == CLASSES[int(probabilities[at].argmax())]
        assert tile["confidence"] == pytest.approx(float(probabilities[at].max()), abs=1e-4)
        assert sum(one["probability"] for one in tile["probabilities"]) == pytest.approx(1, abs=1e-4)
        assert tile["patches_used"] == sum(where[0] == at for where in plan.bought)


def test_summary_adds_the_tiles_up_and_states_the_licence(client: TestClient) -> None:
    plan = planned(client, max_patches=9)
    made = classify(client, delivered(client, plan))
    objects = made["summary"]["objects"]
    for total, member in (("total", "count"), ("lr_total", "lr_count")):
        counted = sum(tile[member]["expected"] for tile in made["tiles"])
        assert objects[total]["expected"] == pytest.approx(counted, abs=1e-3)
        assert objects[total]["low"] <= counted <= objects[total]["high"]
    assert (objects["name"], objects["level"]) == ("oil tanks", 0.95)
    document = client.get(f"/v1/plans/{plan.id}").json()
    assert objects["lr_total"] == document["objects"]["scene"]
    assert [tile["lr_count"] for tile in made["tiles"]] == [tile["objects"] for tile in document["tiles"]]
    assert made["licence"] == "CC BY-NC-SA 4.0"
    assert client.get(f"/v1/classifications/{made['id']}").json() == made


def test_tiles_without_a_delivered_patch_have_the_count_of_low_resolution(
    client: TestClient, database: Database, counting_settings: Settings
) -> None:
    plan = planned(client, max_patches=3)
    order = delivered(client, plan, patches=1)
    made = classify(client, order, allow_partial=True)
    assert made["complete"] is False
    answers = by_hand(database, plan, counting_settings, came=1)
    assert [tile["count"]["expected"] for tile in made["tiles"]] == pytest.approx(
        answers.mean.tolist(), abs=1e-3
    )
    for tile in made["tiles"]:
        if not tile["patches_used"]:
            assert (tile["count"], tile["label"]) == (tile["lr_count"], tile["lr_label"])


def test_counts_are_the_same_twice_and_in_batches_of_any_size(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = delivered(client, planned(client, max_patches=9))
    first = classify(client, order)
    monkeypatch.setattr(labelling, "BATCH", 2)
    again = classify(client, order)
    assert (again["tiles"], again["summary"]) == (first["tiles"], first["summary"])


def test_reused_patches_are_read_for_the_count(client: TestClient) -> None:
    whole = planned(client, max_patches=9)
    first = classify(client, delivered(client, whole))
    later = planned(client, max_patches=1)
    document = client.get(f"/v1/plans/{later.id}").json()
    assert document["objects"]["in_reused"] > 0
    assert document["reuse"]["owned"] == 9
    made = classify(client, delivered(client, later))
    assert sum(tile["patches_reused"] for tile in made["tiles"]) == 9
    other = {where[0] for where in later.bought}
    for one, two in zip(first["tiles"], made["tiles"], strict=True):
        if one["tile"] not in other:
            assert one["count"] == two["count"]


def test_page_shows_expected_and_counted_objects_with_the_licence(
    client: TestClient, counting_settings: Settings
) -> None:
    plan = planned(client, max_patches=3)
    order = delivered(client, plan)
    with TestClient(create_app(counting_settings)) as browser:
        signed_in = browser.post("/dashboard/login", data={"key": KEY})
        assert signed_in.status_code == 200, signed_in.text
        before = browser.get("/dashboard").text
        total = classify(client, order)["summary"]["objects"]["total"]
        after = browser.get("/dashboard").text
        (row,) = csv.DictReader(io.StringIO(browser.get("/dashboard/plans.csv").text))
    expected = client.get(f"/v1/plans/{plan.id}").json()["objects"]
    assert (row["task"], row["objects"]) == ("find", "oil tanks")
    assert float(row["expected_objects"]) == expected["scene"]["expected"]
    assert float(row["expected_in_bought"]) == expected["in_bought"]
    assert float(row["share_in_bought"]) == expected["share"]
    assert "<dt>Expected oil tanks in bought patches</dt>" in before
    assert f"<dd>{expected['in_bought']:,.1f} of {expected['scene']['expected']:,.1f}</dd>" in before
    assert "Bundle tiny-count 1, task find; not for sale: CC BY-NC-SA 4.0" in before
    assert "Counted oil tanks" not in before
    assert f"<dd>{total['expected']:,.1f} ({total['low']:,} to {total['high']:,})</dd>" in after
