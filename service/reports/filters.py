"""The query parameters that limit the reports of savings and spending."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from service.ledger.tags import CostCenterQuery, TagDep
from service.web.days import read_days
from service.web.values import Day, SearchText


@dataclass(frozen=True, kw_only=True)
class ReportFilter:
    """Limits of a report; None sets no limit."""

    first: date | None = None
    last: date | None = None  # included
    budget: UUID | None = None
    provider: str | None = None
    tag: dict[str, str] | None = None  # one tag of the order, or else of its budget
    cost_center: str | None = None

    @property
    def key(self) -> Hashable:
        """The limits as a value that can be looked up: equal filters have equal keys."""
        return (*self.values().values(), None if self.tag is None else frozenset(self.tag.items()))

    def values(self) -> dict[str, object]:
        """Return the parameters of a query."""
        return {
            "first": self.first,
            "last": self.last,
            "budget": self.budget,
            "provider": self.provider,
            "cost_center": self.cost_center,
        }


EVERYTHING = ReportFilter()


def read_filter(
    tag: TagDep,
    first: Annotated[
        Day | None, Query(alias="from", description="First day (UTC): of charges, or of orders by placing.")
    ] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last day (UTC), included.")] = None,
    budget: Annotated[UUID | None, Query(description="Id of a budget.")] = None,
    provider: Annotated[
        SearchText | None,
        Query(
            max_length=200,
            description="Provider of the price list, as it is written there.",
        ),
    ] = None,
    cost_center: CostCenterQuery = None,
) -> ReportFilter:
    """Read the limits of a report; 422 for days in the wrong order and for a tag without a value."""
    days = read_days(first, last)
    return ReportFilter(
        first=days.first, last=days.last, budget=budget, provider=provider, tag=tag, cost_center=cost_center
    )


FilterDep = Annotated[ReportFilter, Depends(read_filter)]
