"""Periods of the first page, and the earlier ones that they are compared with. Pure; days are UTC."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class PeriodName(StrEnum):
    """Name of a period in the address of the page."""

    MONTH = "month"
    LAST_MONTH = "last-month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"
    CUSTOM = "custom"


TITLES = {
    PeriodName.MONTH: "This month",
    PeriodName.LAST_MONTH: "Last month",
    PeriodName.QUARTER: "This quarter",
    PeriodName.YEAR: "This year",
    PeriodName.ALL: "All time",
    PeriodName.CUSTOM: "Own dates",
}


@dataclass(frozen=True, kw_only=True)
class DayRange:
    """Days from `first` to `last`, both included; None sets no limit."""

    first: date | None = None
    last: date | None = None

    def holds(self, day: date) -> bool:
        """Return whether a day is in the period."""
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    @property
    def words(self) -> str:
        """The period for a sentence."""
        if self.first is None and self.last is None:
            return "all time"
        if self.first == self.last:
            return f"{self.first:%-d %b %Y}"
        first = "the beginning" if self.first is None else f"{self.first:%-d %b %Y}"
        return f"{first} to {'now' if self.last is None else f'{self.last:%-d %b %Y}'}"

    @property
    def when(self) -> str:
        """The period with its preposition: "on 1 Mar 2026"."""
        if self.first is None and self.last is None:
            return "at any time"
        return f"{'on' if self.first == self.last else 'from'} {self.words}"


def period_of(name: PeriodName, today: date, first: date | None = None, last: date | None = None) -> DayRange:
    """Return the days of a period; `first` and `last` are those of PeriodName.CUSTOM."""
    month = today.replace(day=1)
    match name:
        case PeriodName.MONTH:
            return DayRange(first=month, last=today)
        case PeriodName.LAST_MONTH:
            return DayRange(first=_months_before(month, 1), last=month - timedelta(days=1))
        case PeriodName.QUARTER:
            return DayRange(first=month.replace(month=3 * ((today.month - 1) // 3) + 1), last=today)
        case PeriodName.YEAR:
            return DayRange(first=month.replace(month=1), last=today)
        case PeriodName.ALL:
            return DayRange()
        case PeriodName.CUSTOM:
            return DayRange(first=first, last=last)


def period_before(name: PeriodName, period: DayRange) -> DayRange | None:
    """Return the same days of the month, quarter or year before.

    None without a beginning or an end, and where the calendar has no day so early.
    """
    if period.first is None or period.last is None:
        return None
    months = {PeriodName.MONTH: 1, PeriodName.LAST_MONTH: 1, PeriodName.QUARTER: 3, PeriodName.YEAR: 12}
    if name not in months:
        length = period.last - period.first
        if length >= period.first - date.min:
            return None
        return DayRange(
            first=period.first - length - timedelta(days=1), last=period.first - timedelta(days=1)
        )
    end = period.first - timedelta(days=1)
    if name is PeriodName.LAST_MONTH:
        return DayRange(first=end.replace(day=1), last=end)
    return DayRange(
        first=_months_before(period.first, months[name]),
        last=min(end, _months_before(period.last, months[name])),
    )


def _months_before(day: date, months: int) -> date:
    """Return the same day some months earlier, or the last day of that month if it is shorter."""
    count = day.year * 12 + day.month - 1 - months
    following = date((count + 1) // 12, (count + 1) % 12 + 1, 1)
    return min(
        date(count // 12, count % 12 + 1, 1) + timedelta(days=day.day - 1), following - timedelta(days=1)
    )
