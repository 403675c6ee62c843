"""Plans with a guarantee, by a bundle that counts and certifies some."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from models.second_look import SecondLook
from service.app import create_app
from service.bundles.counting import CountPredictor
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels, write_bundle
from tests.support.counting import GUARANTEES, write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import TIFF, code, publish_prices

Json = dict[str, Any]


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Yield a client of a server with a bundle that counts, the default, and one that classifies."""
    folder = tmp_path / "bundles"
    write_bundle(folder / "tiny")
    write_count_bundle(
        folder / "count",
        guarantees=GUARANTEES,
        second_look=SecondLook(near=1.6, prior=1.0, far_share=0.3, discount=0.4, before=0.5),
    )
    write_count_bundle(folder / "bare", name="bare")
    own = settings.model_copy(update={"bundles": folder, "default_bundle": "tiny-count"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        yield client


def send(client: TestClient, **options: Any) -> Any:
    scene = make_geotiff(make_pixels(height=32, width=48, seed=5), gsd_m=5.0)
    return client.post("/v1/plans", content=scene, headers=TIFF, params={"price_list": "acme", **options})


def plan(client: TestClient, **options: Any) -> Json:
    answer = send(client, **options)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def wanted(made: Json, threshold: float) -> int:
    return sum(value >= threshold for tile in made["tiles"] for value in tile["utilities"])


@pytest.mark.parametrize(
    ("asked", "task", "at_most", "threshold"),
    [
        ("labels:0.05", "label", 0.05, 0.0052855),
        ("labels:0.1", "label", 0.1, 0.0053085),
        ("objects:0.1", "find", 0.1, 1.0375),
    ],
)
def test_plan_buys_every_patch_that_reaches_the_certified_threshold(
    client: TestClient, asked: str, task: str, at_most: float, threshold: float
) -> None:
    made = plan(client, guarantee=asked)
    assert made["task"] == task
    assert made["objective"]["threshold"] == threshold
    assert made["patches"]["bought"] - made["patches"]["filled"] == wanted(made, threshold) > 0
    assert (made["guarantee"]["at_most"], made["guarantee"]["requested"]) == (at_most, at_most)
    assert plan(client, objective="guarantee", guarantee=asked, task=task)["cost"] == made["cost"]


def test_plan_says_what_is_guaranteed_and_what_is_not(client: TestClient) -> None:
    made = plan(client, guarantee="labels:0.05")
    assert made["decision"].endswith(
        "certified on 60 sites to keep the labels lost of the mean site at 5 % or less, with a probability "
        "of 90 %."
    )
    assert made["guarantee"]["promise"] == (
        "With a probability of 90 %, sites like the 60 that it was certified on lose the correct labels of "
        "at most 5 % of their tiles, compared with buying every patch, on average. That took 9.7 of 16 "
        "patches per tile there."
    )
    for limit in ("a single scene may lose more", "read without error", "owned or on order count as bought"):
        assert limit in made["guarantee"]["limits"]
    found = plan(client, guarantee="objects:0.1")["guarantee"]["promise"]
    assert "miss at most 10 % of their oil tanks, those in patches that are not bought" in found
    assert client.get(f"/v1/plans/{made['id']}").json() == made
    assert plan(client)["guarantee"] is None


def test_larger_share_uses_the_nearest_certified_one_below_and_says_so(client: TestClient) -> None:
    made, strict = plan(client, guarantee="labels:0.09"), plan(client, guarantee="labels:0.05")
    assert made["patches"] == strict["patches"]
    assert (made["guarantee"]["requested"], made["guarantee"]["at_most"]) == (0.09, 0.05)
    assert "5 % or less (9 % asked for)" in made["decision"]
    assert "(9 % was asked for)" in made["guarantee"]["promise"]


@pytest.mark.parametrize("asked", ["labels:0.04", "labels:0", "objects:0.05"])
def test_smaller_share_is_refused_with_what_is_certified_and_why_not_less(
    client: TestClient, asked: str
) -> None:
    answer = send(client, guarantee=asked)
    assert code(answer) == (422, "guarantee-not-certified")
    detail, certified = answer.json()["detail"], answer.json()["certified"]
    assert [one["guarantee"] for one in certified] == ["labels:0.05", "labels:0.1", "objects:0.1"]
    assert "labels:0.05 (9.7 of 16 patches per tile at 60 sites, with a probability of 90 %)" in detail
    # (1 - 0.0377) ^ 60 is 0.1: without any loss, the mean may still be 3.77 %.
    assert "60 sites certify nothing below 3.8 %, even if none of them has a loss." in detail


@pytest.mark.parametrize("bundle", ["tiny", "bare"])
def test_bundle_without_guarantees_is_refused(client: TestClient, bundle: str) -> None:
    answer = send(client, guarantee="labels:0.05", bundle=bundle)
    assert code(answer) == (422, "guarantee-not-certified")
    assert "certifies no guarantee. Choose another objective, or a bundle" in answer.json()["detail"]
    assert answer.json()["certified"] == []


@pytest.mark.parametrize(
    "asked", ["0.05", "labels", "labels:5", "labels:1.5", "labels:-0.1", "counts:0.05", "labels:nan", ""]
)
def test_guarantee_in_another_form_is_refused_with_an_example(client: TestClient, asked: str) -> None:
    answer = send(client, guarantee=asked)
    assert answer.status_code == 422
    assert '"labels:0.05" for at most 5 % of the labels lost' in answer.text.replace("\\", "")


def test_guarantee_follows_no_other_task_and_no_limit(client: TestClient) -> None:
    answer = send(client, guarantee="labels:0.05", task="find")
    assert code(answer) == (422, "objective-unclear")
    assert "certified for plans with the task label, but the task find was requested" in answer.text
    for limit in ({"max_cost": "50.00"}, {"max_patches": 4}):
        answer = send(client, guarantee="labels:0.05", **limit)
        assert code(answer) == (422, "objective-unclear")
        assert "A limit could leave out patches that the guarantee needs." in answer.json()["detail"]
    both = send(client, guarantee="labels:0.05", objective="policy").json()["detail"]
    assert both == "A plan has one objective. Choose between policy and guarantee: both were given."
    alone = send(client, objective="guarantee")
    assert code(alone) == (422, "objective-unclear")
    assert alone.json()["detail"] == (
        "The objective guarantee needs a loss and a share. Add guarantee=labels:0.05"
    )


def test_replan_takes_the_task_of_its_guarantee_without_a_network(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, direct = plan(client, task="find", max_patches=3), plan(client, guarantee="labels:0.05")

    def fail(*_: object) -> None:
        raise AssertionError("a network ran")

    monkeypatch.setattr(CountPredictor, "judge", fail)
    path = f"/v1/plans/{first['id']}/replan"
    made = client.post(path, json={"guarantee": "labels:0.05"}).json()
    for member in ("task", "objective", "guarantee", "cost", "patches"):
        assert made[member] == direct[member]
    again = client.post(f"/v1/plans/{made['id']}/replan", json={"reuse": "none"}).json()
    assert again["guarantee"] == direct["guarantee"]
    other = client.post(f"/v1/plans/{again['id']}/replan", json={"task": "count"})
    assert code(other) == (422, "objective-unclear")
    assert "The plan's guarantee labels:0.05 has a task of its own" in other.json()["detail"]
    assert code(client.post(path, json={"guarantee": "labels:0.01"})) == (422, "guarantee-not-certified")


def test_bundles_state_their_guarantees_and_whether_they_have_a_second_look(client: TestClient) -> None:
    cards = {one["name"]: one for one in client.get("/v1/bundles").json()["items"]}
    assert cards["tiny-count"]["guarantees"][0] == {
        "guarantee": "labels:0.05", "loss": "labels", "at_most": 0.05, "sure": 0.9, "sites": 60,
        "task": "label", "threshold": 0.0052855, "mean_patches": 9.7,
    }  # fmt: skip
    assert {name: (len(card["guarantees"]), card["second_look"]) for name, card in cards.items()} == {
        "tiny-count": (3, True), "bare": (0, False), "tiny": (0, False),
    }  # fmt: skip
    assert client.get("/v1/bundles/tiny-count").json() == cards["tiny-count"]
