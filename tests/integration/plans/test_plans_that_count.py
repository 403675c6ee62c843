"""Plans by a bundle that counts: tasks, expected objects, curves and re-plans."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from models.manifest import CurvePoint, ValueCurve
from models.tasks import Task
from service.app import create_app
from service.bundles.counting import CountPredictor, values_of
from service.bundles.predictor import ExpectedCounts
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels, write_bundle
from tests.support.counting import write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import TIFF, code, publish_prices

Json = dict[str, Any]
TILES, LICENCE, SPLIT = 6, "CC BY-NC-SA 4.0", "19 test sites"
THRESHOLDS: dict[Task, tuple[float, ...]] = {
    "label": (0.0, 0.02, 1.0), "count": (0.0, 0.5, 9.0), "find": (0.0, 0.4, 9.0),
}  # fmt: skip


def value_curve(thresholds: tuple[float, ...]) -> ValueCurve:
    points = tuple(
        CurvePoint(
            threshold=one,
            mean_patches=16.0 - 8 * at,
            accuracy=0.9 - at / 10,
            found=1 - at / 2,
            count_error=at,
        )
        for at, one in enumerate(thresholds)
    )
    return ValueCurve(threshold=thresholds[1], curve=points)


def evaluation() -> Json:
    interval = {"value": 0.8, "low": 0.75, "high": 0.86}
    curves = {task: [{"threshold": some[1], "accuracy": interval}] for task, some in THRESHOLDS.items()}
    return {SPLIT: {"images": 304, "tasks": {task: {"curve": one} for task, one in curves.items()}}}


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Yield a client of a server with a bundle that classifies, the default, and one that counts."""
    folder = tmp_path / "both"
    write_bundle(folder / "tiny")
    write_count_bundle(
        folder / "count",
        values={task: value_curve(thresholds) for task, thresholds in THRESHOLDS.items()},
        licence=LICENCE,
        curve_split=SPLIT,
        evaluation=evaluation(),
    )
    own = settings.model_copy(update={"bundles": folder, "default_bundle": "tiny"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        yield client


def scene() -> bytes:
    """Return a scene of 2 x 3 tiles for the bundle that counts: 16 x 16 pixels of 5 m each."""
    return make_geotiff(make_pixels(height=32, width=48, seed=5), gsd_m=5.0)


def send(client: TestClient, **options: Any) -> Any:
    params = {"bundle": "tiny-count", "price_list": "acme", **options}
    return client.post("/v1/plans", content=scene(), headers=TIFF, params=params)


def plan(client: TestClient, **options: Any) -> Json:
    answer = send(client, **options)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def replan(client: TestClient, made: Json, **wanted: Any) -> Any:
    return client.post(f"/v1/plans/{made['id']}/replan", json=wanted)


def features(client: TestClient, made: Json) -> list[Json]:
    return [one["properties"] for one in client.get(f"/v1/plans/{made['id']}/patches").json()["features"]]


def kept(database: Database, made: Json) -> ExpectedCounts:
    with database.sessions() as session:
        query = text("SELECT expected FROM plan WHERE id = :id")
        raw = session.execute(query, {"id": made["id"]}).scalar_one()
    mean, variance = np.frombuffer(raw, "<f4").reshape(2, TILES, 16)
    return ExpectedCounts(mean=mean, variance=variance)


@pytest.mark.parametrize("task", ["label", "count", "find"])
def test_plan_buys_what_reaches_the_threshold_of_its_task(
    client: TestClient, database: Database, task: Task
) -> None:
    made = plan(client, task=task)
    values = values_of(kept(database, made), task, (1, 10))
    shown = [tile["utilities"] for tile in made["tiles"]]
    np.testing.assert_allclose(shown, values, atol=1e-6)
    assert made["task"] == task
    assert made["objective"] == {"kind": "policy", "threshold": THRESHOLDS[task][1]}
    assert made["patches"]["bought"] == int((values >= THRESHOLDS[task][1]).sum())


def test_plan_without_a_task_has_the_default_of_its_bundle(client: TestClient) -> None:
    made = plan(client)
    assert (made["task"], made["utility_unit"]) == (
        "label", "share of the probability of correct labels that its purchase adds",
    )  # fmt: skip
    assert plan(client, task="find")["utility_unit"] == "expected objects"


def test_plan_states_objects_licence_and_the_count_of_each_tile(
    client: TestClient, database: Database
) -> None:
    made = plan(client, task="find", max_patches=20)
    expected = kept(database, made)
    objects, bought = made["objects"], np.zeros((TILES, 16), bool)
    for tile in made["tiles"]:
        bought[tile["tile"], tile["buy"]] = True
        assert tile["objects"]["expected"] == pytest.approx(expected.mean[tile["tile"]].sum(), abs=1e-4)
        assert tile["objects"]["low"] <= tile["objects"]["expected"] <= tile["objects"]["high"]
    total = float(expected.mean.sum())
    assert objects["name"] == "oil tanks"
    assert objects["scene"]["expected"] == pytest.approx(total, abs=1e-3)
    assert objects["scene"]["low"] < total < objects["scene"]["high"]
    assert objects["in_bought"] == pytest.approx(expected.mean[bought].sum(), abs=1e-3)
    assert objects["share"] == pytest.approx(objects["in_bought"] / total, abs=1e-5)
    # No other 20 patches hold more.
    assert objects["in_bought"] == pytest.approx(np.sort(expected.mean.ravel())[-20:].sum(), abs=1e-3)
    assert made["licence"] == made["provenance"]["bundle"]["licence"] == LICENCE
    listed = client.get("/v1/plans").json()["items"][0]
    assert (listed["objects"], listed["licence"], listed["task"]) == (objects, LICENCE, "find")
    assert client.get(f"/v1/plans/{made['id']}").json() == made


def test_patches_state_their_expected_objects(client: TestClient, database: Database) -> None:
    made = plan(client, task="count")
    expected = kept(database, made).mean
    for one in features(client, made):
        assert one["expected_objects"] == pytest.approx(expected[one["tile"], one["index"]], abs=1e-6)
        assert one["utility"] != one["expected_objects"]


def test_plan_of_a_bundle_that_classifies_has_no_objects(client: TestClient) -> None:
    answer = client.post("/v1/plans", content=make_geotiff(), headers=TIFF)
    made = answer.json()
    assert (made["task"], made["objects"], made["licence"]) == ("label", None, None)
    assert made["utility_unit"] == "score from 0 to 1"
    assert {tile["objects"] for tile in made["tiles"]} == {None}
    assert {one["expected_objects"] for one in features(client, made)} == {None}
    points = client.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    assert [point["here"] for point in points] == [None] * len(points)


def test_task_that_the_bundle_lacks_is_refused_with_those_it_offers(client: TestClient) -> None:
    answers = [
        client.post("/v1/plans", content=make_geotiff(), headers=TIFF, params={"task": "find"}),
        replan(client, client.post("/v1/plans", content=make_geotiff(), headers=TIFF).json(), task="count"),
    ]
    for answer in answers:
        assert code(answer) == (422, "task-unknown")
        assert answer.json()["offered"] == ["label"]
        assert "the bundle tiny 1 offers label." in answer.json()["detail"]
    assert send(client, task="counting").status_code == 422


def test_replan_for_another_task_runs_no_network(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, direct = plan(client, task="find"), plan(client, task="label")

    def fail(*_: object) -> None:
        raise AssertionError("a network ran")

    monkeypatch.setattr(CountPredictor, "judge", fail)
    again = replan(client, made, task="label").json()
    for member in ("task", "objective", "cost", "patches", "objects", "utility_unit"):
        assert again[member] == direct[member]
    assert [tile["utilities"] for tile in again["tiles"]] == [tile["utilities"] for tile in direct["tiles"]]
    np.testing.assert_array_equal(kept(database, again).mean, kept(database, made).mean)
    back = replan(client, again, objective="max_patches", max_patches=5).json()
    assert (back["task"], back["patches"]["bought"]) == ("label", 5)
    money = replan(client, back, task="find").json()
    assert (money["task"], money["objective"]) == ("find", {"kind": "max_patches", "max_patches": 5})


def test_replan_for_another_task_finds_the_numbers_of_its_objective_again(client: TestClient) -> None:
    made = plan(client, task="find", target_accuracy=0.8)
    assert made["objective"]["threshold"] == 0.4
    again = replan(client, made, task="count").json()
    assert again["objective"] == {
        "kind": "target_accuracy", "target_accuracy": 0.8, "threshold": 0.5, "measured_accuracy": 0.8,
    }  # fmt: skip
    weighed = plan(client, task="find", **{"lambda": 0.01})
    answer = replan(client, weighed, task="count")
    assert code(answer) == (422, "objective-unclear")
    assert "Give a lambda for the task count" in answer.json()["detail"]
    assert replan(client, weighed, task="count", **{"lambda": 0.02}).status_code == 201


def test_curve_states_what_is_measured_and_what_is_expected_here(client: TestClient) -> None:
    made = plan(client, task="find")
    curve = client.get(f"/v1/plans/{made['id']}/curve").json()
    nothing, chosen, everything = curve["points"]
    assert [point["threshold"] for point in curve["points"]] == [9.0, 0.4, 0.0]
    assert (chosen["chosen"], chosen["interval"]) == (True, [0.75, 0.86])
    assert (chosen["measured_found"], chosen["measured_count_error"]) == (0.5, 1.0)
    assert nothing["interval"] is None
    assert nothing["here"]["objects"] == 0
    assert chosen["here"]["objects"] == pytest.approx(made["objects"]["in_bought"], abs=1e-3)
    assert chosen["here"]["objects_share"] == pytest.approx(made["objects"]["share"], abs=1e-5)
    # With every patch read, the count is known and so is its class.
    assert everything["here"] == {
        "objects": pytest.approx(made["objects"]["scene"]["expected"], abs=1e-3),
        "objects_low": made["objects"]["scene"]["low"],
        "objects_high": made["objects"]["scene"]["high"],
        "objects_share": 1.0,
        "correct_labels": pytest.approx(TILES, abs=1e-3),
        "correct_share": pytest.approx(1.0, abs=1e-3),
    }
    correct = [point["here"]["correct_labels"] for point in curve["points"]]
    assert correct == sorted(correct)
    assert 0 < correct[0] < TILES


def test_tiles_without_data_hold_no_objects(client: TestClient) -> None:
    pixels = make_pixels(height=32, width=48, seed=5)
    pixels[:, :16, :16] = 0
    body = make_geotiff(pixels, gsd_m=5.0, nodata=0)
    params = {"bundle": "tiny-count", "price_list": "acme", "task": "find"}
    made = client.post("/v1/plans", content=body, headers=TIFF, params=params).json()
    assert made["tiles"][0]["status"] == "no-data"
    assert made["tiles"][0]["objects"] is None
    total = sum(tile["objects"]["expected"] for tile in made["tiles"][1:])
    assert made["objects"]["scene"]["expected"] == pytest.approx(total, abs=1e-3)
