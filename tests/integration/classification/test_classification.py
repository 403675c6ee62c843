"""Classifications of orders: both streams label tiles with patches, low resolution labels the others."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from rasterio.io import MemoryFile
from sqlalchemy import text

from models.grid import patch_slices
from service.access.repository import create_key, create_workspace
from service.app import create_app
from service.bundles.classifying import ClassifyPredictor
from service.bundles.registry import open_bundles
from service.classification import labelling
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import HR_SIZE, make_geotiff, make_pixels, write_bundle
from tests.support.ordering import buy, code, deliver, open_budget, plan_scene, publish_prices
from tests.support.orders import make_patch

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def money(client: TestClient) -> None:
    publish_prices(client)
    open_budget(client)


def classify(client: TestClient, order: str, **body: Any) -> Any:
    return client.post(f"/v1/orders/{order}/classification", json=body)


def pixels_of(geotiff: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with MemoryFile(geotiff) as file, file.open(driver="GTiff") as raster:
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = raster.read()
    return pixels


def test_classification_labels_are_the_networks_output_for_the_delivered_pixels(
    client: TestClient, bundle_folder: Path
) -> None:
    plan = plan_scene(client)
    answer = classify(client, buy(client, plan)).json()

    # The same by hand: cut tiles from the scene and lay patches into the paper's grid.
    scene = make_pixels()
    lr = np.stack(
        [scene[:, 8 * (t // 3) : 8 * (t // 3) + 8, 8 * (t % 3) : 8 * (t % 3) + 8] for t in range(6)]
    )
    hr, came = np.zeros((6, 3, HR_SIZE, HR_SIZE), np.uint8), np.zeros((6, 16), np.bool_)
    for tile, patch in plan.bought:
        hr[(tile, slice(None), *patch_slices(patch, HR_SIZE))] = pixels_of(make_patch(tile, patch))
        came[tile, patch] = True
    predictor = open_bundles(bundle_folder.parent, None, "cpu", 1).default
    assert isinstance(predictor, ClassifyPredictor)
    both, alone = predictor.classify(lr, hr, came)
    classes = predictor.manifest.classes
    assert [tile["label"] for tile in answer["tiles"]] == [classes[best] for best in both.argmax(axis=1)]
    assert [tile["confidence"] for tile in answer["tiles"]] == pytest.approx(both.max(axis=1), abs=2e-6)
    assert [tile["lr_label"] for tile in answer["tiles"]] == [classes[best] for best in alone.argmax(axis=1)]
    assert [tile["lr_confidence"] for tile in answer["tiles"]] == pytest.approx(alone.max(axis=1), abs=2e-6)


def test_classification_labels_tiles_without_a_patch_from_low_resolution(client: TestClient) -> None:
    plan = plan_scene(client, max_patches=1)
    tiles = classify(client, buy(client, plan)).json()["tiles"]

    assert [tile["patches_used"] for tile in tiles] == [int(t == plan.bought[0][0]) for t in range(6)]
    for tile in tiles:
        if not tile["patches_used"]:
            assert (tile["label"], tile["confidence"]) == (tile["lr_label"], tile["lr_confidence"])


def test_classification_leaves_out_tiles_without_data(client: TestClient) -> None:
    pixels = make_pixels()
    pixels[:, :8, 8:16] = 0  # tile 1
    plan = plan_scene(client, make_geotiff(pixels, nodata=0))
    answer = classify(client, buy(client, plan)).json()

    assert [tile["tile"] for tile in answer["tiles"]] == [0, 2, 3, 4, 5]
    assert answer["summary"]["tiles"] == 5


def test_classification_with_missing_patches_is_refused_and_names_them(client: TestClient) -> None:
    plan = plan_scene(client)
    answer = classify(client, buy(client, plan, patches=1))

    assert code(answer) == (409, "delivery-incomplete")
    missing = [(one["tile"], one["patch"]) for one in answer.json()["missing"]]
    assert missing == list(plan.bought[1:])


def test_partial_classification_uses_the_delivered_patches(client: TestClient) -> None:
    plan = plan_scene(client)
    answer = classify(client, buy(client, plan, patches=1), allow_partial=True).json()

    assert answer["complete"] is False
    assert sum(tile["patches_used"] for tile in answer["tiles"]) == 1
    assert sum(tile["patches_bought"] for tile in answer["tiles"]) == 3
    assert answer["provenance"]["deliveries"] == 1


def test_classification_is_stored_and_shown_again(client: TestClient) -> None:
    made = classify(client, buy(client, plan_scene(client)))
    kept = client.get(made.headers["location"])

    assert made.status_code == 201
    assert kept.json() == made.json()
    assert made.json()["complete"] is True


def test_classification_provenance_extends_that_of_the_plan(client: TestClient) -> None:
    plan = plan_scene(client)
    order = buy(client, plan)
    provenance = classify(client, order).json()["provenance"]

    planned = client.get(f"/v1/plans/{plan.id}").json()["provenance"]
    assert {name: provenance[name] for name in planned} == planned
    assert (provenance["order"], provenance["plan"]) == (order, str(plan.id))
    assert len(provenance["deliveries_sha256"]) == 64


def test_classification_is_the_same_in_batches_of_any_size(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buy(client, plan_scene(client))
    whole = classify(client, order).json()
    monkeypatch.setattr(labelling, "BATCH", 2)
    pieces = classify(client, order).json()

    assert pieces["id"] != whole["id"]
    assert [tile["label"] for tile in pieces["tiles"]] == [tile["label"] for tile in whole["tiles"]]
    assert pieces["provenance"] == whole["provenance"]
    assert [tile["confidence"] for tile in pieces["tiles"]] == pytest.approx(
        [tile["confidence"] for tile in whole["tiles"]], abs=1e-5
    )


def test_repeated_key_makes_one_classification(client: TestClient) -> None:
    order = buy(client, plan_scene(client))
    headers = {"Idempotency-Key": "label it once"}

    first = client.post(f"/v1/orders/{order}/classification", json={}, headers=headers)
    second = client.post(f"/v1/orders/{order}/classification", json={}, headers=headers)

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()


def test_classification_needs_no_body(client: TestClient) -> None:
    order = buy(client, plan_scene(client))

    assert client.post(f"/v1/orders/{order}/classification").status_code == 201


def test_classification_without_the_plans_bundle_is_refused(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    order = buy(client, plan_scene(client))
    write_bundle(tmp_path / "others" / "tiny", version="2")
    other = settings.model_copy(update={"bundles": tmp_path / "others"})
    with TestClient(create_app(other), headers=dict(client.headers)) as changed:
        answer = classify(changed, order)

    assert code(answer) == (409, "bundle-changed")


def test_classification_of_another_workspace_is_not_found(client: TestClient, database: Database) -> None:
    order = buy(client, plan_scene(client))
    made = classify(client, order).json()["id"]
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    theirs = {"Authorization": f"Bearer {stranger}"}

    assert client.get(f"/v1/classifications/{made}", headers=theirs).status_code == 404
    assert client.post(f"/v1/orders/{order}/classification", headers=theirs).status_code == 404
    assert client.get(f"/v1/classifications/{uuid4()}").status_code == 404


def test_classification_states_its_files_and_when_a_newer_delivery_outdates_it(client: TestClient) -> None:
    plan = plan_scene(client)
    order = buy(client, plan)
    first = classify(client, order).json()
    tile, patch = plan.bought[0]
    assert (first["outdated"], "outdated_since" in first) == (False, False)
    assert [one["version"] for one in first["provenance"]["delivered_files"]] == [1, 1, 1]

    again = deliver(client, order, tile, patch, make_patch(tile, patch, seed=123)).json()
    second = classify(client, order).json()
    shown = client.get(f"/v1/classifications/{first['id']}").json()

    assert (shown["outdated"], shown["outdated_since"]) == (True, again["delivered_at"])
    assert shown["tiles"] == first["tiles"]
    assert second["outdated"] is False
    used = {(one["tile"], one["patch"]): one for one in second["provenance"]["delivered_files"]}
    assert (used[plan.bought[0]]["version"], used[plan.bought[0]]["sha256"]) == (2, again["sha256"])
    assert second["provenance"]["deliveries_sha256"] != first["provenance"]["deliveries_sha256"]


def test_classification_without_a_delivery_is_outdated_by_the_first(client: TestClient) -> None:
    plan = plan_scene(client)
    order = buy(client, plan, patches=0)
    made = classify(client, order, allow_partial=True).json()
    path = f"/v1/classifications/{made['id']}"
    assert client.get(path).json()["outdated"] is False

    deliver(client, order, *plan.bought[0])

    assert client.get(path).json()["outdated"] is True


def test_scene_that_an_earlier_version_cut_into_other_tiles_is_not_labelled(
    client: TestClient, database: Database
) -> None:
    order = buy(client, plan_scene(client))
    turned = "jsonb_set(reading, '{grid,transform}', '[10, 0, 500000, 0, 10, 5299840]')"
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(f"UPDATE scene SET reading = {turned}"))

    assert code(classify(client, order)) == (409, "scene-read-differently")
