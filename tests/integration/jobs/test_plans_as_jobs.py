"""A plan as a job: asked for, done by a worker, and read from its link."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.jobs import ASYNC, app_of, ended, plan_later, plans
from tests.support.ordering import TIFF, publish_prices

WEIGHED: dict[str, Any] = {"lambda": "0.5"}
TILES = 6
"""Tiles of the scene that these tests send."""


def uploads(settings: Settings) -> list[Path]:
    return list((settings.blobs / "jobs").glob("*-*"))


def test_plan_becomes_a_job_and_the_job_a_plan(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        answer = plan_later(client, max_patches=2)
        job = ended(client, answer)
        plan = client.get(next(link["href"] for link in job["links"] if link["rel"] == "result")).json()
        direct = client.post(
            "/v1/plans", content=make_geotiff(), params={"price_list": "acme", "max_patches": 2}, headers=TIFF
        ).json()

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.json()["status"] == "queued"
    assert (job["status"], job["attempts"], job["progress"]["share"]) == ("succeeded", 1, 1.0)
    assert job["result"] == {"plan": plan["id"]}
    assert plan["tiles"] == direct["tiles"]
    assert plan["cost"] == direct["cost"]
    assert uploads(settings) == []


def test_idempotency_key_leads_to_the_same_job(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        first = plan_later(client, key="one-job-only")
        ended(client, first)
        again = plan_later(client, key="one-job-only")
        # The key belongs to the request, however it is answered.
        without = client.post(
            "/v1/plans",
            content=make_geotiff(),
            params={"price_list": "acme"},
            headers=TIFF | {"Idempotency-Key": "one-job-only"},
        )
        other = plan_later(client, key="one-job-only", max_patches=1)

        assert len(plans(client)) == 1
        assert len(client.get("/v1/jobs").json()["items"]) == 1
    assert (again.status_code, without.status_code) == (202, 202)
    assert again.headers["Location"] == without.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert uploads(settings) == []


def test_scene_of_more_tiles_than_a_request_may_plan_becomes_a_job(settings: Settings) -> None:
    with app_of(settings, request_tiles=TILES - 1) as client:
        publish_prices(client)
        headers = TIFF | {"Idempotency-Key": "a-large-scene"}
        answer = client.post(
            "/v1/plans", content=make_geotiff(), params={"price_list": "acme"}, headers=headers
        )
        job = ended(client, answer)

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    assert job["status"] == "succeeded"


def test_scene_of_as_many_tiles_as_a_request_may_plan_does_not(settings: Settings) -> None:
    with app_of(settings, request_tiles=TILES) as client:
        publish_prices(client)
        answer = client.post("/v1/plans", content=make_geotiff(), params={"price_list": "acme"}, headers=TIFF)

    assert (answer.status_code, len(answer.json()["tiles"])) == (201, TILES)


def test_failed_job_carries_the_problem_that_the_request_would_have_answered(settings: Settings) -> None:
    damaged = make_geotiff()[:-100]
    with app_of(settings) as client:
        publish_prices(client)
        job = ended(client, plan_later(client, scene=damaged))
        direct = client.post("/v1/plans", content=damaged, params={"price_list": "acme"}, headers=TIFF).json()

        assert plans(client) == []
    own = {"instance", "request_id"}
    assert job["status"] == "failed"
    assert {name: value for name, value in job["problem"].items() if name not in own} == {
        name: value for name, value in direct.items() if name not in own
    }
    assert job["problem"]["instance"] == f"/v1/jobs/{job['id']}"
    assert uploads(settings) == []


@pytest.mark.parametrize("query", [{"price_list": "nobody's"}, {"bundle": "none@9"}, {"task": "count"}])
def test_what_is_quickly_refused_becomes_no_job(
    client: TestClient, settings: Settings, query: dict[str, str]
) -> None:
    publish_prices(client)
    params = {"price_list": "acme"} | query
    later = client.post("/v1/plans", content=make_geotiff(), params=params, headers=TIFF | ASYNC)
    now = client.post("/v1/plans", content=make_geotiff(), params=params, headers=TIFF)

    assert later.status_code == now.status_code
    assert later.json()["type"] == now.json()["type"]
    assert client.get("/v1/jobs").json()["items"] == []
    assert uploads(settings) == []


def test_job_waits_while_there_is_no_worker(client: TestClient, settings: Settings) -> None:
    publish_prices(client)
    answer = plan_later(client)
    shown = client.get(answer.headers["Location"])

    assert shown.json() == answer.json()
    assert shown.json()["status"] == "queued"
    assert int(shown.headers["Retry-After"]) > 0
    assert len(uploads(settings)) == 1

    with app_of(settings) as worker:
        assert ended(worker, answer)["status"] == "succeeded"


def test_options_reach_the_job_as_they_were_given(settings: Settings) -> None:
    given: dict[str, Any] = {"max_cost": "12.50", "reuse": "none", "bands": "3,2,1", "radiometry": "uint8"}
    with app_of(settings) as client:
        publish_prices(client)
        job = ended(client, plan_later(client, **given))
        planned = client.get(f"/v1/plans/{job['result']['plan']}").json()
        direct = client.post(
            "/v1/plans", content=make_geotiff(), params={"price_list": "acme"} | given, headers=TIFF
        ).json()
        weighed = ended(client, plan_later(client, **WEIGHED))
        by_weight = client.get(f"/v1/plans/{weighed['result']['plan']}").json()

    assert planned["objective"] == direct["objective"]
    assert planned["scene"]["bands"] == direct["scene"]["bands"] == [3, 2, 1]
    assert by_weight["objective"]["kind"] == "lambda"
