"""Properties of plans of scenes on whose ground patches are owned or on order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.money import Money
from service.planner import plan_purchases
from service.planner.by_area import rank_patches
from service.planner.candidates import price_scene
from service.planner.decision import Decision
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.planner.order_shapes import compile_order
from service.planner.patches import margins, patch_reasons, taken_reasons
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from tests.support.prices import PATCH_M2, terms
from tests.support.tiled_scenes import OBJECTIVES, SAMPLE, Scene, scenes
from tests.support.tiled_scenes import PRICES as SHAPE_PRICES

Mask = NDArray[np.bool_]
AREA_PRICES: dict[str, PriceTerms] = {
    "plain": terms(),
    "minimum per order": terms(minimum="4"),
    "cheaper beyond a limit": terms(beyond={"2": "3"}),
    "minimum charge": terms(charge="30"),
}
PRICES = AREA_PRICES | SHAPE_PRICES
NAMES = st.sampled_from(sorted(PRICES))


@st.composite
def taken_scenes(draw: st.DrawFn) -> tuple[Scene, Mask]:
    """Draw a scene of one to six tiles and a mask of its taken patches."""
    scene = draw(scenes())
    utilities, eligible, areas, columns = scene
    if draw(st.booleans()):
        utilities, eligible, areas, columns = utilities[:1], eligible[:1], areas[:1], 1
    share = draw(st.sampled_from([0.1, 0.5, 1.0]))
    drawn = draw(npst.arrays(np.float64, utilities.shape, elements=st.floats(0, 1)))
    return (utilities, eligible, areas, columns), drawn < share


def plan(scene: Scene, name: str, objective: Objective, taken: Mask | None) -> Decision:
    utilities, eligible, areas, columns = scene
    return plan_purchases(utilities, eligible, areas, PRICES[name], objective, columns, taken)


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_taken_patches_are_never_bought_and_the_figures_add_up(
    drawn: tuple[Scene, Mask], name: str, objective: Objective
) -> None:
    scene, taken = drawn
    decision = plan(scene, name, objective, taken)
    assert not (decision.selected & (taken | ~scene[1][:, None])).any()
    if not isinstance(objective, MaxPatches):  # its shapes may enclose patches beyond the limit
        assert (decision.arranged & ~decision.selected & ~taken).sum() == 0
    parts = (decision.bill.amount, decision.reuse_saving, decision.billable_saving)
    assert sum((one.minor for one in parts), 0) == decision.everything.amount.minor
    assert decision.reuse_saving.minor >= 0
    assert decision.everything == plan(scene, name, objective, None).everything


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_bill_is_that_of_the_shapes_that_the_provider_gets(
    drawn: tuple[Scene, Mask], name: str, objective: Objective
) -> None:
    scene, taken = drawn
    decision = plan(scene, name, objective, taken)
    shapes = compile_order(decision.selected, scene[2], scene[3], PRICES[name], decision.arranged)
    areas = [int(whole_cm2(np.array(shape.area_m2))) for shape in shapes]
    assert bill(areas, PRICES[name]).amount == decision.bill.amount
    assert sum(shape.patches for shape in shapes) == decision.selected.sum()


@given(drawn=taken_scenes(), name=NAMES, threshold=st.sampled_from([0.0, 0.3, 0.5, 0.9]))
@SAMPLE
def test_bill_of_a_threshold_never_rises_because_patches_are_owned(
    drawn: tuple[Scene, Mask], name: str, threshold: float
) -> None:
    scene, taken = drawn
    objective = Policy(threshold=threshold)
    assert plan(scene, name, objective, taken).bill.amount <= plan(scene, name, objective, None).bill.amount


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_bound_of_the_patches_that_can_be_bought_holds(
    drawn: tuple[Scene, Mask], name: str, objective: Objective
) -> None:
    (utilities, eligible, areas, columns), taken = drawn
    price, taken = PRICES[name], taken & eligible[:, None]
    if price.by_area:
        relaxation = rank_patches(utilities, eligible, areas, price, taken).relaxation
    else:
        relaxation = price_scene(utilities, eligible, areas, columns, price, taken).relaxation
    decision = plan_purchases(utilities, eligible, areas, price, objective, columns, taken)
    sign = -1 if decision.bound.measure == "cost" else 1
    raw = objective.best_value(relaxation, decision.wanted)
    assert sign * decision.bound.reached <= sign * raw + 1e-6
    assert sign * decision.bound.reached <= sign * decision.bound.bound + 1e-6


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_empty_mask_changes_nothing(drawn: tuple[Scene, Mask], name: str, objective: Objective) -> None:
    scene, taken = drawn
    plain, masked = (plan(scene, name, objective, one) for one in (None, np.zeros_like(taken)))
    assert (plain.selected == masked.selected).all()
    assert (plain.bill, plain.bound, plain.reason) == (masked.bill, masked.bound, masked.reason)
    assert plain.reuse_saving == Money(0, "USD")


def column(values: list[float]) -> tuple[NDArray[np.float32], Mask, NDArray[np.float64]]:
    """Return one tile whose first column has these utilities; the others are 0."""
    utilities = np.zeros((1, 16), dtype=np.float32)
    utilities[0, : len(values)] = values
    return utilities, np.ones(1, dtype=np.bool_), np.full((1, 16), PATCH_M2)


def test_shape_encloses_owned_ground_where_two_shapes_cost_more() -> None:
    price, scene = terms(charge="8", summed=False), column([0.9, 0.9, 0.9])
    taken = np.zeros((1, 16), dtype=np.bool_)
    taken[0, 1] = True
    decision = plan_purchases(*scene, price, Policy(threshold=0.5), taken=taken)
    assert decision.selected[0].nonzero()[0].tolist() == [0, 2]
    assert decision.arranged[0].nonzero()[0].tolist() == [0, 1, 2]
    assert decision.bill.amount == plan_purchases(*scene, price, Policy(threshold=0.5)).bill.amount
    margin = margins(decision.selected, scene[2], 1, price, arranged=decision.arranged, taken=taken)
    assert margin.padding[0].nonzero()[0].tolist() == [1]


def test_reuse_saves_the_owned_patches_that_the_objective_would_buy() -> None:
    scene, taken = column([0.9, 0.8, 0.7, 0.2]), np.zeros((1, 16), dtype=np.bool_)
    taken[0, [1, 3]] = True  # 3 is below the threshold: owning it saves nothing
    decision = plan_purchases(*scene, terms(), Policy(threshold=0.5), taken=taken)
    assert decision.bill.amount == Money(6_27, "USD")
    assert decision.reuse_saving == Money(3_14, "USD")
    assert decision.reason == (
        "Buys 2 of 16 patches: utility of at least 0.5; 2 patches are owned or on order already."
    )


def test_reason_to_buy_nothing_is_of_the_patches_that_are_not_owned() -> None:
    taken = np.zeros((1, 16), dtype=np.bool_)
    taken[0, [0, 1]] = True
    decision = plan_purchases(*column([0.9, 0.8, 0.2]), terms(), Policy(threshold=0.5), taken=taken)
    assert decision.reason == (
        "Buys nothing: 2 patches are owned or on order already; of the others, no patch reaches a utility "
        "of 0.5."
    )


@pytest.mark.parametrize(
    "objective",
    [
        Policy(threshold=0.5),
        CostWeight(per_unit=0.0),
        MaxPatches(patches=3),
        MaxCost(limit=Money(5_00, "USD")),
    ],
)
def test_plan_of_owned_ground_buys_nothing_and_says_so(objective: Objective) -> None:
    decision = plan_purchases(*column([0.9]), terms(), objective, taken=np.ones((1, 16), dtype=np.bool_))
    assert not decision.selected.any()
    assert decision.bill.amount == Money(0, "USD")
    assert decision.reason == ("Buys nothing: the whole scene, 16 patches, is owned or on order already.")


def test_reasons_name_what_is_owned_and_what_is_on_order() -> None:
    utilities, eligible, _ = column([0.9, 0.9, 0.9, 0.2])
    masks = np.zeros((3, 1, 16), dtype=np.bool_)
    selected, owned, on_order = masks
    selected[0, 0], owned[0, 1], on_order[0, 2] = True, True, True
    none = np.zeros_like(selected)
    reasons = patch_reasons(utilities, eligible, selected, none, none, Policy(threshold=0.5))
    named = taken_reasons(reasons, owned, on_order)
    assert named[0, :4].tolist() == ["wanted", "already-owned", "already-on-order", "below-threshold"]
