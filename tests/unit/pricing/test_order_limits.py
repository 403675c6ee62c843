"""What a provider takes in one order."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from service.pricing.order_limits import OrderLimits

AREAS = st.lists(st.integers(1, 400).map(lambda hectares: hectares / 100), max_size=6)
LIMIT = st.none() | st.integers(1, 400)


@given(areas=AREAS, parts=st.none() | st.integers(1, 6), least=LIMIT, most=LIMIT)
def test_a_phrase_names_each_limit_that_is_not_kept(
    areas: list[float], parts: int | None, least: int | None, most: int | None
) -> None:
    limits = OrderLimits(
        max_parts=parts,
        smallest_km2=None if least is None else Decimal(least) / 100,
        largest_km2=None if most is None else Decimal(most) / 100,
    )
    broken = [
        parts is not None and len(areas) > parts,
        least is not None and any(round(100 * area) < least for area in areas),
        most is not None and any(round(100 * area) > most for area in areas),
    ]
    assert len(limits.exceeded(areas)) == sum(broken)
    assert bool(limits) == ((parts, least, most) != (None, None, None))


def test_phrases_state_both_numbers() -> None:
    limits = OrderLimits(max_parts=1, smallest_km2=Decimal("0.50"), largest_km2=Decimal(2))

    assert limits.exceeded([0.4, 3.0, 1.0]) == [
        "at most 1 polygon in an order, and this plan has 3",
        "polygons of at least 0.5 km2, and 1 of this plan's are smaller",
        "polygons of at most 2 km2, and 1 of this plan's are larger",
    ]
    assert limits.figures([0.4, 3.0])["parts"] == 2
