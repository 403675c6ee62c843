"""Plans by area, case by case: minimums, empty plans, invalid input, and large scenes."""

from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.pricing.billing import PriceTerms
from tests.support.prices import PATCH_M2, scene_price, terms

FIVE_KM2 = terms(minimum="5")
UNDER_A_SCENE = terms(minimum="2")  # reached by seven patches
NEVER_REACHED = terms(minimum="25")


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def plan(
    utilities: NDArray[np.float32],
    objective: Objective,
    terms: PriceTerms,
    eligible: NDArray[np.bool_] | None = None,
    patch_m2: float = PATCH_M2,
) -> Decision:
    tiles = np.ones(len(utilities), dtype=bool) if eligible is None else eligible
    return plan_purchases(utilities, tiles, np.full(utilities.shape, patch_m2), terms, objective)


def one_tile(*values: float) -> NDArray[np.float32]:
    """Return a tile whose first patches have these utilities; the rest have 0.01."""
    row = np.full((1, 16), 0.01, dtype=np.float32)
    row[0, : len(values)] = values
    return row


# Minimums.


def test_minimum_area_adds_free_patches() -> None:
    decision = plan(one_tile(0.9, 0.8), Policy(threshold=0.5), UNDER_A_SCENE)
    # 2 km2 hold six patches of 0.3136 km2; four of equal utility are added in index order.
    assert np.flatnonzero(decision.selected).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(decision.filled).tolist() == [2, 3, 4, 5]
    assert (decision.wanted, decision.bill.amount) == (2, usd("20.00"))
    assert decision.reason == (
        "Buys 6 of 16 patches: utility of at least 0.5; 4 of them free, "
        "because an order is billed for at least 2 km2."
    )


def test_policy_adds_no_patch_without_a_minimum() -> None:
    # A patch of 0.4 cents: by rounded prices, further patches would be free.
    utilities = np.random.default_rng(3).random((50, 16)).astype(np.float32)
    decision = plan(utilities, Policy(threshold=0.5), terms(), patch_m2=400.0)
    assert (decision.selected == (utilities >= 0.5)).all()


def test_rounding_adds_free_patches_when_the_whole_scene_costs_no_more() -> None:
    utilities = one_tile(*[0.9] * 15)
    decision = plan(utilities, Policy(threshold=0.5), terms(), patch_m2=400.0)
    assert decision.selected.all()
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 0.06 USD, no more than the 15 patches asked for "
        "(utility of at least 0.5), because the bill is rounded to the smallest unit of the currency."
    )


def test_minimum_area_buys_the_whole_scene_when_it_costs_no_more() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), NEVER_REACHED)
    assert decision.selected.all()
    assert (decision.list_saving, decision.billable_saving) == (usd("0.00"), usd("0.00"))
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 250.00 USD, no more than the 1 patch asked for "
        "(utility of at least 0.5), because an order is billed for at least 25 km2."
    )


def test_minimum_charge_adds_free_patches() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms(charge="20"))
    # 20.00 USD pay for six patches of 3.136.
    assert (decision.wanted, int(np.count_nonzero(decision.filled))) == (1, 5)
    assert decision.reason == (
        "Buys 6 of 16 patches: utility of at least 0.5; 5 of them free, "
        "because an order costs at least 20.00 USD."
    )


def test_scene_price_buys_the_whole_scene_or_nothing() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), scene_price("113"))
    assert decision.selected.all()
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 113.00 USD, no more than the 1 patch asked for "
        "(utility of at least 0.5), because a scene has one price."
    )
    assert not plan(one_tile(0.9), MaxCost(limit=usd("112.99")), scene_price("113")).selected.any()


def test_list_saving_includes_tiers() -> None:
    decision = plan(one_tile(*[0.9] * 8), Policy(threshold=0.5), terms("10", beyond={"2.5088": "5"}))
    # 16 patches are 5.0176 km2: 25.088 at 10, the rest at 5.
    assert (decision.bill.amount, decision.everything.amount) == (usd("25.09"), usd("37.63"))
    assert decision.list_saving == decision.billable_saving == usd("12.54")


def test_max_patches_adds_no_free_patches() -> None:
    decision = plan(one_tile(0.9), MaxPatches(patches=3), NEVER_REACHED)
    assert np.count_nonzero(decision.selected) == 3
    assert "the whole scene would cost no more (250.00 USD)" in decision.reason


def test_list_saving_ignores_minimums_and_billable_saving_includes_them() -> None:
    decision = plan(one_tile(0.9, 0.8, 0.7, 0.6), Policy(threshold=0.5), UNDER_A_SCENE)
    # Six are bought for 20.00; sixteen cost 50.18. Ten unbought patches list at 31.36.
    assert (decision.list_saving, decision.billable_saving) == (usd("31.36"), usd("30.18"))
    assert decision.everything.amount == usd("50.18")


def test_savings_are_equal_without_minimums() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms())
    assert decision.bill.amount == usd("3.14")
    assert (decision.list_saving, decision.billable_saving) == (usd("47.04"), usd("47.04"))


# Empty plans.


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (Policy(threshold=0.95), "Buys nothing: no patch reaches a utility of 0.95."),
        (CostWeight(per_unit=1.0), "Buys nothing: at a lambda of 1 per USD no order is worth its cost."),
        (
            MaxCost(limit=usd("49.99")),
            "Buys nothing: the cheapest order costs 50.00 USD, more than the 49.99 USD allowed.",
        ),
        (MaxPatches(patches=0), "Buys nothing: no patch is allowed."),
    ],
    ids=str,
)
def test_reason_says_why_nothing_is_bought(objective: Objective, reason: str) -> None:
    decision = plan(one_tile(0.9), objective, FIVE_KM2)
    assert not decision.selected.any()
    assert (decision.bill.amount, decision.bill.billable_km2) == (usd("0.00"), Decimal(0))
    assert decision.billable_saving == decision.everything.amount == usd("50.18")
    assert decision.reason == reason


def test_max_cost_buys_no_worthless_patch() -> None:
    decision = plan(np.zeros((1, 16), dtype=np.float32), MaxCost(limit=usd("100")), terms())
    assert not decision.selected.any()
    assert decision.reason == "Buys nothing: no patch has any utility."


def test_scene_without_eligible_tiles_buys_nothing() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), FIVE_KM2, np.zeros(1, dtype=bool))
    assert not decision.selected.any()
    assert (decision.bill.amount, decision.everything.amount) == (usd("0.00"), usd("0.00"))
    assert decision.reason == "Buys nothing: no tile of the scene has enough valid pixels to be planned."


def test_ineligible_tiles_are_neither_bought_nor_in_the_baseline() -> None:
    utilities = np.vstack([one_tile(0.9), one_tile(0.9)])
    decision = plan(utilities, Policy(threshold=0.5), terms(), np.array([False, True]))
    assert np.flatnonzero(decision.selected).tolist() == [16]
    assert decision.everything.amount == usd("50.18")


# Invalid input.


def test_minimum_scope_without_a_minimum_changes_nothing() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms(scope="shape"))
    assert np.flatnonzero(decision.selected).tolist() == [0]


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_plan_purchases_rejects_utilities_that_are_negative_or_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite and 0 or more"):
        plan(one_tile(value), Policy(threshold=0.5), terms())


# Many tiles.


def test_equal_utilities_are_bought_in_index_order() -> None:
    utilities = np.full((100, 16), 0.7, dtype=np.float32)  # enough for an unstable sort to show
    utilities[::2] = 0.8
    decision = plan(utilities, MaxPatches(patches=820), terms())
    assert np.flatnonzero(decision.selected[1::2]).tolist() == list(range(20))
    assert decision.selected[::2].all()


def test_max_cost_spends_its_limit_on_a_whole_granule() -> None:
    utilities = np.random.default_rng(1).random((38_416, 16)).astype(np.float32)
    decision = plan(utilities, MaxCost(limit=usd("10000")), FIVE_KM2, patch_m2=6_400.0)
    assert utilities[decision.selected].min() >= utilities[~decision.selected].max()
    assert usd("9999.93").minor < decision.bill.amount.minor <= usd("10000").minor  # a patch is 6.4 cents
