"""What a provider bills: exact, monotone, rounded once."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.money import to_minor
from service.pricing.billing import (
    CM2_PER_KM2,
    Scope,
    Terms,
    bill,
    list_prices,
    order_prices,
    whole_cm2,
)

AREAS = st.integers(0, 10**14)  # up to 10,000 km2
PRICES = st.decimals("0.000001", "9999", places=6)
MINIMA = st.decimals(0, 100, places=6)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
TERMS = st.builds(
    Terms,
    currency=CURRENCIES,
    price_per_km2=PRICES,
    minimum_km2=MINIMA,
    minimum_applies_to=st.sampled_from(["order", "shape"]),
)


def terms(price: str = "10", minimum: str = "0", scope: Scope = "order", currency: str = "USD") -> Terms:
    return Terms(
        currency=currency,
        price_per_km2=Decimal(price),
        minimum_km2=Decimal(minimum),
        minimum_applies_to=scope,
    )


@pytest.mark.parametrize(
    ("km2", "minimum", "expected"),
    [
        # A 4-of-16 selection of a 5.02 km2 scene: what minimum areas do to a "75 %" saving.
        ("1.2544", "0", "12.54"),
        ("1.2544", "1", "12.54"),
        ("1.2544", "5", "50.00"),
        ("5.0176", "5", "50.18"),
        ("1.2544", "25", "250.00"),
        ("0", "25", "0.00"),  # an empty order is no order
    ],
)
def test_an_order_is_billed_for_its_area_or_the_minimum(km2: str, minimum: str, expected: str) -> None:
    area = int(Decimal(km2) * CM2_PER_KM2)
    assert bill([area], terms(minimum=minimum)).amount.amount == expected


def test_a_minimum_per_order_counts_once_and_one_per_shape_counts_each_time() -> None:
    shapes = [CM2_PER_KM2, 2 * CM2_PER_KM2]
    assert bill(shapes, terms(minimum="5")).amount.amount == "50.00"
    per_shape = bill(shapes, terms(minimum="5", scope="shape"))
    assert per_shape.amount.amount == "100.00"
    assert [(line.area_km2, line.billable_km2) for line in per_shape.lines] == [
        (Decimal(1), Decimal(5)),
        (Decimal(2), Decimal(5)),
    ]


@pytest.mark.parametrize("scope", ["order", "shape"])
def test_the_bill_is_rounded_once_not_per_shape(scope: Scope) -> None:
    # Three shapes of 0.0004 km2 cost 0.4 cent each: 0 cents if each is rounded, 1 cent together.
    shapes = [4_000_000] * 3
    assert list_prices(shapes, terms()) == [0, 0, 0]
    assert bill(shapes, terms(scope=scope)).amount.minor == 1


def test_halves_are_rounded_up() -> None:
    assert list_prices([5_000_000, 4_999_999], terms()) == [1, 0]


@pytest.mark.parametrize(("currency", "minor"), [("USD", 1250), ("JPY", 13), ("KWD", 12500)])
def test_amounts_are_in_the_minor_unit_of_the_currency(currency: str, minor: int) -> None:
    assert list_prices([CM2_PER_KM2 + CM2_PER_KM2 // 4], terms(currency=currency)) == [minor]


def test_a_negative_area_is_refused() -> None:
    with pytest.raises(ValueError, match="negative area"):
        bill([-1], terms())


def test_square_metres_become_whole_square_centimetres() -> None:
    assert whole_cm2(np.array([[6400.00004, 6399.99996]])).tolist() == [[64_000_000, 64_000_000]]


@given(area=AREAS, terms=TERMS)
def test_list_prices_agree_with_decimal_arithmetic(area: int, terms: Terms) -> None:
    exact = Decimal(area).scaleb(-10) * terms.price_per_km2
    assert list_prices([area], terms) == [to_minor(exact, terms.currency)]


@given(areas=st.lists(AREAS, min_size=2, max_size=2), terms=TERMS)
def test_a_larger_order_never_costs_less(areas: list[int], terms: Terms) -> None:
    small, large = order_prices(sorted(areas), terms)
    assert small <= large


@given(shapes=st.lists(AREAS, max_size=6), terms=TERMS, factor=st.integers(1, 9))
def test_a_higher_price_never_bills_less(shapes: list[int], terms: Terms, factor: int) -> None:
    dearer = Terms(
        currency=terms.currency,
        price_per_km2=terms.price_per_km2 * factor,
        minimum_km2=terms.minimum_km2,
        minimum_applies_to=terms.minimum_applies_to,
    )
    assert bill(shapes, terms).amount.minor <= bill(shapes, dearer).amount.minor


@given(shapes=st.lists(AREAS, min_size=1, max_size=6), terms=TERMS)
def test_one_order_never_costs_more_than_an_order_for_each_shape(shapes: list[int], terms: Terms) -> None:
    apart = [bill([shape], terms) for shape in shapes]
    together = bill(shapes, terms)
    assert together.billable_km2 <= sum(one.billable_km2 for one in apart)
    assert together.area_km2 == sum(one.area_km2 for one in apart)


@given(shapes=st.lists(AREAS, max_size=6), terms=TERMS)
def test_the_lines_of_a_bill_add_up(shapes: list[int], terms: Terms) -> None:
    result = bill(shapes, terms)
    assert result.area_km2 == sum(line.area_km2 for line in result.lines)
    assert result.billable_km2 == sum(line.billable_km2 for line in result.lines)
    assert all(line.billable_km2 >= max(line.area_km2, terms.minimum_km2) for line in result.lines)
