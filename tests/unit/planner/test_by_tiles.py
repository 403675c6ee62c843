"""Properties of plans of several tiles whose price depends on shapes, over random scenes."""

from itertools import product

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.planner.by_area import decide_by_area
from service.planner.candidates import price_scene
from service.planner.objectives import CostWeight, Objective
from service.planner.order_shapes import compile_order, compile_shapes, lattice_of
from service.planner.tile_orders import BITS, legal_shapes
from service.pricing.areas import to_cm2, whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.charge_rules import Bill
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules
from tests.support.prices import PATCH_M2, terms
from tests.support.tiled_scenes import OBJECTIVES, PRICES, SAMPLE, Scene, allowed, plan, scenes, value


def order(
    scene: Scene, price: PriceTerms, selected: NDArray[np.bool_], arranged: NDArray[np.bool_] | None = None
) -> Bill:
    """Bill the polygons that the provider receives."""
    shapes = compile_order(selected, scene[2], scene[3], price, arranged)
    return bill([int(whole_cm2(np.array(shape.area_m2))) for shape in shapes], price)


@given(scene=scenes(), name=st.sampled_from(sorted(PRICES)), objective=OBJECTIVES)
@SAMPLE
def test_plan_is_no_worse_than_nothing_everything_or_the_plan_by_area(
    scene: Scene, name: str, objective: Objective
) -> None:
    price = PRICES[name]
    utilities, eligible, areas, columns = scene
    decision = plan(scene, price, objective)
    everything = np.repeat(eligible[:, None], 16, axis=1)
    none = np.zeros_like(everything)
    priced = price_scene(utilities, eligible, areas, columns, price, none)
    flat = decide_by_area(priced.plan_by_area, objective).selected
    for rival in (np.zeros_like(everything), everything, flat):
        cost = order(scene, price, rival)
        if allowed(scene, rival, cost, objective):
            reached = value(scene, decision.selected, decision.bill, objective)
            assert reached >= value(scene, rival, cost, objective) - 1e-6


def test_plan_by_area_is_compared_in_its_best_shapes() -> None:
    # By quick prices two other sets come before it.
    utilities = np.full((6, 16), 0.5, dtype=np.float32)
    for tile, patch in ((0, 0), (0, 1), (0, 11), (1, 14), (2, 3), (5, 3), (5, 9)):
        utilities[tile, patch] = 0
    areas = PATCH_M2 * (1 + 1e-5 * np.linspace(0, 1, utilities.size).reshape(utilities.shape))
    scene = utilities, np.ones(6, dtype=np.bool_), areas, 3
    price, objective = PRICES["rectangles with a minimum"], CostWeight(per_unit=0.1497446)
    decision, flat = plan(scene, price, objective), utilities > 0

    reached = value(scene, decision.selected, decision.bill, objective)
    assert reached >= value(scene, flat, order(scene, price, flat), objective) - 1e-6


@given(scene=scenes(), name=st.sampled_from(sorted(PRICES)), objective=OBJECTIVES)
@SAMPLE
def test_plan_keeps_its_limits_and_costs_what_its_shapes_cost(
    scene: Scene, name: str, objective: Objective
) -> None:
    decision = plan(scene, PRICES[name], objective)
    assert allowed(scene, decision.selected, decision.bill, objective)
    assert not decision.selected[~scene[1]].any()
    assert not (decision.filled & ~decision.selected).any()
    assert decision.wanted + np.count_nonzero(decision.filled) == np.count_nonzero(decision.selected)
    assert order(scene, PRICES[name], decision.selected, decision.arranged) == decision.bill
    assert decision.bound.gap >= 0
    assert (decision.selected == plan(scene, PRICES[name], objective).selected).all()


@given(scene=scenes(), name=st.sampled_from(sorted(PRICES)), data=st.data())
@SAMPLE
def test_order_shapes_are_legal_and_contain_the_bought_patches(
    scene: Scene, name: str, data: st.DataObject
) -> None:
    price, (utilities, eligible, areas, columns) = PRICES[name], scene
    selected = data.draw(npst.arrays(np.bool_, utilities.shape)) & eligible[:, None]
    shapes = compile_order(selected, areas, columns, price)
    rows, cols = np.nonzero(lattice_of(selected, columns))
    bought = shapely.union_all(shapely.box(cols, rows, cols + 1, rows + 1))
    assert bought.difference(shapely.union_all([shape.polygon for shape in shapes])).is_empty
    for shape in shapes:
        assert shape.polygon.is_valid
        assert shape.padding_m2 >= 0
        assert shape.polygon.area * PATCH_M2 == pytest.approx(shape.area_m2, rel=2e-5)
        check_rules(shape.polygon, price.rules)


def check_rules(polygon: shapely.Polygon, rules: ShapeRules) -> None:
    assert not rules.convex or polygon.equals(polygon.envelope)
    assert rules.holes or not polygon.interiors
    if rules.max_vertices is not None:
        corners = sum(len(ring.coords) - 1 for ring in (polygon.exterior, *polygon.interiors))
        assert corners <= rules.max_vertices
    side = max(1, int(np.ceil(float(rules.minimum_width_m) / PATCH_M2**0.5)))
    left, top, right, bottom = (int(edge) for edge in polygon.bounds)
    starts = product(range(left, right - side + 1), range(top, bottom - side + 1))
    squares = [shapely.box(x, y, x + side, y + side) for x, y in starts]
    inside = [square for square in squares if polygon.covers(square)]
    assert shapely.union_all(inside).equals(polygon)


# The bound, against orders made without the planner.


@given(
    scene=scenes(),
    name=st.sampled_from([name for name in sorted(PRICES) if PRICES[name].rules == ANY_SHAPE]),
    objective=OBJECTIVES,
    data=st.data(),
)
@SAMPLE
def test_bound_is_not_exceeded_by_any_order(
    scene: Scene, name: str, objective: Objective, data: st.DataObject
) -> None:
    price, (utilities, eligible, areas, columns) = PRICES[name], scene
    selected = data.draw(npst.arrays(np.bool_, utilities.shape)) & eligible[:, None]
    shapes = compile_shapes(selected, areas, columns)
    cost = bill([int(whole_cm2(np.array(shape.area_m2))) for shape in shapes], price)
    if allowed(scene, selected, cost, objective):
        bound = plan(scene, price, objective).bound
        limit = -bound.bound if bound.measure == "cost" else bound.bound
        assert value(scene, selected, cost, objective) <= limit + 1e-6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weight", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("minimum", [0.0, 0.7, 2.0])
def test_bound_is_not_exceeded_by_any_pair_of_shapes_in_two_tiles(
    seed: int, weight: float, minimum: float
) -> None:
    """Combine 2,000 connected choices of one tile with all rectangles of the other, joined if they touch."""
    utilities = np.random.default_rng(seed).random((2, 16)).astype(np.float32)
    connected = np.random.default_rng(seed).permutation(legal_shapes(ANY_SHAPE, 1))[:2000]
    rectangles = legal_shapes(ShapeRules(convex=True), 1)
    one, other = (each.ravel() for each in np.meshgrid(connected, rectangles))
    price = terms(minimum=str(minimum or "0.3"), scope="shape")
    patch = int(whole_cm2(np.array(PATCH_M2)))
    sizes = BITS.sum(axis=1)
    touching = (one >> 12) & other & 0xF > 0  # the last column of the left tile, the first of the right one
    least = to_cm2(price.minimum_km2)
    together = np.maximum((sizes[one] + sizes[other]) * patch, least)
    apart = np.maximum(sizes[one] * patch, least) + np.maximum(sizes[other] * patch, least)
    paid = np.where(touching, together, apart) * 10 / 1e10
    worth = (BITS @ utilities[0].astype(np.float64))[one] + (BITS @ utilities[1].astype(np.float64))[other]
    scene = (utilities, np.ones(2, dtype=bool), np.full((2, 16), PATCH_M2), 2)
    decision = plan(scene, price, CostWeight(per_unit=weight))
    highest = (worth - weight * paid).max()
    assert highest <= decision.bound.bound + weight * 0.01
    assert decision.bound.reached >= highest - 0.35  # a third of a patch


@given(scene=scenes(), name=st.sampled_from(sorted(PRICES)), objective=OBJECTIVES)
@SAMPLE
def test_raw_bound_is_not_exceeded_by_the_plan(scene: Scene, name: str, objective: Objective) -> None:
    priced = price_scene(*scene, PRICES[name], np.zeros(scene[0].shape, dtype=np.bool_))
    decision = plan(scene, PRICES[name], objective)
    bound = decision.bound
    raw = objective.best_value(priced.relaxation, decision.wanted)
    sign = -1 if bound.measure == "cost" else 1
    assert sign * bound.reached <= sign * raw + 1e-6
