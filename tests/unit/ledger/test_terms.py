"""Terms of a budget: which thresholds an order reaches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ledger.terms import crossed
from service.money import Money
from tests.support.money import cents


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (0, 49, []),
        (0, 50, [50]),  # reaching it is enough
        (50, 50, []),  # told before
        (49, 100, [50, 100]),
        (99, 250, [100]),
        (-10, 0, []),  # more came back than was paid
    ],
)
def test_a_threshold_is_told_when_it_is_reached(before: int, after: int, told: list[int]) -> None:
    assert crossed([100, 50], cents(100), cents(before), cents(after)) == told


@given(limit=st.integers(1, 10**12), steps=st.lists(st.integers(0, 10**11), max_size=20))
def test_every_threshold_is_told_once_on_the_way(limit: int, steps: list[int]) -> None:
    thresholds, used, told = [10, 50, 100], 0, list[int]()
    for step in steps:
        told += crossed(thresholds, cents(limit), cents(used), cents(used + step))
        used += step

    assert told == [percent for percent in thresholds if 100 * used >= percent * limit]


def test_crossed_refuses_two_currencies() -> None:
    with pytest.raises(ValueError, match="not shares"):
        crossed([50], cents(100), cents(0), Money(50, "EUR"))


def test_a_limit_of_nothing_has_no_share() -> None:
    assert crossed([50], cents(0), cents(0), cents(10)) == []
