"""Groups and steps of the reports: by a label of the order, and by day, week or month."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Query

from service.errors import InvalidInputError
from service.reports.figures import OrderFigures
from service.web.values import UNPRINTABLE, SearchText

Step = Literal["day", "week", "month"]
GroupName = Literal["budget", "provider", "price_list", "cost_center", "key", "tag"]
_GROUP_BY = re.compile(r"(?P<name>budget|provider|price_list|cost_center|key)|tag:(?P<tag>[^=]{1,100})")
_PATTERN = rf"^((budget|provider|price_list|cost_center|key)|tag:[^={UNPRINTABLE}]{{1,100}})$"


@dataclass(frozen=True)
class Grouping:
    """The parts into which a report divides its sums; None divides nothing."""

    name: GroupName | None = None
    tag: str | None = None
    """Name of the tag, for groups by its values."""
    step: Step | None = None

    def __bool__(self) -> bool:
        return self.name is not None or self.step is not None

    def group_of(self, order: OrderFigures) -> str | None:
        """Return the group of an order; None for an order without such a label."""
        match self.name:
            case None:
                return None
            case "tag":
                return order.tags.get(self.tag or "")
            case name:
                group: str | None = getattr(order, name)
                return group

    def days_of(self, day: date) -> tuple[date, date] | tuple[None, None]:
        """Return the first and the last day of the step that holds a day; weeks begin on Monday."""
        match self.step:
            case None:
                return None, None
            case "day":
                return day, day
            case "week":
                monday = day - timedelta(days=day.weekday())
                return monday, monday + timedelta(days=6)
            case "month":
                return day.replace(day=1), _last_of_month(day)


WHOLE = Grouping()


def read_grouping(
    group_by: Annotated[
        SearchText | None,
        Query(
            max_length=104,
            json_schema_extra={"pattern": _PATTERN},
            description="Divide the sums by `budget`, `provider`, `price_list`, `cost_center`, `key` (that "
            "placed the order), or `tag:NAME` for the values of a tag. The groups add up to the report.",
            examples=["provider", "tag:team"],
        ),
    ] = None,
    step: Annotated[
        Step | None,
        Query(description="Divide the sums by day, week (from Monday) or month, in UTC."),
    ] = None,
) -> Grouping:
    """Read how a report is divided; InvalidInputError for a group that no report has."""
    if group_by is None:
        return Grouping(step=step)
    found = _GROUP_BY.fullmatch(group_by)
    if found is None:
        raise InvalidInputError(
            f'There are no groups by "{group_by}". Choose one of budget, provider, price_list, cost_center, '
            "key and tag:NAME.",
            group_by=group_by,
        )
    if found["tag"] is not None:
        return Grouping("tag", found["tag"], step)
    name: GroupName = found["name"]  # type: ignore[assignment]  # one of the names in the expression
    return Grouping(name, None, step)


GroupingDep = Annotated[Grouping, Depends(read_grouping)]


def _last_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
