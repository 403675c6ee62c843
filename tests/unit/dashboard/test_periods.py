"""Periods of the first page and the ones before them."""

from datetime import date

import pytest

from service.dashboard.periods import DayRange, PeriodName, period_before, period_of

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("name", "first", "last", "before"),
    [
        ("month", date(2026, 3, 1), TODAY, (date(2026, 2, 1), date(2026, 2, 28))),
        ("last-month", date(2026, 2, 1), date(2026, 2, 28), (date(2026, 1, 1), date(2026, 1, 31))),
        ("quarter", date(2026, 1, 1), TODAY, (date(2025, 10, 1), date(2025, 12, 31))),
        ("year", date(2026, 1, 1), TODAY, (date(2025, 1, 1), date(2025, 3, 31))),
    ],
)
def test_period_and_the_same_days_before(
    name: str, first: date, last: date, before: tuple[date, date]
) -> None:
    period = period_of(PeriodName(name), TODAY)

    assert period == DayRange(first=first, last=last)
    assert period_before(PeriodName(name), period) == DayRange(first=before[0], last=before[1])


def test_own_dates_are_compared_with_as_many_days_before() -> None:
    period = period_of(PeriodName.CUSTOM, TODAY, date(2026, 3, 10), date(2026, 3, 12))

    assert period_before(PeriodName.CUSTOM, period) == DayRange(first=date(2026, 3, 7), last=date(2026, 3, 9))


@pytest.mark.parametrize(
    "period",
    [
        DayRange(),
        DayRange(first=TODAY),
        DayRange(last=TODAY),
        DayRange(first=date.min, last=date.min),
        DayRange(first=date(1, 1, 31), last=date(1, 3, 2)),
        DayRange(first=date.min, last=date.max),
    ],
)
def test_period_without_a_limit_or_days_before_has_none_before(period: DayRange) -> None:
    assert period_before(PeriodName.CUSTOM, period) is None


def test_year_of_a_leap_day_is_compared_until_the_last_day_of_february() -> None:
    period = period_of(PeriodName.YEAR, date(2028, 2, 29))

    assert period_before(PeriodName.YEAR, period) == DayRange(first=date(2027, 1, 1), last=date(2027, 2, 28))


def test_period_holds_both_of_its_ends() -> None:
    period = DayRange(first=date(2026, 3, 1), last=date(2026, 3, 2))

    assert [period.holds(date(2026, 3, day)) for day in (1, 2, 3)] == [True, True, False]
    assert not period.holds(date(2026, 2, 28))


@pytest.mark.parametrize(
    ("period", "words", "when"),
    [
        (DayRange(), "all time", "at any time"),
        (DayRange(first=TODAY, last=TODAY), "31 Mar 2026", "on 31 Mar 2026"),
        (
            DayRange(first=date(2026, 3, 1), last=TODAY),
            "1 Mar 2026 to 31 Mar 2026",
            "from 1 Mar 2026 to 31 Mar 2026",
        ),
        (DayRange(last=TODAY), "the beginning to 31 Mar 2026", "from the beginning to 31 Mar 2026"),
        (DayRange(first=TODAY), "31 Mar 2026 to now", "from 31 Mar 2026 to now"),
    ],
)
def test_period_is_said_in_words(period: DayRange, words: str, when: str) -> None:
    assert (period.words, period.when) == (words, when)
