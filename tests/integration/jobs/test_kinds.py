"""Every kind of work as a job: the result equals that of the request that waits."""

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from service.settings import Settings
from tests.support.counting import write_count_bundle
from tests.support.jobs import ASYNC, app_of, ended
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices
from tests.support.rounds import LOOK, ordered, planned

Json = dict[str, Any]


def later(client: TestClient, path: str, **body: Any) -> Response:
    return client.post(path, json=body, headers=ASYNC)


def result(client: TestClient, answer: Response) -> Json:
    job = ended(client, answer)
    assert job["status"] == "succeeded", job
    found: Json = client.get(next(link["href"] for link in job["links"] if link["rel"] == "result")).json()
    return found


def alike(one: Json, other: Json, *members: str) -> bool:
    return all(one[name] == other[name] for name in members)


def test_replan_as_a_job(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        old = plan_scene(client, max_patches=4)
        answer = later(client, f"/v1/plans/{old.id}/replan", max_patches=2)
        new = result(client, answer)
        direct = client.post(f"/v1/plans/{old.id}/replan", json={"max_patches": 2}).json()

    assert answer.json()["kind"] == "replan"
    assert alike(new, direct, "tiles", "cost", "supersedes", "objective")


def test_classification_as_a_job(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        open_budget(client)
        order = buy(client, plan_scene(client, max_patches=4), patches=4)
        path = f"/v1/orders/{order}/classification"
        answer = later(client, path)
        made = result(client, answer)
        direct = client.post(path, json={}).json()

    assert answer.json()["kind"] == "classification"
    assert alike(made, direct, "tiles", "complete", "order")


def test_classification_of_many_tiles_becomes_a_job(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        open_budget(client)
        order = buy(client, plan_scene(client, max_patches=4), patches=4)
    with app_of(settings, request_tiles=5) as client:
        answer = client.post(f"/v1/orders/{order}/classification", json={})

        assert answer.status_code == 202
        assert "Preference-Applied" not in answer.headers
        assert result(client, answer)["order"] == order


def test_incomplete_classification_is_refused_before_it_becomes_a_job(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        open_budget(client)
        order = buy(client, plan_scene(client, max_patches=4), patches=1)
        answer = later(client, f"/v1/orders/{order}/classification")
        partial = later(client, f"/v1/orders/{order}/classification", allow_partial=True)

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/delivery-incomplete")
        assert result(client, partial)["complete"] is False


def test_next_round_as_a_job(settings: Settings, tmp_path: Path) -> None:
    write_count_bundle(tmp_path / "counting" / "tiny-count", second_look=LOOK)
    with app_of(settings, bundles=tmp_path / "counting") as client:
        publish_prices(client)
        open_budget(client)
        order = ordered(client, planned(client, max_patches=1))
        answer = later(client, f"/v1/orders/{order}/next-round", max_patches=1, worth_each="40.00")
        new = result(client, answer)
        direct = client.post(
            f"/v1/orders/{order}/next-round", json={"max_patches": 1, "worth_each": "40.00"}
        ).json()

    assert answer.json()["kind"] == "next-round"
    assert alike(new, direct, "tiles", "cost", "round", "objective")
