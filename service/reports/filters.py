"""The query parameters that limit the reports of savings and spending."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from service.errors import InvalidInputError
from service.web.values import Day


@dataclass(frozen=True, kw_only=True)
class ReportFilter:
    """Limits of a report; None sets no limit."""

    first: date | None = None
    last: date | None = None  # included
    budget: UUID | None = None
    provider: str | None = None
    tag: dict[str, str] | None = None  # one tag of the budget

    def values(self) -> dict[str, object]:
        """Return the parameters of a query."""
        return {"first": self.first, "last": self.last, "budget": self.budget, "provider": self.provider}


EVERYTHING = ReportFilter()


def read_filter(
    first: Annotated[
        Day | None, Query(alias="from", description="First day (UTC): of charges, or of orders by placing.")
    ] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last day (UTC), included.")] = None,
    budget: Annotated[UUID | None, Query(description="Id of a budget.")] = None,
    provider: Annotated[
        str | None, Query(max_length=200, description="Provider of the price list, as it is written there.")
    ] = None,
    tag: Annotated[
        str | None,
        Query(max_length=201, description="Tag of the budget, as NAME=VALUE.", examples=["team=north"]),
    ] = None,
) -> ReportFilter:
    """Read the limits of a report; 422 for days in the wrong order and for a tag without a value."""
    if first and last and last < first:
        raise InvalidInputError(f"The last day, {last}, is before the first, {first}.", first=str(first))
    name, found, value = (tag or "").partition("=")
    if tag is not None and not (name and found):
        raise InvalidInputError("A tag is written as NAME=VALUE.", tag=tag)
    return ReportFilter(
        first=first, last=last, budget=budget, provider=provider, tag={name: value} if tag else None
    )


FilterDep = Annotated[ReportFilter, Depends(read_filter)]
