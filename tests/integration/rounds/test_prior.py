"""Owned imagery as a prior: what a new plan expects after the patches were read that the workspace owns."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.bundles.counting import Seen, values_of
from service.bundles.predictor import ExpectedCounts
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.counting import LR_M, hr_patch, scene_pixels
from tests.support.ordering import TIFF, deliver
from tests.support.rounds import (
    TILES,
    Json,
    kept,
    next_round,
    ordered,
    places,
    planned,
    read,
    revised_by_hand,
)


def plan_again(client: TestClient, *, brighter: int = 0, **options: Any) -> Json:
    """Plan the scene, with `brighter` in another file of the same ground."""
    pixels = np.clip(scene_pixels().astype(int) + brighter, 0, 255).astype(np.uint8)
    params: dict[str, Any] = {"task": "find", "price_list": "acme", "max_patches": 5} | options
    body = make_geotiff(pixels, gsd_m=LR_M)
    answer = client.post("/v1/plans", content=body, headers=TIFF, params=params)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


@pytest.mark.parametrize(("brighter", "earlier"), [(3, True), (0, False)])
def test_plan_of_ground_that_is_partly_owned_expects_what_was_read_there(
    client: TestClient, database: Database, both_settings: Settings, brighter: int, earlier: bool
) -> None:
    plan = planned(client)
    order, came = ordered(client, plan, slice(0, 5)), list(plan.bought[:5])
    made = plan_again(client, brighter=brighter)
    first = kept(database, made["id"], "first_expected")
    numbers = read(both_settings, came, first[0])
    by_hand = revised_by_hand(first, came, numbers, earlier=earlier)
    unread = np.isnan(kept(database, made["id"], "readings")[0])
    assert int((~unread).sum()) == 5
    now = kept(database, made["id"], "expected")[0]
    np.testing.assert_allclose(now[unread], by_hand[unread], rtol=1e-5)
    assert not np.allclose(now[unread], first[0][unread], rtol=1e-3)
    assert places(made, "owned") == came
    assert made["prior"] == {
        "patches": 5, "older": 5 * earlier, "orders": [order],
        "objects": pytest.approx(float(numbers.sum()), abs=1e-3),
        "expected": pytest.approx(float(sum(first[0][where] for where in came)), abs=1e-3),
    }  # fmt: skip
    assert (made["follows"], made["round"]) == (None, None)
    shown = client.get(f"/v1/plans/{made['id']}").json()
    assert (shown["prior"], shown["objects"]["read"]) == (made["prior"], made["prior"]["objects"])
    again = client.post(f"/v1/plans/{made['id']}/replan", json={"max_patches": 3}).json()
    assert again["prior"] == made["prior"]
    np.testing.assert_array_equal(kept(database, again["id"], "expected")[0], now)


def test_plan_that_buys_owned_ground_again_revises_what_it_expects_there_too(
    client: TestClient, database: Database, both_settings: Settings
) -> None:
    plan = planned(client)
    ordered(client, plan)
    made = plan_again(client, brighter=3, reuse="none", max_patches=96)
    came, first = list(plan.bought), kept(database, made["id"], "first_expected")
    by_hand = revised_by_hand(first, came, read(both_settings, came, first[0]), earlier=True)
    np.testing.assert_allclose(kept(database, made["id"], "expected")[0], by_hand, rtol=1e-5)
    assert made["objects"]["read"] == 0
    assert set(came) <= set(places(made, "buy"))


def test_order_of_a_plan_with_a_prior_is_followed_from_low_resolution(
    client: TestClient, database: Database, both_settings: Settings
) -> None:
    plan = planned(client)
    ordered(client, plan)
    made = plan_again(client, max_patches=4)
    wanted = places(made, "buy")
    order = client.post("/v1/orders", json={"plan": made["id"]}, headers={"Idempotency-Key": "k" * 16})
    assert order.status_code == 201
    then = next_round(client, ordered_again(client, order.json()["id"], wanted))
    first = kept(database, str(plan.id), "expected")
    where = [*plan.bought, *wanted]
    by_hand = revised_by_hand(first, where, read(both_settings, where, first[0]))
    unread = np.isnan(kept(database, then["id"], "readings")[0])
    np.testing.assert_allclose(kept(database, then["id"], "expected")[0][unread], by_hand[unread], rtol=1e-5)
    assert then["round"]["read"]["patches"] == len(where)


def ordered_again(client: TestClient, order: str, where: list[tuple[int, int]]) -> str:
    for one in where:
        assert deliver(client, order, *one, hr_patch(*one)).status_code == 201
    return order


def test_bundle_without_a_second_look_has_no_prior_but_values_labels_beside_what_it_reuses(
    client: TestClient, database: Database
) -> None:
    plan = planned(client)
    ordered(client, plan)
    made = plan_again(client, bundle="blind", task="label")
    assert made["prior"] is None
    mean, variance = kept(database, made["id"], "expected")
    expected, taken = ExpectedCounts(mean=mean, variance=variance), np.zeros((TILES, 16), np.bool_)
    taken[tuple(zip(*plan.bought, strict=True))] = True
    coming = Seen(read=np.zeros_like(taken), mean=mean, coming=taken)
    beside = values_of(expected, "label", (1, 10), coming)
    usual = values_of(expected, "label", (1, 10))
    shown = np.array([tile["utilities"] for tile in made["tiles"]])
    np.testing.assert_allclose(shown[~taken], beside[~taken], atol=1e-6)
    np.testing.assert_allclose(shown[taken], usual[taken], atol=1e-6)
