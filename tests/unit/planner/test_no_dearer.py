"""No plan costs more than everything, and none is beaten by a plan of another objective that it allows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.money import Money
from service.planner import plan_purchases
from service.planner.decision import Decision
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective
from service.planner.order_shapes import compile_order
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from tests.support.prices import PATCH_M2, terms
from tests.support.tiled_scenes import OBJECTIVES, SAMPLE, Scene, scenes
from tests.unit.planner.test_taken_patches import NAMES, Mask, plan, taken_scenes


def even_scene(seed: int, tiles: int, columns: int, power: float = 1) -> Scene:
    utilities = (np.random.default_rng(seed).random((tiles, 16)) ** power).astype(np.float32)
    return utilities, np.ones(tiles, dtype=np.bool_), np.full((tiles, 16), PATCH_M2), columns


def decide(scene: Scene, price: PriceTerms, objective: Objective, taken: Mask | None = None) -> Decision:
    utilities, eligible, areas, columns = scene
    return plan_purchases(utilities, eligible, areas, price, objective, columns, taken)


def worth(scene: Scene, decision: Decision) -> float:
    return float(scene[0][decision.selected].astype(np.float64).sum())


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_no_plan_costs_more_than_everything(
    drawn: tuple[Scene, Mask], name: str, objective: Objective
) -> None:
    scene, taken = drawn
    decision = plan(scene, name, objective, taken)
    assert decision.bill.amount <= decision.everything.amount
    assert decision.billable_saving.minor >= 0


@given(drawn=taken_scenes(), name=NAMES, objective=OBJECTIVES)
@SAMPLE
def test_reuse_saves_no_more_than_the_plan_without_reuse_costs(
    drawn: tuple[Scene, Mask], name: str, objective: Objective
) -> None:
    scene, taken = drawn
    usual, decision = plan(scene, name, objective, None), plan(scene, name, objective, taken)
    assert 0 <= decision.reuse_saving.minor <= usual.bill.amount.minor
    assert decision.bill.amount + decision.reuse_saving + decision.billable_saving == usual.everything.amount


@given(scene=scenes(), name=NAMES, weight=st.sampled_from([0.01, 0.05, 0.2]), objective=OBJECTIVES)
@SAMPLE
def test_plan_under_a_lambda_is_not_beaten_by_what_its_cost_buys(
    scene: Scene, name: str, weight: float, objective: Objective
) -> None:
    best = plan(scene, name, CostWeight(per_unit=weight), None)
    for rival in (MaxCost(limit=best.bill.amount), objective):
        other = plan(scene, name, rival, None)
        if other.bill.amount <= best.bill.amount:
            # Up to a fiftieth: the rankings of the two objectives are searched at other lengths.
            assert worth(scene, other) <= 1.02 * worth(scene, best) + 1e-6


def test_three_patches_of_a_tile_cost_no_more_than_the_tile() -> None:
    # As `example-30cm-tasking`: 25 km2 at least per shape.
    price = terms("112", minimum="25", scope="shape")
    scene = even_scene(0, 1, 1)
    scene[0][:] = 0.1
    scene[0][0, [0, 10, 15]] = 0.9
    decision = decide(scene, price, MaxPatches(patches=3))
    assert decision.selected.sum() == 3
    assert decision.bill.amount == decision.everything.amount == Money(2800_00, "USD")
    assert decision.reason.endswith("; the whole scene would cost no more (2800.00 USD).")
    shapes = compile_order(decision.selected, scene[2], 1, price, decision.arranged)
    assert sum(shape.patches for shape in shapes) == 3
    assert bill([int(whole_cm2(np.array(one.area_m2))) for one in shapes], price) == decision.bill


def test_second_round_of_few_patches_costs_no_more_than_everything() -> None:
    scene, price = even_scene(3, 12, 4), terms("10", minimum="5", scope="shape")
    taken = np.zeros((12, 16), dtype=np.bool_)
    taken[:, ::3] = True
    decision = decide(scene, price, MaxPatches(patches=27), taken)
    assert decision.selected.sum() == 27
    assert decision.bill.amount <= decision.everything.amount


def test_notice_about_the_whole_scene_is_kept_where_patches_are_owned() -> None:
    scene, taken = even_scene(3, 2, 2), np.zeros((2, 16), dtype=np.bool_)
    taken[0, 0] = True
    decision = decide(scene, terms("10", minimum="25", scope="shape"), MaxPatches(patches=3), taken)
    assert "the whole scene would cost no more" in decision.reason


@pytest.mark.parametrize("seed", range(3))
def test_areas_that_differ_by_a_thousandth_are_compared_in_all_choices(seed: int) -> None:
    utilities, eligible, areas, columns = even_scene(seed, 1, 1)
    areas = areas * (1 + 0.001 * np.linspace(0, 1, 16))
    choices = (np.arange(1 << 16)[:, None] >> np.arange(16)) & 1
    amounts = choices @ whole_cm2(areas)[0] / 1e10 * 10
    gains = choices @ utilities[0].astype(np.float64)
    for limit in (12_55, 21_96, 31_37):
        found = decide((utilities, eligible, areas, columns), terms(), MaxCost(limit=Money(limit, "USD")))
        best = gains[np.floor(amounts * 100 + 0.5) <= limit].max()
        assert float(utilities[found.selected].astype(np.float64).sum()) == pytest.approx(best)
