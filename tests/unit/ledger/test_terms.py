"""Terms of a budget: how a change merges, and which thresholds an order reaches."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ledger.terms import FRESH, BudgetTerms, BudgetTermsError, Enforcement, changed_terms, crossed
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
def test_crossed_returns_the_thresholds_that_use_reaches(before: int, after: int, told: list[int]) -> None:
    assert crossed([100, 50], cents(100), cents(before), cents(after)) == told


@given(limit=st.integers(1, 10**12), steps=st.lists(st.integers(0, 10**11), max_size=20))
def test_crossed_returns_every_threshold_once(limit: int, steps: list[int]) -> None:
    thresholds, used, told = [10, 50, 100], 0, list[int]()
    for step in steps:
        told += crossed(thresholds, cents(limit), cents(used), cents(used + step))
        used += step

    assert told == [percent for percent in thresholds if 100 * used >= percent * limit]


def test_crossed_refuses_two_currencies() -> None:
    with pytest.raises(ValueError, match="not shares"):
        crossed([50], cents(100), cents(0), Money(50, "EUR"))


def test_crossed_returns_nothing_for_a_limit_of_zero() -> None:
    assert crossed([50], cents(0), cents(0), cents(10)) == []


TERMS = BudgetTerms(
    enforcement=Enforcement.WARN,
    thresholds=(50,),
    tags={"team": "north", "year": "2026"},
    starts_on=date(2026, 1, 1),
    approval_above=cents(500),
)


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({}, "tags", TERMS.tags),
        ({"tags": {}}, "tags", TERMS.tags),
        ({"tags": {"team": "south", "year": None}}, "tags", {"team": "south"}),
        ({"tags": None}, "tags", {}),
        ({"thresholds": [90, 50, 90]}, "thresholds", (50, 90)),
        ({"thresholds": None}, "thresholds", ()),
        ({"enforcement": None}, "enforcement", Enforcement.BLOCK),
        ({"starts_on": None}, "starts_on", None),
        ({"approval_above": None}, "approval_above", None),
        ({"approval_above": cents(9)}, "approval_above", cents(9)),
    ],
)
def test_changed_terms_replaces_what_is_named_and_keeps_the_rest(
    changes: dict[str, Any], name: str, value: object
) -> None:
    changed = changed_terms(TERMS, changes)

    assert getattr(changed, name) == value
    names = [other for other in vars(TERMS) if other != name]
    assert [getattr(changed, other) for other in names] == [getattr(TERMS, other) for other in names]


def test_changed_terms_refuses_an_end_before_the_start() -> None:
    with pytest.raises(BudgetTermsError, match=r"end on 2025-12-31, before it starts on 2026-01-01\."):
        changed_terms(TERMS, {"ends_on": date(2025, 12, 31)})

    assert changed_terms(FRESH, {"ends_on": date(2025, 12, 31)}).ends_on == date(2025, 12, 31)
