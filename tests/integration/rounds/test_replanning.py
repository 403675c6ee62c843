"""Re-plans of scenes of which patches are owned by now: they read them as new plans and later rounds do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.ordering import code, publish_prices
from tests.support.rounds import Json, kept, next_round, ordered, places, planned


def replan(client: TestClient, plan: object, **wanted: object) -> Json:
    """Plan again, and return the new plan without its changes."""
    answer = client.post(f"/v1/plans/{plan}/replan", json=wanted)
    assert answer.status_code == 201, answer.text
    made: Json = {name: value for name, value in answer.json().items() if name != "changes"}
    assert client.get(f"/v1/plans/{made['id']}").json() == made
    return made


def expects(database: Database, one: str, other: str) -> bool:
    """Return whether two plans expect the same of every patch."""
    return np.array_equal(kept(database, one, "expected"), kept(database, other, "expected"))


@pytest.fixture
def without_bundle(both_settings: Settings, tmp_path: Path) -> Settings:
    """Configure a server that no longer holds the bundle that counts."""
    shutil.copytree(both_settings.bundles / "tiny", tmp_path / "others" / "tiny")
    return both_settings.model_copy(update={"bundles": tmp_path / "others", "default_bundle": "tiny"})


@pytest.mark.parametrize("task", ["find", "label"])
def test_replan_after_a_delivery_expects_what_the_next_round_expects(
    client: TestClient, database: Database, task: str
) -> None:
    plan = planned(client, task=task, max_patches=4)
    order = ordered(client, plan, slice(0, 3))
    again, then = replan(client, plan.id, max_patches=4), next_round(client, order, max_patches=4)
    assert again["tiles"] == then["tiles"]
    assert again["objects"] == then["objects"]
    assert again["prior"]["patches"] == then["round"]["read"]["patches"] == 3
    assert (again["follows"], again["round"], again["supersedes"]) == (None, None, str(plan.id))
    assert expects(database, again["id"], then["id"])


def test_replan_of_a_second_round_is_the_round_with_other_options(client: TestClient) -> None:
    order = ordered(client, planned(client, max_patches=2))
    early = next_round(client, order, max_patches=3, worth_each="20.00")
    publish_prices(client, name="dear", minimum_charge="70")
    again = replan(client, early["id"], price_list="dear", max_patches=5)
    direct = next_round(client, order, price_list="dear", max_patches=5, worth_each="20.00")
    assert (again["supersedes"], again["follows"]) == (early["id"], order)
    for member in ("round", "tiles", "cost", "objects", "savings", "reuse"):
        assert again[member] == direct[member]
    assert again["round"]["worth_each"] == {"amount": "20.00", "currency": "USD"}
    usual = replan(client, early["id"])
    assert usual["round"] == early["round"]


def test_replan_of_a_second_round_reads_what_came_since(client: TestClient) -> None:
    plan = planned(client)
    order = ordered(client, plan, slice(0, 2))
    early = next_round(client, order, max_patches=3)
    second = ordered(client, planned(client, max_patches=2))
    again = replan(client, early["id"])
    assert (early["round"]["read"]["patches"], again["round"]["read"]["patches"]) == (2, 4)
    assert (again["round"]["read"]["of_order"], again["round"]["order"]) == (2, order)
    assert second != order


@pytest.mark.parametrize("is_round", [False, True])
def test_replan_without_reuse_states_what_was_read_and_reuses_nothing(
    client: TestClient, database: Database, is_round: bool
) -> None:
    plan = planned(client, max_patches=3)
    order = ordered(client, plan)
    before = next_round(client, order, max_patches=3)["id"] if is_round else plan.id
    again = replan(client, before, reuse="none", max_patches=96)
    direct = planned(client, reuse="none", max_patches=96)
    new = client.get(f"/v1/plans/{direct.id}").json()
    assert (again["objects"]["read"], again["objects"]["in_reused"]) == (0, 0)
    assert again["objects"] == new["objects"]
    assert again["prior"] == new["prior"]
    assert again["prior"]["patches"] == 3
    assert (again["follows"], again["round"], again["supersedes"]) == (None, None, str(before))
    assert set(plan.bought) <= set(places(again, "buy"))
    assert expects(database, again["id"], new["id"])
    assert [one["code"] for one in again["warnings"]] == ["ground-bought-again"]


def test_replan_says_why_it_does_not_read_what_is_owned(client: TestClient, without_bundle: Settings) -> None:
    plan = planned(client, max_patches=4)
    order = ordered(client, plan, slice(0, 3))
    then = next_round(client, order, max_patches=2)
    with TestClient(create_app(without_bundle), headers={"Authorization": f"Bearer {KEY}"}) as other:
        again = replan(other, plan.id, max_patches=2)
        refused = other.post(f"/v1/plans/{then['id']}/replan", json={"max_patches": 1})
    (warning,) = again["warnings"]
    assert (warning["code"], warning["figures"]) == ("owned-not-read", {"patches": 3})
    assert warning["detail"].startswith("3 owned patches of the scene were not read, because this server")
    assert (again["prior"], places(again, "owned")) == (None, list(plan.bought[:3]))
    assert code(refused) == (409, "bundle-changed")


def test_replan_of_a_bundle_without_a_second_look_changes_no_expectation(
    client: TestClient, database: Database
) -> None:
    plan = planned(client, bundle="blind", max_patches=2)
    ordered(client, plan)
    again = replan(client, plan.id, max_patches=4)
    assert (again["prior"], again["warnings"]) == (None, [])
    assert expects(database, again["id"], str(plan.id))
