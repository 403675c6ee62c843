"""Bills of hand-made masks, and the same masks billed by the service."""

from decimal import Decimal

import numpy as np
import pytest

from models.grid import GRID
from service.money import Money
from service.planner.order_shapes import compile_shapes
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.charge_rules import Tier
from training.where.bills import (
    MINIMUMS_KM2,
    USD_PER_KM2,
    Terms,
    billed_km2,
    bills_usd,
    polygons,
    whole_usd,
)

TERMS = Terms(patch_km2=0.25, minimum_km2=1.0)


def mask(*rows: str) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.array([[cell == "x" for cell in row] for row in rows])


def test_patches_that_share_a_corner_are_two_polygons() -> None:
    _, sizes = polygons(mask("x..", ".xx", "..x"))
    assert sizes.tolist() == [1, 3]


def test_each_polygon_is_billed_at_least_the_minimum() -> None:
    assert billed_km2(mask("x...", "..xx", "..xx", "..xx"), TERMS) == 1.0 + 1.5


def test_nothing_costs_nothing_and_no_scene_costs_more_than_the_whole() -> None:
    assert billed_km2(mask("...", "..."), TERMS) == 0
    assert billed_km2(mask("x.x", "...", "x.x"), TERMS) == 9 * 0.25
    assert billed_km2(mask("x"), Terms(patch_km2=0.25, minimum_km2=5)) == 5


@pytest.mark.parametrize("minimum", MINIMUMS_KM2)
def test_bills_equal_those_of_the_service(minimum: float) -> None:
    terms = Terms(patch_km2=0.04, minimum_km2=minimum)
    sold = PriceTerms(
        currency="USD",
        tiers=(Tier(above_km2=Decimal(0), price_per_km2=Decimal(int(USD_PER_KM2))),),
        minimum_km2=Decimal(str(minimum)),
        minimum_applies_to="shape",
    )
    random = np.random.default_rng(0)
    for share in (0.1, 0.3, 0.6):
        tiles = random.random((6, 16)) < share  # two rows of three tiles
        shapes = compile_shapes(tiles, np.full((6, 16), 40_000.0), columns=3)
        areas = whole_cm2(np.array([shape.area_m2 for shape in shapes])).tolist()
        # (tile row, tile column, column, row) -> (tile row, row, tile column, column)
        laid = tiles.reshape(2, 3, GRID, GRID).transpose(0, 3, 1, 2).reshape(2 * GRID, 3 * GRID)
        whole = whole_usd([laid], terms)[0]
        dollars = bills_usd([laid], terms)[0]
        amount = bill(areas, sold).amount
        assert min(amount, Money(round(100 * whole), "USD")).minor == pytest.approx(100 * dollars)
