"""Months of reports."""

from datetime import date

import pytest

from service.dashboard.month import Month
from service.errors import NotFoundError

TODAY = date(2026, 11, 30)


def test_month_has_its_days_and_names() -> None:
    month = Month.read("2024-02", TODAY)

    assert (month.first, month.last) == (date(2024, 2, 1), date(2024, 2, 29))
    assert (month.title, month.path) == ("February 2024", "2024-02")
    assert month.before().path == "2024-01"


@pytest.mark.parametrize(
    "written", ["2026-13", "2026-00", "2026-1", "202610", "0999-01", "2026-11-30", "", "\u0662026-10"]
)
def test_other_texts_are_no_months(written: str) -> None:
    with pytest.raises(NotFoundError, match="A month is written as year-month"):
        Month.read(written, TODAY)


def test_month_that_has_not_begun_has_no_report() -> None:
    assert Month.read("2026-11", TODAY).path == "2026-11"
    with pytest.raises(NotFoundError, match="December 2026 has not begun"):
        Month.read("2026-12", TODAY)


def test_months_are_listed_back_to_the_first() -> None:
    found = Month.of(TODAY).since(Month.read("2026-09", TODAY))

    assert [one.path for one in found] == ["2026-11", "2026-10", "2026-09"]
