"""The verdict of a second round: its gain and price beside what the order before was ready to pay."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from tests.support.ordering import publish_prices
from tests.support.orders import Planned
from tests.support.rounds import Json, kept, next_round, ordered, planned

THRESHOLD = 0.5
"""Expected objects from which the bundle buys a patch by default."""


def amount(money: Json) -> float:
    return float(money["amount"])


def next_best(database: Database, plan: Planned, made: Json, patches: int) -> float:
    """Return what is expected now in the patches that were the most useful ones beyond a plan."""
    first, now = (kept(database, one, "expected")[0] for one in (str(plan.id), made["id"]))
    ranked = [divmod(int(one), 16) for one in np.argsort(-first.ravel(), kind="stable")]
    others = [where for where in ranked if where not in plan.bought][:patches]
    return float(sum(now[where] for where in others))


def test_round_after_a_limit_of_patches_is_worth_it_as_far_as_the_bundle_would_buy(
    client: TestClient,
) -> None:
    plan = planned(client, max_patches=2)
    found = next_round(client, ordered(client, plan, slice(0, 1)), max_patches=4)["round"]
    gain = found["gain"]["objects"]
    assert 4 * THRESHOLD < gain < 4 * 1.03  # less than the least useful patch of the order before
    assert amount(found["most_each"]) == pytest.approx(
        amount(found["gain_before"]["cost"]) / 2 / THRESHOLD, abs=0.01
    )
    assert amount(found["gain"]["each"]) == pytest.approx(amount(found["gain"]["cost"]) / gain, abs=0.01)
    assert found["worth_it"] is True


def test_minimum_that_few_patches_share_is_not_the_price_of_one(client: TestClient) -> None:
    publish_prices(client, name="fixed", minimum_charge="100")
    order = ordered(client, planned(client, price_list="fixed", max_patches=3), slice(0, 1))
    found = next_round(client, order)["round"]
    before = found["gain_before"]
    assert amount(found["most_each"]) == pytest.approx(100 / before["objects"], abs=0.01)
    assert amount(found["gain"]["each"]) > amount(found["most_each"]) > 100 / 3 / 1.1
    assert found["worth_it"] is False


def test_round_states_what_the_same_money_would_have_gained_in_the_order_before(
    client: TestClient, database: Database
) -> None:
    plan = planned(client)
    made = next_round(client, ordered(client, plan, slice(0, 2)), max_patches=6)
    found = made["round"]
    same = found["same_money"]
    assert (same["patches"], same["cost"]) == (6, found["gain"]["cost"])
    assert same["objects"] == pytest.approx(next_best(database, plan, made, 6), abs=1e-3)
    assert same["objects"] <= found["gain"]["objects"]
    assert f"The same money would have gained {same['objects']:.3g} in the order before." in found["verdict"]


def test_same_money_pays_fixed_amounts_once(client: TestClient, database: Database) -> None:
    publish_prices(client, name="fixed", minimum_charge="100")
    plan = planned(client, price_list="fixed", max_patches=30)
    made = next_round(client, ordered(client, plan, slice(0, 2)), max_patches=3)
    found = made["round"]
    same = found["same_money"]
    assert amount(found["gain"]["cost"]) == 100
    assert same["patches"] == 24  # of 4 USD each
    assert amount(same["cost"]) <= 100
    assert same["objects"] == pytest.approx(next_best(database, plan, made, 24), abs=1e-3)
    assert found["worth_it"] is False


@pytest.mark.parametrize(
    ("objective", "margin"),
    [
        ({"max_patches": 90}, None),
        ({"max_cost": "300"}, None),
        ({"lambda": 0.2}, 0.2 * 4.003),
        ({"objective": "policy", "max_patches": None}, THRESHOLD),
    ],
)
def test_order_before_was_ready_to_pay_for_its_margin(
    client: TestClient, database: Database, objective: Json, margin: float | None
) -> None:
    plan = planned(client, **({"max_patches": None} | objective))
    order = ordered(client, plan, slice(0, 1))
    found = next_round(client, order)["round"]
    least = min(float(kept(database, str(plan.id), "expected")[0][where]) for where in plan.bought)
    assert amount(found["most_each"]) == pytest.approx(4.003 / (margin or min(least, THRESHOLD)), rel=1e-3)


@pytest.mark.parametrize("task", ["label", "count"])
def test_gain_of_other_tasks_is_in_their_unit(client: TestClient, task: str) -> None:
    plan = planned(client, task=task)
    found = next_round(client, ordered(client, plan, slice(0, 3)), max_patches=8)["round"]
    unit = {"label": "correct_labels", "count": "variance"}[task]
    for gain in (found["gain"], found["same_money"]):
        if gain[unit] > 1e-3:
            assert amount(gain["each"]) == pytest.approx(amount(gain["cost"]) / gain[unit], rel=1e-2)
    assert f"{found['gain'][unit]:.3g}"[:4] in found["verdict"]


def test_worth_each_decides_and_is_kept(client: TestClient) -> None:
    order = ordered(client, planned(client, max_patches=1))
    found = next_round(client, order, worth_each="9999")["round"]
    assert (found["worth_it"], found["worth_each"], found["most_each"]) == (
        True,
        {"amount": "9999.00", "currency": "USD"},
        {"amount": "9999.00", "currency": "USD"},
    )
