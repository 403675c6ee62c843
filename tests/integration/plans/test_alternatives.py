"""Alternatives of plans: the same money spent otherwise, and the same patches at other prices."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from models.manifest import CurvePoint
from service.app import create_app
from service.plans.alternatives import MOST_ARRANGED_TILES, MOST_LISTS
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.counting import scene_pixels, write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import Json, buy, open_budget, plan_scene, publish_prices
from tests.support.planning import app_with, plan

pytestmark = pytest.mark.usefixtures("spread_utilities")
CENT = Decimal("0.01")


def alternatives(client: TestClient, made: Json) -> Json:
    answer = client.get(f"/v1/plans/{made['id']}/alternatives")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def ways(found: Json) -> Json:
    return {one["way"]: one for one in found["spending"]}


def usd(amount: Decimal | str) -> Json:
    return {"amount": str(amount), "currency": "USD"}


def amount(value: Json) -> Decimal:
    return Decimal(value["amount"])


@pytest.fixture
def evaluated(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """Yield a client of an application whose bundle measured every way on 120 tiles."""
    blind = {"accuracy_by_patches": {"1": 0.72, "4": 0.8}}
    test = {
        "images": 120,
        "lr_only": {"accuracy": 0.7},
        "all_patches": {"accuracy": 0.9},
        "baselines": {"fixed_h": blind, "stochastic": blind | {"accuracy_by_patches": {"1": 0.71}}},
    }
    curve = tuple(
        CurvePoint(threshold=at / 16, mean_patches=16 - at, accuracy=0.9 - at / 80) for at in (0, 8, 15, 16)
    )
    with app_with(
        tmp_path / "evaluated", settings, curve=curve, curve_split="test", evaluation={"test": test}
    ) as client:
        publish_prices(client)
        yield client


def test_alternatives_spend_the_plans_money_on_other_patches(evaluated: TestClient) -> None:
    """Patches of 20 x 20 m cost 4.00 each; the plan buys 7 of the 96."""
    made = plan(evaluated, price_list="acme", max_patches=7)
    found = alternatives(evaluated, made)
    by_way = ways(found)
    assert list(by_way) == ["nothing", "plan", "central", "random", "everything"]
    assert (found["money"], found["money_is"], found["plan"]) == (made["cost"], "planned", made["id"])
    assert {way: one["patches"] for way, one in by_way.items()} == {
        "nothing": 0, "plan": 7, "central": 7, "random": 7, "everything": 96,
    }  # fmt: skip
    costs = {way: one["cost"] for way, one in by_way.items()}
    assert (costs["nothing"], costs["plan"], costs["everything"]) == (
        usd("0.00"),
        made["cost"],
        made["baseline"],
    )
    assert amount(costs["central"]) == pytest.approx(amount(made["cost"]), abs=CENT)
    assert all(one["expected"] is None for one in by_way.values())


def test_alternatives_show_what_was_measured_with_as_many_patches(evaluated: TestClient) -> None:
    found = ways(alternatives(evaluated, plan(evaluated, price_list="acme", max_patches=6)))
    measured = {way: one["measured"] for way, one in found.items()}
    assert {way: (one["patches_per_tile"], one["accuracy"]) for way, one in measured.items()} == {
        "nothing": (0, 0.7), "plan": (1, pytest.approx(0.7125)), "central": (1, 0.72), "random": (1, 0.71),
        "everything": (16, 0.9),
    }  # fmt: skip
    assert measured["nothing"]["interval"] == pytest.approx([0.6127, 0.7747], abs=1e-3)  # 84 of 120


def test_alternatives_bill_exactly_the_same_patches_at_other_prices(evaluated: TestClient) -> None:
    publish_prices(evaluated, "half", price_per_km2="5000")
    publish_prices(evaluated, "minimum", price_per_km2="10", minimum_km2="100")
    publish_prices(evaluated, "euros", currency="EUR")
    publish_prices(evaluated, "coarse", gsd_m="50")
    publish_prices(evaluated, "later", valid_from="2999-01-01")
    publish_prices(evaluated, "gone", valid_from="2020-01-01", valid_to="2020-12-31")
    made = plan(evaluated, price_list="acme", max_patches=7)
    found = alternatives(evaluated, made)
    lists = {one["name"]: one for one in found["price_lists"] if not one["example"]}
    assert set(lists) == {"half", "minimum", "euros"}
    bill = evaluated.get(f"/v1/plans/{made['id']}/bill").json()

    def priced(part: str) -> Decimal:
        return (Decimal(bill[part]["area_km2"]) * 5000).quantize(CENT, ROUND_HALF_UP)

    half = lists["half"]
    assert (half["bought"], half["everything"]) == (usd(priced("chosen")), usd(priced("everything")))
    assert amount(half["difference"]) == priced("chosen") - amount(made["cost"])
    assert (lists["minimum"]["bought"], lists["minimum"]["everything"]) == (usd("1000.00"), usd("1000.00"))
    assert lists["euros"]["difference"] is None
    assert found["cheapest"] == half["price_list"]
    refused = {one["subject"]: one["reason"] for one in found["left_out"]}
    assert "too coarse" in refused["the price list coarse version 1"]


def test_alternatives_compare_with_examples_but_name_none_the_cheapest(evaluated: TestClient) -> None:
    found = alternatives(evaluated, plan(evaluated, price_list="acme", max_patches=7))
    examples = [one for one in found["price_lists"] if one["example"] and one["difference"] is not None]
    assert any(amount(one["difference"]) < 0 for one in examples)
    assert found["cheapest"] is None
    publish_prices(evaluated, "offer", price_per_km2="9000")
    assert alternatives(evaluated, plan(evaluated, price_list="acme", max_patches=7))["cheapest"] is not None


def test_alternatives_leave_owned_patches_out(evaluated: TestClient) -> None:
    """Buying nothing is buying no more: what the workspace owns counts for every way."""

    open_budget(evaluated, "1000.00")
    buy(evaluated, plan_scene(evaluated, max_patches=6))
    found = ways(alternatives(evaluated, plan(evaluated, price_list="acme", max_patches=6)))
    assert found["nothing"]["patches"] == 0
    assert {way: one["patches_per_tile"] for way, one in found.items()} == {
        "nothing": 1, "plan": 2, "central": 2, "random": 2, "everything": 16,
    }  # fmt: skip


def test_alternatives_of_a_lost_bundle_keep_their_bills(
    evaluated: TestClient, settings: Settings, tmp_path: Path
) -> None:
    made = plan(evaluated, price_list="acme", max_patches=7)
    before = alternatives(evaluated, made)
    with app_with(tmp_path / "newer", settings, version="2") as newer:
        found = alternatives(newer, made)
    assert found["price_lists"] == before["price_lists"]
    assert [one["cost"] for one in found["spending"]] == [one["cost"] for one in before["spending"]]
    assert all(one["measured"] is None for one in found["spending"])
    assert "no longer holds" in found["source"]


def test_alternatives_say_what_is_too_large_to_compare(evaluated: TestClient) -> None:
    """Shapes are arranged for small scenes only; prices by area are compared for any."""
    publish_prices(evaluated, "shapes", price_per_km2="10", minimum_km2="1", minimum_applies_to="shape")
    side = 21
    assert side**2 > MOST_ARRANGED_TILES
    scene = make_geotiff(make_pixels(height=8 * side, width=8 * side))
    by_area = alternatives(evaluated, plan(evaluated, scene, price_list="acme", max_patches=500))
    assert ways(by_area)["central"]["patches"] == 500
    reasons = {one["subject"]: one["reason"] for one in by_area["left_out"]}
    assert f"more than {MOST_ARRANGED_TILES} tiles" in reasons["the price list shapes version 1"]
    by_shape = alternatives(evaluated, plan(evaluated, scene, price_list="shapes", max_patches=9))
    assert list(ways(by_shape)) == ["nothing", "plan", "everything"]
    assert "central and random patches" in {one["subject"] for one in by_shape["left_out"]}
    assert "acme" in {one["name"] for one in by_shape["price_lists"]}


def test_alternatives_compare_a_bounded_number_of_price_lists(evaluated: TestClient) -> None:
    for number in range(MOST_LISTS + 2):
        publish_prices(evaluated, f"list-{number:02}", price_per_km2=f"{5000 + number}")
    found = alternatives(evaluated, plan(evaluated, price_list="acme", max_patches=7))
    assert len(found["price_lists"]) == MOST_LISTS
    left = [one["subject"] for one in found["left_out"] if f"newest {MOST_LISTS}" in one["reason"]]
    assert "the price list list-00 version 1" in left
    assert f"the price list list-{MOST_LISTS + 1:02} version 1" not in left


def test_alternatives_of_a_plan_that_counts_are_expected_of_its_scene(
    settings: Settings, tmp_path: Path
) -> None:

    write_count_bundle(tmp_path / "counting" / "tiny-count")
    own = settings.model_copy(update={"bundles": tmp_path / "counting"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        scene = make_geotiff(scene_pixels(), gsd_m=5.0)
        made = plan(client, scene, price_list="acme", max_patches=12, task="find")
        found = ways(alternatives(client, made))
        points = client.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    expected = {way: one["expected"]["objects"] for way, one in found.items()}
    assert points == []  # nothing was measured: what is expected needs no evaluation
    assert expected["nothing"] == 0
    assert expected["plan"] == pytest.approx(made["objects"]["in_bought"], abs=1e-3)
    assert expected["everything"] == pytest.approx(made["objects"]["scene"]["expected"], abs=1e-3)
    assert expected["plan"] >= max(expected["central"], expected["random"])
    assert found["everything"]["expected"]["correct_share"] == pytest.approx(1)
    assert np.isclose(found["central"]["patches"], 12)


def test_alternatives_of_an_unknown_plan_are_not_found(client: TestClient) -> None:
    answer: Any = client.get("/v1/plans/00000000-0000-4000-8000-000000000000/alternatives")
    assert answer.status_code == 404
