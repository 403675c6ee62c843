"""The bill for the delivered patches of an order, by area and by shape."""

import numpy as np
import pytest
from affine import Affine

from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.orders.final_bill import Arrived, bill_arrived
from service.pricing.billing import PriceTerms
from tests.support.prices import terms

GRID = TileGrid(columns=2, rows=1, tile_px=224, transform=Affine(10, 0, 5e5, 0, -10, 5e6), crs="EPSG:32633")
FIRST, SECOND, FAR = (0, 0), (0, 1), (1, 15)  # the first two touch
LARGE = Money(9_999_00, "USD")


def arrived(
    prices: PriceTerms, *came: tuple[int, int], planned: Money = LARGE, settled: int = 0, own: bool = False
) -> Arrived:
    """Return an order of three patches of about 0.31 km2 each, of which some came."""
    selected, delivered = np.zeros((2, 2, 16), dtype=np.bool_)
    for place in (FIRST, SECOND, FAR):
        selected[place] = True
    for place in came:
        delivered[place] = True
    return Arrived(
        selected=selected,
        arranged=selected,
        delivered=delivered,
        grid=GRID,
        terms=prices,
        planned=planned,
        settled=Money(settled, "USD"),
        has_own_prices=own,
    )


def test_bill_by_area_has_one_minimum() -> None:
    for came in ((FIRST,), (FIRST, FAR), (FIRST, SECOND, FAR)):
        assert bill_arrived(arrived(terms(minimum="100"), *came)).billed == Money(1_000_00, "USD")


@pytest.mark.parametrize(
    ("came", "minimums"), [((FIRST,), 1), ((FIRST, SECOND), 1), ((FAR,), 1), ((FIRST, FAR), 2)]
)
def test_bill_by_shape_has_a_minimum_for_each_shape_that_came(
    came: tuple[tuple[int, int], ...], minimums: int
) -> None:
    found = bill_arrived(arrived(terms(minimum="1", scope="shape"), *came))

    assert found.billed == Money(10_00 * minimums, "USD")
    assert found.patches == len(came)


def test_bill_by_shape_of_every_patch_is_that_of_its_shapes() -> None:
    found = bill_arrived(arrived(terms(minimum="0.5", scope="shape"), FIRST, SECOND, FAR))

    patches = GRID.patch_areas_m2()
    pair = (patches[FIRST] + patches[SECOND]) / 1e6
    assert found.billed == Money(round(1000 * (pair + 0.5)), "USD")


def test_bill_is_at_most_the_plans_cost() -> None:
    found = bill_arrived(arrived(terms(minimum="100"), FIRST, planned=Money(7_00, "USD")))

    assert found.billed == Money(7_00, "USD")


def test_difference_is_what_was_not_settled_and_never_negative() -> None:
    prices = terms(minimum="100")

    assert bill_arrived(arrived(prices, FIRST, settled=250_00)).difference == Money(750_00, "USD")
    assert bill_arrived(arrived(prices, FIRST, settled=1_200_00)).difference == Money(0, "USD")


def test_own_prices_are_the_bill() -> None:
    found = bill_arrived(arrived(terms(minimum="100"), FIRST, settled=250_00, own=True))

    assert (found.billed, found.difference, found.basis) == (
        Money(250_00, "USD"), Money(0, "USD"), "prices",
    )  # fmt: skip
