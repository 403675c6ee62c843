"""The query parameters `from` and `to`: days in UTC, both included."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import ColumnElement

from service.errors import InvalidInputError
from service.web.values import Day


@dataclass(frozen=True)
class Days:
    """A first and a last day; None sets no limit."""

    first: date | None = None
    last: date | None = None

    @property
    def starts(self) -> datetime | None:
        """Start of the first day."""
        return None if self.first is None else datetime.combine(self.first, time(), UTC)

    @property
    def ends(self) -> datetime | None:
        """Start of the day after the last; None also for the calendar's very last day."""
        if self.last is None or self.last == date.max:
            return None
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)

    def hold(self, moment: Any) -> list[ColumnElement[bool]]:
        """Return the conditions that a column of times lies on these days."""
        after = [] if self.starts is None else [moment >= self.starts]
        return after + ([] if self.ends is None else [moment < self.ends])


EVERY_DAY = Days()


def read_days(
    first: Annotated[Day | None, Query(alias="from", description="First day (UTC).")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last day (UTC), included.")] = None,
) -> Days:
    """Read two days; InvalidInputError when the last is before the first."""
    if first and last and last < first:
        raise InvalidInputError(f"The last day, {last}, is before the first, {first}.", first=str(first))
    return Days(first, last)


DaysDep = Annotated[Days, Depends(read_days)]
