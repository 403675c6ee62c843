"""What the planner promises, in words and over many tiles."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.money import Money
from service.plans.planner import plan_purchases
from service.plans.planner.decision import Decision
from service.plans.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.pricing.billing import Terms, order_price, whole_cm2
from tests.factories_prices import scene_price, terms

PATCH_M2 = 313_600.0  # 56 x 56 pixels of 10 m

FIVE_KM2 = terms(minimum="5")
UNDER_A_SCENE = terms(minimum="2")  # reached by seven patches
NEVER_REACHED = terms(minimum="25")


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def plan(
    utilities: NDArray[np.float32],
    objective: Objective,
    terms: Terms,
    eligible: NDArray[np.bool_] | None = None,
    patch_m2: float = PATCH_M2,
) -> Decision:
    tiles = np.ones(len(utilities), dtype=bool) if eligible is None else eligible
    return plan_purchases(utilities, tiles, np.full(utilities.shape, patch_m2), terms, objective)


def one_tile(*values: float) -> NDArray[np.float32]:
    """A tile whose first patches have these utilities; the rest have 0.01."""
    row = np.full((1, 16), 0.01, dtype=np.float32)
    row[0, : len(values)] = values
    return row


# What a minimum area does.


def test_patches_are_free_until_the_minimum_is_reached() -> None:
    decision = plan(one_tile(0.9, 0.8), Policy(threshold=0.5), UNDER_A_SCENE)
    # 2 km2 hold six patches of 0.3136 km2; four of the worthless are taken by their index.
    assert np.flatnonzero(decision.selected).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(decision.filled).tolist() == [2, 3, 4, 5]
    assert (decision.wanted, decision.bill.amount) == (2, usd("20.00"))
    assert decision.reason == (
        "Buys 6 of 16 patches: utility of at least 0.5; 4 of them free, "
        "because an order is billed for at least 2 km2."
    )


def test_without_a_minimum_the_policy_buys_exactly_what_it_wants_however_little_a_patch_costs() -> None:
    # A patch of 0.4 cents: rounding alone would let further patches in.
    utilities = np.random.default_rng(3).random((50, 16)).astype(np.float32)
    decision = plan(utilities, Policy(threshold=0.5), terms(), patch_m2=400.0)
    assert (decision.selected == (utilities >= 0.5)).all()


def test_a_scene_that_costs_less_than_a_cent_more_is_bought_whole() -> None:
    utilities = one_tile(*[0.9] * 15)
    decision = plan(utilities, Policy(threshold=0.5), terms(), patch_m2=400.0)
    assert decision.selected.all()
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 0.06 USD, no more than the 15 patches asked for "
        "(utility of at least 0.5), to the smallest unit of money."
    )


def test_the_whole_scene_is_bought_where_it_costs_no_more() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), NEVER_REACHED)
    assert decision.selected.all()
    assert (decision.list_saving, decision.billable_saving) == (usd("0.00"), usd("0.00"))
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 250.00 USD, no more than the 1 patch asked for "
        "(utility of at least 0.5), because an order is billed for at least 25 km2."
    )


def test_patches_are_free_until_the_minimum_charge_is_reached() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms(charge="20"))
    # 20.00 USD pay for six patches of 3.136.
    assert (decision.wanted, np.count_nonzero(decision.filled)) == (1, 5)
    assert decision.reason == (
        "Buys 6 of 16 patches: utility of at least 0.5; 5 of them free, "
        "because an order costs at least 20.00 USD."
    )


def test_a_scene_sold_at_one_price_is_bought_whole_or_not_at_all() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), scene_price("113"))
    assert decision.selected.all()
    assert decision.reason == (
        "Buys the whole scene, 16 patches: it costs 113.00 USD, no more than the 1 patch asked for "
        "(utility of at least 0.5), because a scene has one price."
    )
    assert not plan(one_tile(0.9), MaxCost(limit=usd("112.99")), scene_price("113")).selected.any()


def test_the_list_saving_counts_tiers_and_no_minimum() -> None:
    decision = plan(one_tile(*[0.9] * 8), Policy(threshold=0.5), terms("10", beyond={"2.5088": "5"}))
    # 16 patches are 5.0176 km2: 25.088 at 10, the rest at 5.
    assert (decision.bill.amount, decision.everything.amount) == (usd("25.09"), usd("37.63"))
    assert decision.list_saving == decision.billable_saving == usd("12.54")


def test_a_limit_on_patches_is_kept_even_where_more_would_be_free() -> None:
    decision = plan(one_tile(0.9), MaxPatches(patches=3), NEVER_REACHED)
    assert np.count_nonzero(decision.selected) == 3
    assert "the whole scene would cost no more (250.00 USD)" in decision.reason


def test_the_list_saving_ignores_the_minimum_and_the_billable_saving_does_not() -> None:
    decision = plan(one_tile(0.9, 0.8, 0.7, 0.6), Policy(threshold=0.5), UNDER_A_SCENE)
    # Six are bought for 20.00; sixteen cost 50.18. Ten unbought patches list at 31.36.
    assert (decision.list_saving, decision.billable_saving) == (usd("31.36"), usd("30.18"))
    assert decision.everything.amount == usd("50.18")


def test_savings_agree_where_there_is_no_minimum_up_to_rounding() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms())
    assert decision.bill.amount == usd("3.14")
    assert (decision.list_saving, decision.billable_saving) == (usd("47.04"), usd("47.04"))


# Buying nothing.


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
def test_nothing_is_bought_with_a_reason(objective: Objective, reason: str) -> None:
    decision = plan(one_tile(0.9), objective, FIVE_KM2)
    assert not decision.selected.any()
    assert (decision.bill.amount, decision.bill.billable_km2) == (usd("0.00"), Decimal(0))
    assert decision.billable_saving == decision.everything.amount == usd("50.18")
    assert decision.reason == reason


def test_a_worthless_patch_is_not_bought_for_money() -> None:
    decision = plan(np.zeros((1, 16), dtype=np.float32), MaxCost(limit=usd("100")), terms())
    assert not decision.selected.any()
    assert decision.reason == "Buys nothing: no patch has any utility."


def test_a_scene_without_an_eligible_tile_is_a_plan_that_buys_nothing() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), FIVE_KM2, np.zeros(1, dtype=bool))
    assert not decision.selected.any()
    assert (decision.bill.amount, decision.everything.amount) == (usd("0.00"), usd("0.00"))
    assert decision.reason == "Buys nothing: no tile of the scene has enough valid pixels to be planned."


def test_tiles_that_are_not_eligible_are_neither_bought_nor_in_the_baseline() -> None:
    utilities = np.vstack([one_tile(0.9), one_tile(0.9)])
    decision = plan(utilities, Policy(threshold=0.5), terms(), np.array([False, True]))
    assert np.flatnonzero(decision.selected).tolist() == [16]
    assert decision.everything.amount == usd("50.18")


# Refusals.


def test_a_scope_without_a_minimum_makes_no_difference() -> None:
    decision = plan(one_tile(0.9), Policy(threshold=0.5), terms(scope="shape"))
    assert np.flatnonzero(decision.selected).tolist() == [0]


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_utilities_outside_the_unit_interval_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        plan(one_tile(value), Policy(threshold=0.5), terms())


# Promises over many tiles, with the slightly unequal areas of a real scene.


@st.composite
def scenes(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    tiles = draw(st.integers(1, 8))
    values = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1, width=32)
    utilities = draw(npst.arrays(np.float32, (tiles, 16), elements=values))
    eligible = draw(npst.arrays(np.bool_, tiles))
    areas = PATCH_M2 * (1 + 1e-5 * np.linspace(0, 1, tiles * 16).reshape(tiles, 16))
    return utilities, eligible, areas


PRICES = st.builds(
    terms,
    st.decimals("0.001", "50", places=3).map(str),
    beyond=st.sampled_from([{}, {"2": "3"}, {"2": "3", "20": "0.5"}, {"2": "80"}]),
    minimum=st.sampled_from(["0", "0.25", "2", "5", "25"]),
    charge=st.sampled_from(["0", "12.34", "300"]),
)
WEIGHTS = st.floats(0, 2)
AMOUNTS = st.integers(0, 100_000)
COUNTS = st.integers(0, 130)
PAIRS = st.one_of(  # a tighter objective first
    st.tuples(WEIGHTS, WEIGHTS).map(lambda w: (CostWeight(per_unit=max(w)), CostWeight(per_unit=min(w)))),
    st.tuples(AMOUNTS, AMOUNTS).map(
        lambda m: (MaxCost(limit=Money(min(m), "USD")), MaxCost(limit=Money(max(m), "USD")))
    ),
    st.tuples(COUNTS, COUNTS).map(lambda n: (MaxPatches(patches=min(n)), MaxPatches(patches=max(n)))),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
        lambda t: (Policy(threshold=max(t)), Policy(threshold=min(t)))
    ),
)
Scene = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]


@given(scene=scenes(), price=PRICES, pair=PAIRS)
@settings(max_examples=200)
def test_more_money_never_unbuys_a_patch(
    scene: Scene, price: Terms, pair: tuple[Objective, Objective]
) -> None:
    tight = plan_purchases(*scene, price, pair[0])
    loose = plan_purchases(*scene, price, pair[1])
    assert not (tight.selected & ~loose.selected).any()
    assert tight.bill.amount.minor <= loose.bill.amount.minor


@given(scene=scenes(), price=PRICES, pair=PAIRS)
@settings(max_examples=200)
def test_every_plan_keeps_its_limits(scene: Scene, price: Terms, pair: tuple[Objective, Objective]) -> None:
    utilities, eligible, areas = scene
    objective = pair[0]
    decision = plan_purchases(utilities, eligible, areas, price, objective)
    assert not decision.selected[~eligible].any()
    assert not (decision.filled & ~decision.selected).any()
    assert decision.wanted + np.count_nonzero(decision.filled) == np.count_nonzero(decision.selected)
    # What is bought is billed, to the cent, whatever the order of summation.
    area = int(whole_cm2(areas)[decision.selected].sum())
    assert decision.bill.amount.minor == order_price(area, price)
    assert 0 <= decision.bill.amount.minor <= decision.everything.amount.minor
    assert decision.list_saving.minor >= 0
    if isinstance(objective, MaxCost):
        assert decision.bill.amount.minor <= objective.limit.minor
    if isinstance(objective, MaxPatches):
        assert np.count_nonzero(decision.selected) <= objective.patches


@given(scene=scenes(), price=PRICES, weight=WEIGHTS)
def test_a_weighted_plan_is_never_worse_than_nothing_or_everything(
    scene: Scene, price: Terms, weight: float
) -> None:
    utilities, eligible, areas = scene
    decision = plan_purchases(utilities, eligible, areas, price, CostWeight(per_unit=weight))
    score = utilities[decision.selected].astype(float).sum() - weight * decision.bill.amount.minor / 100
    everything = utilities[eligible].astype(float).sum() - weight * decision.everything.amount.minor / 100
    assert score >= -1e-9
    assert score >= everything - 1e-9


@given(scene=scenes(), price=PRICES, pair=PAIRS)
def test_no_patch_is_bought_while_a_better_one_is_left(
    scene: Scene, price: Terms, pair: tuple[Objective, Objective]
) -> None:
    utilities, eligible, areas = scene
    selected = plan_purchases(utilities, eligible, areas, price, pair[0]).selected
    left = ~selected & eligible[:, None]
    if selected.any() and left.any():
        assert utilities[selected].min() >= utilities[left].max()


@given(scene=scenes(), price=PRICES, factor=st.integers(2, 5))
def test_a_dearer_list_never_costs_less_for_what_the_policy_wants(
    scene: Scene, price: Terms, factor: int
) -> None:
    tiers = (replace(tier, price_per_km2=tier.price_per_km2 * factor) for tier in price.tiers)
    dearer = replace(price, tiers=tuple(tiers))
    wanted = Policy(threshold=0.5)
    assert (
        plan_purchases(*scene, price, wanted).bill.amount.minor
        <= plan_purchases(*scene, dearer, wanted).bill.amount.minor
    )


@given(scene=scenes(), price=PRICES)
def test_the_same_question_has_the_same_answer(scene: Scene, price: Terms) -> None:
    first = plan_purchases(*scene, price, CostWeight(per_unit=0.1))
    again = plan_purchases(*scene, price, CostWeight(per_unit=0.1))
    assert (first.selected == again.selected).all()
    assert first.reason == again.reason


def test_equal_utilities_are_bought_in_index_order() -> None:
    utilities = np.full((100, 16), 0.7, dtype=np.float32)  # enough for an unstable sort to show
    utilities[::2] = 0.8
    decision = plan(utilities, MaxPatches(patches=820), terms())
    assert np.flatnonzero(decision.selected[1::2]).tolist() == list(range(20))
    assert decision.selected[::2].all()


def test_a_whole_granule_is_planned_exactly() -> None:
    utilities = np.random.default_rng(1).random((38_416, 16)).astype(np.float32)
    decision = plan(utilities, MaxCost(limit=usd("10000")), FIVE_KM2, patch_m2=6_400.0)
    assert utilities[decision.selected].min() >= utilities[~decision.selected].max()
    assert usd("9999.93").minor < decision.bill.amount.minor <= usd("10000").minor  # a patch is 6.4 cents
