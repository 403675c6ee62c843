"""The query parameters that choose movements of money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from service.ledger.book import Movement
from service.web.days import EVERY_DAY, Days, DaysDep


@dataclass(frozen=True, kw_only=True)
class LineFilter:
    """Limits of a list of movements; None sets no limit."""

    budget_id: UUID | None = None
    hold_id: UUID | None = None
    kind: Movement | None = None
    days: Days = EVERY_DAY
    orders: tuple[UUID, UUID] | None = None
    """Lowest and highest id of the orders whose movements are listed, both included."""
    tag: Mapping[str, str] | None = None
    """One tag of the order, or else of its budget."""
    provider: str | None = None
    """Provider of the order's price list."""


EVERY_LINE = LineFilter()


def read_line_filter(
    days: DaysDep,
    budget: Annotated[UUID | None, Query(description="Id of a budget: only its movements.")] = None,
    hold: Annotated[
        UUID | None, Query(description="Id of an order's hold: only its movements. The order has a link.")
    ] = None,
    kind: Annotated[Movement | None, Query(description="Kind of movement.")] = None,
    order: Annotated[
        UUID | None,
        Query(description="Id of an order: the movements of its hold, its refunds and its later charges."),
    ] = None,
) -> LineFilter:
    """Read the limits; 422 for days in the wrong order."""
    orders = None if order is None else (order, order)
    return LineFilter(budget_id=budget, hold_id=hold, kind=kind, days=days, orders=orders)


LineFilterDep = Annotated[LineFilter, Depends(read_line_filter)]
