"""Months of the calendar, as the addresses of reports name them. Pure; days are UTC."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from service.errors import NotFoundError
from service.web.days import Days

_WRITTEN = re.compile(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class Month:
    """A month by its first day."""

    first: date

    @classmethod
    def read(cls, written: str, today: date) -> "Month":
        """Read a month such as 2026-10. NotFoundError for another text, and before the month begins."""
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise NotFoundError(f"There is no report {written}. A month is written as year-month: 2026-10.")
        month = cls(date(int(found[1]), int(found[2]), 1))
        if month.first > today:
            raise NotFoundError(f"{month.title} has not begun, so it has no report yet.")
        return month

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(day.replace(day=1))

    @property
    def last(self) -> date:
        """Its last day."""
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def days(self) -> Days:
        """All its days."""
        return Days(self.first, self.last)

    @property
    def title(self) -> str:
        """The month for people: October 2026."""
        return f"{self.first:%B %Y}"

    @property
    def path(self) -> str:
        """The month in an address: 2026-10."""
        return f"{self.first:%Y-%m}"

    def before(self) -> "Month":
        """Return the month before."""
        return Month.of(self.first - timedelta(days=1))

    def since(self, earliest: "Month") -> "list[Month]":
        """Return the months from this one back to the earliest, newest first."""
        found = [self]
        while found[-1] > earliest:
            found.append(found[-1].before())
        return found
