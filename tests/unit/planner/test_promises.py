"""Properties of plans by area over many tiles, with the slightly unequal areas of a real scene."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, order_price
from tests.support.objectives import THRESHOLDS
from tests.support.prices import PATCH_M2, terms


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
    st.tuples(st.sampled_from(THRESHOLDS), st.floats(0, 1), st.floats(0, 1)).map(
        lambda t: (t[0](max(t[1:])), t[0](min(t[1:])))
    ),
)
Scene = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]


@given(scene=scenes(), price=PRICES, pair=PAIRS)
def test_looser_objective_never_removes_a_patch(
    scene: Scene, price: PriceTerms, pair: tuple[Objective, Objective]
) -> None:
    tight = plan_purchases(*scene, price, pair[0])
    loose = plan_purchases(*scene, price, pair[1])
    assert not (tight.selected & ~loose.selected).any()
    assert tight.bill.amount.minor <= loose.bill.amount.minor


@given(scene=scenes(), price=PRICES, pair=PAIRS)
def test_plan_keeps_its_limits_and_bills_what_it_buys(
    scene: Scene, price: PriceTerms, pair: tuple[Objective, Objective]
) -> None:
    utilities, eligible, areas = scene
    objective = pair[0]
    decision = plan_purchases(utilities, eligible, areas, price, objective)
    assert not decision.selected[~eligible].any()
    assert not (decision.filled & ~decision.selected).any()
    assert decision.wanted + np.count_nonzero(decision.filled) == np.count_nonzero(decision.selected)
    # The bill is exact to the cent, whatever the order of summation.
    area = int(whole_cm2(areas)[decision.selected].sum())
    assert decision.bill.amount == order_price(area, price)
    assert 0 <= decision.bill.amount.minor <= decision.everything.amount.minor
    assert decision.list_saving.minor >= 0
    if isinstance(objective, MaxCost):
        assert decision.bill.amount.minor <= objective.limit.minor
    if isinstance(objective, MaxPatches):
        assert np.count_nonzero(decision.selected) <= objective.patches


@given(scene=scenes(), price=PRICES, weight=WEIGHTS)
def test_cost_weight_plan_is_no_worse_than_nothing_or_everything(
    scene: Scene, price: PriceTerms, weight: float
) -> None:
    utilities, eligible, areas = scene
    decision = plan_purchases(utilities, eligible, areas, price, CostWeight(per_unit=weight))
    score = utilities[decision.selected].astype(float).sum() - weight * decision.bill.amount.minor / 100
    everything = utilities[eligible].astype(float).sum() - weight * decision.everything.amount.minor / 100
    assert score >= -1e-9
    assert score >= everything - 1e-9


@given(scene=scenes(), price=PRICES, pair=PAIRS)
def test_plan_buys_no_patch_while_a_more_useful_one_is_left(
    scene: Scene, price: PriceTerms, pair: tuple[Objective, Objective]
) -> None:
    utilities, eligible, areas = scene
    selected = plan_purchases(utilities, eligible, areas, price, pair[0]).selected
    left = ~selected & eligible[:, None]
    if selected.any() and left.any():
        assert utilities[selected].min() >= utilities[left].max()


@given(scene=scenes(), price=PRICES, factor=st.integers(2, 5))
def test_policy_plan_never_costs_less_at_higher_prices(scene: Scene, price: PriceTerms, factor: int) -> None:
    tiers = (replace(tier, price_per_km2=tier.price_per_km2 * factor) for tier in price.tiers)
    dearer = replace(price, tiers=tuple(tiers))
    wanted = Policy(threshold=0.5)
    assert (
        plan_purchases(*scene, price, wanted).bill.amount.minor
        <= plan_purchases(*scene, dearer, wanted).bill.amount.minor
    )


@given(scene=scenes(), price=PRICES, pair=PAIRS)
def test_plan_does_not_depend_on_the_unit_of_utilities(
    scene: Scene, price: PriceTerms, pair: tuple[Objective, Objective]
) -> None:
    """Utilities in a unit 64 times as small make the same plan: they may be counts of objects."""
    utilities, eligible, areas = scene
    for objective in pair:
        plan = plan_purchases(utilities, eligible, areas, price, objective)
        scaled = plan_purchases(utilities * 64, eligible, areas, price, in_smaller_unit(objective, 64))
        assert np.array_equal(scaled.selected, plan.selected)
        assert scaled.bill == plan.bill


def in_smaller_unit(objective: Objective, factor: int) -> Objective:
    if isinstance(objective, CostWeight):
        return CostWeight(per_unit=objective.per_unit * factor)
    if isinstance(objective, Policy | TargetAccuracy | GuaranteedLoss):
        return replace(objective, threshold=objective.threshold * factor)
    return objective


@given(scene=scenes(), price=PRICES)
def test_plan_purchases_is_deterministic(scene: Scene, price: PriceTerms) -> None:
    first = plan_purchases(*scene, price, CostWeight(per_unit=0.1))
    again = plan_purchases(*scene, price, CostWeight(per_unit=0.1))
    assert (first.selected == again.selected).all()
    assert first.reason == again.reason


@given(scene=scenes(), price=PRICES, threshold=st.floats(0, 1))
def test_objectives_with_the_same_threshold_buy_the_same(
    scene: Scene, price: PriceTerms, threshold: float
) -> None:
    plans = [plan_purchases(*scene, price, make(threshold)) for make in THRESHOLDS]
    for plan in plans[1:]:
        assert np.array_equal(plan.selected, plans[0].selected)
        assert plan.bill == plans[0].bill
