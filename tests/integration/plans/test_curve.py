"""The curve of a plan whose bundle was evaluated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from models.manifest import CurvePoint
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.planning import TIFF, app_with

pytestmark = pytest.mark.usefixtures("spread_utilities")


@pytest.fixture
def evaluated(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of an application whose bundle has a curve of three points."""
    curve = tuple(
        CurvePoint(threshold=threshold, mean_patches=16 - 16 * threshold, accuracy=accuracy)
        for threshold, accuracy in ((0.0, 0.9), (0.5, 0.85), (1.0, 0.7))
    )
    split = "120 held-out tiles"
    evaluation = {split: {"images": 120}}
    with app_with(
        tmp_path / "evaluated", settings, curve=curve, curve_split=split, evaluation=evaluation
    ) as client:
        yield client


def test_curve_pairs_cost_with_measured_accuracy_and_marks_the_plan(evaluated: TestClient) -> None:
    made = evaluated.post("/v1/plans", content=make_geotiff(), headers=TIFF).json()
    curve = evaluated.get(f"/v1/plans/{made['id']}/curve").json()
    nothing, chosen, everything = curve["points"]
    assert (nothing["patches"], nothing["cost"]["amount"], nothing["expected_accuracy"]) == (0, "0.00", 0.7)
    assert (chosen["patches"], chosen["cost"], chosen["chosen"]) == (
        made["patches"]["bought"],
        made["cost"],
        True,
    )
    assert (everything["cost"], everything["expected_accuracy"]) == (made["baseline"], 0.9)
    assert curve["images"] == 120
    assert chosen["interval"] == pytest.approx([0.7754, 0.9029], abs=1e-4)  # 102 of 120
    assert curve["source"] == (
        "Accuracy is what the bundle tiny 1 reached on 120 held-out tiles when only patches above the "
        "threshold were bought. It is no promise for this scene."
    )


@pytest.mark.parametrize(
    ("target", "threshold", "reached"), [(0.7, 1.0, 0.7), (0.8, 0.5, 0.85), (0.9, 0, 0.9)]
)
def test_target_accuracy_buys_no_more_than_the_evaluation_needed(
    evaluated: TestClient, target: float, threshold: float, reached: float
) -> None:
    answer = evaluated.post(f"/v1/plans?target_accuracy={target}", content=make_geotiff(), headers=TIFF)
    made = answer.json()
    assert made["objective"] == {
        "kind": "target_accuracy",
        "target_accuracy": target,
        "threshold": threshold,
        "measured_accuracy": reached,
    }
    bought = sum(value >= threshold for tile in made["tiles"] for value in tile["utilities"])
    assert made["patches"]["bought"] == bought
    if bought:
        assert f"where the bundle reached {100 * reached:.1f} %" in made["decision"]
    points = evaluated.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    assert [point["threshold"] for point in points if point["chosen"]] == [threshold]


def test_target_accuracy_beyond_the_evaluation_is_rejected(evaluated: TestClient, client: TestClient) -> None:
    answer = evaluated.post("/v1/plans?target_accuracy=0.95", content=make_geotiff(), headers=TIFF)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/accuracy-unreachable")
    assert "reached 90.0 % at best" in answer.json()["detail"]
    unevaluated = client.post("/v1/plans?target_accuracy=0.5", content=make_geotiff(), headers=TIFF)
    assert "without an evaluation" in unevaluated.json()["detail"]


def test_curve_marks_the_point_whose_patch_count_is_closest(evaluated: TestClient) -> None:
    made = evaluated.post("/v1/plans?max_patches=2", content=make_geotiff(), headers=TIFF).json()
    points = evaluated.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    assert [point["threshold"] for point in points if point["chosen"]] == [1.0]


def test_plan_of_a_bundle_no_longer_served_has_everything_but_the_curve(
    evaluated: TestClient, settings: Settings, tmp_path: Path
) -> None:
    made = evaluated.post("/v1/plans", content=make_geotiff(), headers=TIFF).json()
    with app_with(tmp_path / "newer", settings, version="2") as newer:
        path = f"/v1/plans/{made['id']}"
        answer = newer.get(f"{path}/curve")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/bundle-changed")
        assert newer.get(path).json() == made
        assert newer.get(f"{path}/preview.png").status_code == 200
