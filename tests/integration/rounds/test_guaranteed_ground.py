"""Plans with a guarantee beside owned ground: what was read there changes no value of theirs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.counting import GUARANTEES, LR_M, scene_pixels, write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import TIFF, open_budget, publish_prices
from tests.support.orders import Planned
from tests.support.rounds import LOOK, Json, kept, next_round, ordered, places, planned

THRESHOLD = GUARANTEES[2].threshold
"""Threshold of `objects:0.1`, in expected objects."""


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Yield a client of a server whose bundle has a second look and guarantees."""
    write_count_bundle(tmp_path / "sure" / "tiny-count", second_look=LOOK, guarantees=GUARANTEES)
    own = settings.model_copy(update={"bundles": tmp_path / "sure", "default_bundle": "tiny-count"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        open_budget(client, "10000.00")
        yield client


def sure_plan(client: TestClient) -> Planned:
    """Plan the scene so that at most 10 % of its objects are missed."""
    body = make_geotiff(scene_pixels(), gsd_m=LR_M)
    query = {"price_list": "acme", "guarantee": "objects:0.1"}
    answer = client.post("/v1/plans", content=body, headers=TIFF, params=query)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Planned(id=made["id"], bought=tuple(places(made, "buy")))


def certified(database: Database, made: Json) -> set[tuple[int, int]]:
    """Return the patches that reach the threshold by what low resolution leads to expect."""
    first = kept(database, made["id"], "first_expected" if made["prior"] or made["round"] else "expected")
    return {(int(tile), int(patch)) for tile, patch in np.argwhere(first[0] >= np.float32(THRESHOLD))}


def test_guarantee_keeps_the_certified_values_beside_owned_ground(
    client: TestClient, database: Database
) -> None:
    first = planned(client)
    ordered(client, first, slice(0, 5))
    revised = planned(client)
    replanned = client.post(f"/v1/plans/{revised.id}/replan", json={"guarantee": "objects:0.1"}).json()
    made = client.get(f"/v1/plans/{sure_plan(client).id}").json()
    for one in (made, replanned):
        assert one["prior"]["patches"] == 5
        taken = {*places(one, "owned"), *places(one, "on_order")}
        assert taken == set(first.bought)
        wanted = certified(database, one) - taken
        assert set(places(one, "buy")) >= wanted
        assert one["patches"]["bought"] - one["patches"]["filled"] == len(wanted) > 0


def test_replan_from_a_guarantee_uses_what_was_read_again(client: TestClient) -> None:
    ordered(client, planned(client), slice(0, 5))
    made = sure_plan(client)
    there = client.get(f"/v1/plans/{planned(client, max_patches=4).id}").json()
    back = client.post(f"/v1/plans/{made.id}/replan", json={"max_patches": 4}).json()
    assert back["tiles"] == there["tiles"]


def test_second_round_of_a_guarantee_buys_nothing_more(client: TestClient) -> None:
    made = sure_plan(client)
    then = next_round(client, ordered(client, made))
    assert then["guarantee"]["at_most"] == 0.1
    assert then["patches"]["bought"] == 0
