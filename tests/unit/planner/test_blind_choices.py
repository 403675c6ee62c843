"""Patches that the same money buys when nobody looks at the scene, against cases counted by hand."""

from decimal import Decimal

import numpy as np
import pytest

from models.fixed_orders import FIXED_H
from service.money import Money
from service.planner.blind_choices import BlindBuyer, central_first, drawn_at_random
from service.planner.selection_price import selection_price
from service.pricing.billing import PriceTerms
from service.pricing.shape_rules import ShapeRules
from tests.support.prices import PATCH_M2, terms

PATCH = 3_14  # 0.3136 km2 at 10 USD, in cents
WHOLE = np.ones((2, 16), np.bool_)


def buyer(prices: PriceTerms, tiles: int = 2) -> BlindBuyer:
    return BlindBuyer(areas_m2=np.full((tiles, 16), PATCH_M2), columns=tiles, terms=prices)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def test_central_first_gives_every_tile_its_middle_before_a_second_patch() -> None:
    assert central_first(WHOLE)[:5].tolist() == [5, 16 + 5, 6, 16 + 6, 9]
    assert [one % 16 for one in central_first(WHOLE)[::2].tolist()] == list(FIXED_H)


def test_central_first_leaves_out_what_cannot_be_bought() -> None:
    buyable = WHOLE.copy()
    buyable[0, 5] = buyable[1, 6] = False
    assert central_first(buyable)[:3].tolist() == [16 + 5, 6, 9]
    assert len(central_first(buyable)) == 30


def test_drawn_at_random_is_a_fair_order_of_each_tile_that_its_seed_repeats() -> None:
    many = np.ones((4000, 16), np.bool_)
    order = drawn_at_random(many, seed=3)
    assert (order == drawn_at_random(many, seed=3)).all()
    assert not (order == drawn_at_random(many, seed=4)).all()
    assert sorted((order[:4000] // 16).tolist()) == list(range(4000))
    firsts = np.bincount(order[:4000] % 16, minlength=16)
    assert firsts.min() > 180  # 250 expected, standard deviation 15
    assert firsts.max() < 320


@pytest.mark.parametrize(
    ("money", "patches", "cost"),
    [(0, 0, 0), (3_13, 0, 0), (6_27, 2, 6_27), (9_40, 2, 6_27), (9_41, 3, 9_41), (999_99, 32, 100_35)],
)
def test_buy_by_area_spends_no_more_than_the_money(money: int, patches: int, cost: int) -> None:
    bought = buyer(terms()).buy(central_first(WHOLE), usd(money))
    assert (bought.patches, bought.cost) == (patches, usd(cost))


def test_buy_by_area_fills_the_minimum_that_is_paid_anyway() -> None:
    bought = buyer(terms(minimum="2")).buy(central_first(WHOLE), usd(20_00))
    assert (bought.patches, bought.cost) == (6, usd(20_00))
    assert bought.selected.sum(axis=1).tolist() == [3, 3]
    assert buyer(terms(minimum="2")).buy(central_first(WHOLE), usd(19_99)).patches == 0


def test_buy_under_a_minimum_of_each_shape_joins_the_middles() -> None:
    """Two middles of 4 patches, billed 2.5 km2 each: 50.00. One strip of 8 columns costs less."""
    prices = terms(minimum="2.5", scope="shape")
    bought = buyer(prices).buy(central_first(WHOLE), usd(50_18))
    assert bought.cost <= usd(50_18)
    assert bought.selected[:, FIXED_H[:8]].all()  # the two middle rows of both tiles: 16 patches, 50.18
    assert bought.patches == 16


def test_buy_counts_what_lies_in_the_ordered_shapes() -> None:
    """Shapes two patches wide: a first random patch pays for three others."""
    prices = terms(rules=ShapeRules(minimum_width_m=Decimal(1000)))
    order = drawn_at_random(WHOLE[:1], seed=0)
    one = buyer(prices, tiles=1).buy(order, usd(4 * PATCH))
    assert (one.patches, one.cost) == (4, usd(12_54))
    assert one.selected.ravel()[order[0]]


@pytest.mark.parametrize(
    "prices",
    [
        terms(minimum="0.7", scope="shape"),
        terms(charge="8", summed=False),
        terms(rules=ShapeRules(convex=True)),
    ],
)
@pytest.mark.parametrize("tiles", [1, 2])
def test_buy_reports_the_bill_of_what_it_buys(prices: PriceTerms, tiles: int) -> None:
    scene, buyable = buyer(prices, tiles), WHOLE[:tiles]
    everything = selection_price(buyable, scene.areas_m2, tiles, prices)
    for share in (0.0, 0.3, 0.7, 1.0):
        money = usd(round(share * everything.minor))
        bought = scene.buy(drawn_at_random(buyable, seed=1), money)
        assert bought.cost <= money
        assert selection_price(bought.selected, scene.areas_m2, tiles, prices) <= bought.cost
        assert bought.selected.all() == (share == 1.0)
