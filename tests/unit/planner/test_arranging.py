"""Shapes of a scene against divisions that anyone can draw, and against the exact optimum of small scenes."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.planner.arranging import ARRANGEMENTS, arrange_quickly, arrange_shapes
from service.planner.order_shapes import compile_order
from service.planner.scene_orders import (
    SceneOrders,
    covered,
    covered_patches,
    on_lattice,
    price_of_shapes,
    scene_orders,
)
from service.planner.tile_layouts import arrange_by_tile
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.shape_rules import ShapeRules
from tests.support.drawn_shapes import cheapest_connected, cheapest_rectangles, hand_drawn
from tests.support.prices import PATCH_M2, terms
from tests.support.tiled_scenes import PRICES, SAMPLE

CONNECTED: dict[str, PriceTerms] = {
    "minimum of 2.5 km2": terms(minimum="2.5", scope="shape"),
    "minimum of a patch and a half": terms(minimum="0.47", scope="shape"),
    "each shape an order": terms(charge="8", summed=False),
    "cheaper beyond a limit": terms(beyond={"1": "4"}, minimum="0.5", summed=False),
}
RECTANGLES: dict[str, PriceTerms] = {
    "rectangles with a minimum": terms(minimum="1", scope="shape", rules=ShapeRules(convex=True)),
    "rectangles, each an order": terms(charge="5", summed=False, rules=ShapeRules(convex=True)),
    "two patches wide": terms(
        minimum="2", scope="shape", rules=ShapeRules(minimum_width_m=Decimal(1000), convex=True)
    ),
}


def scene_of(tiles: int, columns: int, price: PriceTerms) -> SceneOrders:
    return scene_orders(np.full((tiles, 16), PATCH_M2), columns, price)


def scattered(seed: int, tiles: int, patches: int) -> NDArray[np.bool_]:
    """Choose patches (T, 16) anywhere."""
    chosen = np.zeros((tiles, 16), dtype=np.bool_)
    chosen.flat[np.random.default_rng(seed).choice(chosen.size, patches, replace=False)] = True
    return chosen


def check_connected(price: PriceTerms, seed: int, patches: int) -> None:
    orders, chosen = scene_of(2, 2, price), scattered(seed, 2, patches)
    found = arrange_shapes(orders, chosen).amount.minor
    assert found <= cheapest_connected(orders, on_lattice(orders, chosen)) + patches  # rounding


def check_rectangles(price: PriceTerms, seed: int, patches: int) -> None:
    orders, chosen = scene_of(4, 2, price), scattered(seed, 4, patches)
    found = arrange_shapes(orders, chosen).amount.minor
    assert found <= 1.1 * cheapest_rectangles(orders, on_lattice(orders, chosen))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("price", CONNECTED.values(), ids=CONNECTED)
def test_connected_shapes_are_exact_around_a_few_parts(price: PriceTerms, seed: int) -> None:
    check_connected(price, seed, 8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("price", RECTANGLES.values(), ids=RECTANGLES)
def test_rectangles_cost_at_most_a_tenth_more_than_the_exact_optimum(price: PriceTerms, seed: int) -> None:
    for patches in (4, 9):
        check_rectangles(price, seed, patches)


@given(
    name=st.sampled_from(sorted(PRICES)),
    size=st.sampled_from([(2, 2), (6, 3), (12, 2), (30, 6)]),
    share=st.sampled_from([0.03, 0.1, 0.3, 0.7]),
    seed=st.integers(0, 1000),
)
@example(name="two patches wide", size=(12, 2), share=0.1, seed=1)  # shrunk rectangles merged once more
@SAMPLE
def test_shapes_are_no_dearer_than_rows_columns_a_box_or_single_tiles(
    name: str, size: tuple[int, int], share: float, seed: int
) -> None:
    price, (tiles, columns) = PRICES[name], size
    orders = scene_of(tiles, columns, price)
    chosen = scattered(seed, tiles, max(1, int(share * tiles * 16)))
    layout = arrange_shapes(orders, chosen)
    assert (covered(orders, layout) >= chosen).all()
    assert layout.amount == price_of_shapes(layout.areas_cm2, price)
    assert layout.amount <= arrange_quickly(orders, chosen).amount
    assert layout.amount <= arrange_by_tile(orders, chosen).amount
    for areas in hand_drawn(orders, on_lattice(orders, chosen)):
        assert layout.amount.minor <= price_of_shapes(areas, price).minor + len(areas)  # rounding


def test_distant_patches_share_a_minimum_through_a_path_of_padding() -> None:
    # A path of five patches joins two in different tiles: with them 7 of the 9 that a minimum pays for.
    price = terms(minimum=f"{9 * PATCH_M2 / 1e6:.6f}", scope="shape")
    orders, chosen = scene_of(2, 2, price), np.zeros((2, 16), dtype=np.bool_)
    chosen[0, 0], chosen[1, 2] = True, True  # row 0 and column 0, row 2 and column 4
    assert arrange_by_tile(orders, chosen).areas_cm2.tolist() == [15 * int(whole_cm2(np.array(PATCH_M2)))]
    layout = arrange_shapes(orders, chosen)
    assert layout.areas_cm2.tolist() == [7 * int(whole_cm2(np.array(PATCH_M2)))]


def test_two_clusters_are_two_shapes() -> None:
    price, chosen = terms(minimum="2.5", scope="shape"), np.zeros((36, 16), dtype=np.bool_)
    chosen[[0, 0, 1, 6, 7], [0, 15, 3, 12, 5]] = True
    chosen[[28, 29, 34, 35], [10, 3, 12, 2]] = True
    orders = scene_of(36, 6, price)
    assert arrange_by_tile(orders, chosen).amount.minor > 2 * arrange_shapes(orders, chosen).amount.minor
    assert len(arrange_shapes(orders, chosen).areas_cm2) == 2


def test_rows_of_eligible_tiles_are_one_rectangle_each() -> None:
    price = terms(minimum="25", scope="shape", rules=ShapeRules(convex=True))
    chosen = np.zeros((400, 16), dtype=np.bool_)
    chosen[np.arange(400) // 20 % 4 == 0] = True
    layout = arrange_shapes(scene_of(400, 20, price), chosen)
    assert layout.amount.minor == round(5 * 20 * 16 * PATCH_M2 / 1000)


def test_stored_plan_keeps_the_shapes_that_it_was_billed_for() -> None:
    price, chosen = terms(minimum="2.5", scope="shape"), np.zeros((2, 16), dtype=np.bool_)
    chosen[0, 0], chosen[1, 2] = True, True
    areas = np.full((2, 16), PATCH_M2)
    billed = {
        number: bill(
            [
                int(whole_cm2(np.array(shape.area_m2)))
                for shape in compile_order(chosen, areas, 2, price, arrangement=number)
            ],
            price,
        ).amount.minor
        for number in (0, 1, 2)
    }
    assert billed == {0: 4704, 1: 2500, 2: 2500}


def test_rectangles_end_between_equal_columns_where_each_pays_for_a_minimum() -> None:
    """Two patches side by side are in a rectangle each: two of 3 x 2 instead of 3 x 3 and 2 x 2 patches."""
    orders, cells = scene_of(4, 2, RECTANGLES["two patches wide"]), np.zeros((8, 8), dtype=np.bool_)
    cells[[1, 3, 3, 5], [1, 2, 3, 4]] = True
    chosen = covered_patches(orders, cells)
    bills = [arrange(orders, chosen).amount.minor for arrange in ARRANGEMENTS[1:]]
    assert bills == [4822, 4000]
    for numbered, expected in zip((1, 2), bills, strict=True):
        shapes = compile_order(
            chosen, np.full((4, 16), PATCH_M2), 2, RECTANGLES["two patches wide"], arrangement=numbered
        )
        assert (
            bill([int(whole_cm2(np.array(one.area_m2))) for one in shapes], orders.terms).amount.minor
            == expected
        )


class EnoughError(Exception):
    """The caller no longer wants a plan."""


@pytest.mark.parametrize("price", [*CONNECTED.values(), *RECTANGLES.values()], ids=[*CONNECTED, *RECTANGLES])
def test_search_ends_at_any_of_its_checks(price: PriceTerms) -> None:
    """A search that asks too seldom once held a stopping server until its answer was cut."""
    chosen, calls = scattered(3, 100, 300), list[int]()

    def count() -> None:
        calls.append(1)

    arrange_shapes(scene_orders(np.full((100, 16), PATCH_M2), 10, price, count), chosen)
    assert len(calls) > 10

    for left in range(0, len(calls), 1 + len(calls) // 8):
        moments = iter([False] * left + [True])

        def stop(moments: Iterator[bool] = moments) -> None:
            if next(moments):
                raise EnoughError

        with pytest.raises(EnoughError):
            arrange_shapes(scene_orders(np.full((100, 16), PATCH_M2), 10, price, stop), chosen)
