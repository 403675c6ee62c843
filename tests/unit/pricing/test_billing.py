"""Bills: exact, monotone, rounded once; and their lower bounds and explanations."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.currencies import decimals_of
from service.money import LARGEST_MINOR, Money
from service.pricing.areas import CM2_PER_KM2, whole_cm2
from service.pricing.billing import PriceTerms, bill, in_range, list_price, order_price, tariff_of
from service.pricing.charge_rules import Scope, Tier
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules
from tests.support.prices import scene_price, terms

AREAS = st.integers(0, 10**14)  # up to 10,000 km2
PRICES = st.decimals("0.000001", "9999", places=6)
MINIMA = st.decimals(0, 100, places=6)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
LIMITS = st.lists(st.decimals("0.000001", "9999", places=6), max_size=3, unique=True).map(sorted)


@st.composite
def tiers_of_any_kind(draw: st.DrawFn) -> tuple[Tier, ...]:
    limits = [Decimal(0), *draw(LIMITS)]
    return tuple(Tier(above_km2=limit, price_per_km2=draw(PRICES)) for limit in limits)


TERMS = st.builds(
    PriceTerms,
    currency=CURRENCIES,
    tiers=tiers_of_any_kind(),
    flat=st.sampled_from([Decimal(0), Decimal("12.345678")]),
    minimum_km2=MINIMA,
    minimum_applies_to=st.sampled_from(["order", "shape"]),
    minimum_charge=st.sampled_from([Decimal(0), Decimal("99.999999")]),
    areas_summed=st.booleans(),
)


TIERED = terms("8.5", beyond={"500": "7", "1000": "5"})


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
def test_bill_counts_the_area_or_the_minimum(km2: str, minimum: str, expected: str) -> None:
    area = int(Decimal(km2) * CM2_PER_KM2)
    assert bill([area], terms(minimum=minimum)).amount.amount == expected


def test_minimum_per_order_counts_once_and_per_shape_every_time() -> None:
    shapes = [CM2_PER_KM2, 2 * CM2_PER_KM2]
    assert bill(shapes, terms(minimum="5")).amount.amount == "50.00"
    per_shape = bill(shapes, terms(minimum="5", scope="shape"))
    assert per_shape.amount.amount == "100.00"
    assert [(line.area_km2, line.billable_km2) for line in per_shape.lines] == [
        (Decimal(1), Decimal(5)),
        (Decimal(2), Decimal(5)),
    ]


@pytest.mark.parametrize(
    ("km2", "expected"),
    [(500, "4250.00"), (501, "4257.00"), (1000, "7750.00"), (1002, "7760.00"), (1, "8.50")],
)
def test_tiers_price_only_the_area_beyond_their_limit(km2: int, expected: str) -> None:
    assert bill([km2 * CM2_PER_KM2], TIERED).amount.amount == expected


def test_shapes_reach_a_tier_together_only_on_a_shared_invoice() -> None:
    shapes = [400 * CM2_PER_KM2] * 2
    assert bill(shapes, TIERED).amount.amount == "6350.00"
    assert bill(shapes, replace(TIERED, areas_summed=False)).amount.amount == "6800.00"


@pytest.mark.parametrize(
    ("km2", "expected"), [("1", "75.00"), ("7.5", "75.00"), ("7.6", "76.00"), ("0", "0.00")]
)
def test_bill_is_at_least_the_minimum_charge(km2: str, expected: str) -> None:
    area = int(Decimal(km2) * CM2_PER_KM2)
    assert bill([area], terms(charge="75")).amount.amount == expected


def test_minimum_charge_applies_once_per_invoice() -> None:
    shapes = [CM2_PER_KM2] * 3
    assert bill(shapes, terms(charge="75")).amount.amount == "75.00"
    assert bill(shapes, terms(charge="75", summed=False)).amount.amount == "225.00"


def test_scene_price_is_independent_of_the_area() -> None:
    scene = scene_price("113")
    amounts = [bill([area], scene).amount.amount for area in (0, 1, CM2_PER_KM2, 900 * CM2_PER_KM2)]
    assert amounts == ["0.00", "113.00", "113.00", "113.00"]


@pytest.mark.parametrize("scope", ["order", "shape"])
def test_bill_is_rounded_once_per_invoice(scope: Scope) -> None:
    # Three shapes of 0.0004 km2 cost 0.4 cent each: 0 cents if each is rounded, 1 cent together.
    shapes = [4_000_000] * 3
    assert bill(shapes, terms(scope=scope)).amount.minor == 1
    assert bill(shapes, terms(scope=scope, summed=False)).amount.minor == 0


def test_order_price_rounds_halves_up() -> None:
    assert [order_price(area, terms()).minor for area in (5_000_000, 4_999_999)] == [1, 0]


@pytest.mark.parametrize(("currency", "minor"), [("USD", 1250), ("JPY", 13), ("KWD", 12500)])
def test_order_price_is_in_the_minor_unit_of_the_currency(currency: str, minor: int) -> None:
    area = CM2_PER_KM2 + CM2_PER_KM2 // 4
    assert order_price(area, terms(currency=currency)) == Money(minor, currency)


def test_list_price_ignores_minimums() -> None:
    assert list_price(CM2_PER_KM2, terms(minimum="5", charge="75")) == Money(1000, "USD")


@pytest.mark.parametrize("limits", [("1",), ("0", "5", "5"), ("0", "5", "4")])
def test_tariff_rejects_tiers_that_do_not_ascend_from_0(limits: tuple[str, ...]) -> None:
    wrong = tuple(Tier(above_km2=Decimal(limit), price_per_km2=Decimal(1)) for limit in limits)
    with pytest.raises(ValueError, match="ascend from 0"):
        tariff_of(replace(terms(), tiers=wrong))


def test_bill_rejects_a_negative_area() -> None:
    with pytest.raises(ValueError, match="negative area"):
        bill([-1], terms())


def test_whole_cm2_rounds_to_whole_square_centimetres() -> None:
    assert whole_cm2(np.array([[6400.00004, 6399.99996]])).tolist() == [[64_000_000, 64_000_000]]


def by_fractions(area_cm2: int, terms: PriceTerms) -> int:
    """Price an invoice by its definition, without the code under test."""
    if not area_cm2:
        return 0
    km2 = max(Fraction(area_cm2, CM2_PER_KM2), Fraction(terms.minimum_km2))
    ends = [Fraction(tier.above_km2) for tier in terms.tiers[1:]] + [max(km2, Fraction(10**9))]
    price = Fraction(terms.flat)
    for tier, end in zip(terms.tiers, ends, strict=True):
        within: Fraction = (min(end, km2)) - Fraction(tier.above_km2)
        price += max(within, Fraction(0)) * Fraction(tier.price_per_km2)
    minor = max(price, Fraction(terms.minimum_charge)) * int(10 ** decimals_of(terms.currency))
    return floor(minor + Fraction(1, 2))


@given(area=AREAS, terms=TERMS)
def test_order_price_agrees_with_its_definition_in_fractions(area: int, terms: PriceTerms) -> None:
    assert order_price(area, terms).minor == by_fractions(area, terms)


@given(areas=st.lists(st.integers(0, 5 * 10**18), max_size=9), terms=TERMS)
def test_amounts_of_many_areas_equal_the_price_of_each(areas: list[int], terms: PriceTerms) -> None:
    amounts = tariff_of(terms).amounts(np.array(areas, dtype=np.int64))
    assert amounts.tolist() == [order_price(area, terms).minor for area in areas]


@given(st.lists(AREAS, min_size=1, max_size=20), TERMS, st.sampled_from([1, 10**9, 10**15]))
def test_orders_in_range_cost_less_than_the_largest_amount(
    areas: list[int], terms: PriceTerms, dearer: int
) -> None:
    dear = replace(
        terms,
        flat=terms.flat * dearer,
        minimum_charge=terms.minimum_charge * dearer,
        tiers=tuple(replace(tier, price_per_km2=tier.price_per_km2 * dearer) for tier in terms.tiers),
    )
    if in_range(np.array(areas, dtype=np.int64), dear):
        assert bill(areas, dear).amount.minor < LARGEST_MINOR
    else:
        assert dearer > 1


def test_amounts_are_exact_beyond_64_bits() -> None:
    areas = np.array([10**12, 10**14])
    for price in ("22.5", "9998.999999"):
        tariff = tariff_of(terms(price))
        fits = 2 * (tariff.exact(10**14) + tariff.scale) < 2**63
        assert fits == (price == "22.5")  # so that both ways of computing are tested
        assert tariff.amounts(areas).tolist() == [by_fractions(area, terms(price)) for area in areas.tolist()]


@given(areas=st.lists(AREAS, min_size=2, max_size=2), terms=TERMS)
def test_larger_order_never_costs_less(areas: list[int], terms: PriceTerms) -> None:
    small, large = sorted(areas)
    assert order_price(small, terms) <= order_price(large, terms)


@given(shapes=st.lists(AREAS, max_size=6), terms=TERMS, factor=st.integers(1, 9))
def test_higher_price_never_bills_less(shapes: list[int], terms: PriceTerms, factor: int) -> None:
    dearer = replace(
        terms,
        tiers=tuple(replace(tier, price_per_km2=tier.price_per_km2 * factor) for tier in terms.tiers),
    )
    assert bill(shapes, terms).amount.minor <= bill(shapes, dearer).amount.minor


@given(shapes=st.lists(AREAS, min_size=1, max_size=6), terms=TERMS)
def test_one_order_never_bills_more_area_than_an_order_per_shape(
    shapes: list[int], terms: PriceTerms
) -> None:
    apart = [bill([shape], terms) for shape in shapes]
    together = bill(shapes, terms)
    assert together.billable_km2 <= sum(one.billable_km2 for one in apart)
    assert together.area_km2 == sum(one.area_km2 for one in apart)


@given(shapes=st.lists(AREAS, max_size=6), terms=TERMS)
def test_bill_lines_add_up(shapes: list[int], terms: PriceTerms) -> None:
    result = bill(shapes, terms)
    assert result.area_km2 == sum(line.area_km2 for line in result.lines)
    assert result.billable_km2 == sum(line.billable_km2 for line in result.lines)
    assert all(line.billable_km2 >= max(line.area_km2, terms.minimum_km2) for line in result.lines)


# The lower bound and the explanation of the same rules.


@given(patches=st.lists(st.integers(1, 10**11), min_size=1, max_size=6), terms=TERMS, data=st.data())
def test_least_is_no_more_than_the_bill_of_any_shapes(
    patches: list[int], terms: PriceTerms, data: st.DataObject
) -> None:
    shapes: dict[int, int] = {}
    for area in patches:  # each patch joins one of the shapes
        owner = data.draw(st.integers(0, len(patches) - 1))
        shapes[owner] = shapes.get(owner, 0) + area
    least = tariff_of(terms).least(np.concatenate(([0], np.cumsum(np.sort(patches)))))
    assert least[len(patches)] <= bill(list(shapes.values()), terms).amount.minor
    assert (np.diff(least) >= 0).all()


EXPLAINED = [
    (terms(minimum="5"), [1], "an order is billed for at least 5 km2"),
    (terms(minimum="5", scope="shape"), [1, 1], "a shape is billed for at least 5 km2"),
    (terms(minimum="5", scope="shape"), [9], "a shape is billed for at least 5 km2"),
    (terms(minimum="5", summed=False), [1], "a shape is billed for at least 5 km2"),
    (terms(charge="20"), [1], "an order costs at least 20.00 USD"),
    (terms(charge="20", summed=False), [1, 1], "a shape costs at least 20.00 USD"),
    (scene_price("40"), [1], "a scene has one price"),
    (replace(scene_price("40"), areas_summed=False), [1, 1], "every shape is charged with 40.00 USD"),
    (terms(beyond={"1": "5"}, summed=False), [2, 2], "a larger shape costs less per km2"),
    (terms(rules=ShapeRules(convex=True)), [1], "a shape must be convex"),
    (terms(beyond={"1": "5"}), [1], "the bill is rounded to the smallest unit of the currency"),
]


@pytest.mark.parametrize(("price", "km2", "reason"), EXPLAINED, ids=[one[2] for one in EXPLAINED])
def test_explain_free_names_the_rule_that_made_patches_free(
    price: PriceTerms, km2: list[int], reason: str
) -> None:
    shapes = [area * CM2_PER_KM2 for area in km2]
    assert tariff_of(price).explain_free(bill(shapes, price), price.rules) == reason


@pytest.mark.parametrize(
    ("price", "by_area"),
    [
        (terms(minimum="5", charge="20", beyond={"1": "5"}), True),
        (terms(scope="shape"), True),  # no minimum, so its scope does not matter
        (terms(minimum="5", scope="shape"), False),
        (terms(summed=False), False),
        (terms(rules=ShapeRules(holes=False)), False),
    ],
)
def test_by_area_is_false_where_shapes_decide_the_price(price: PriceTerms, by_area: bool) -> None:
    assert price.by_area is by_area
    assert price.ignoring_shapes().by_area
    assert price.ignoring_shapes().rules == ANY_SHAPE
