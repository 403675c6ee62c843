"""Filters of the list of orders in the address of its page and of its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlalchemy import ColumnElement, or_, select

from service.access.tables import ApiKey
from service.dashboard.filter_fields import ANY, read_currency
from service.dashboard.order_groups import TAG, is_in_group, title_of
from service.errors import InvalidInputError
from service.orders.filters import order_holds
from service.orders.tables import STATUS_NOW, Order, OrderStatus
from service.web.days import EVERY_DAY, Days, read_days
from service.web.values import Day, SearchText

ORDERED = "ordered"
"""Name in the address of the three statuses whose orders the ordered saving adds up."""
STATUSES: Mapping[str, Sequence[OrderStatus]] = MappingProxyType(
    {ORDERED: (OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.COMPLETED)}
    | {one.value: (one,) for one in OrderStatus}
)
"""Statuses that are shown for each choice in the address."""


@dataclass(frozen=True, kw_only=True)
class OrderFilter:
    """Filters of the list; None sets no limit. Days are UTC and included."""

    status: str | None = None
    budget: UUID | None = None
    currency: str | None = None
    days: Days = EVERY_DAY
    text: str | None = None
    by: str | None = None
    """Grouping of the overview of which one group is shown."""
    group: str = ""
    """Label of that group; empty for the orders without one."""

    @property
    def is_set(self) -> bool:
        """Whether any filter is set."""
        return self != OrderFilter()

    @property
    def query(self) -> str:
        """The filters that are set, as the query of an address."""
        named = {
            "status": self.status,
            "budget": self.budget,
            "currency": self.currency,
            "from": self.days.first,
            "to": self.days.last,
            "text": self.text,
            "by": self.by,
            "group": self.group,
        }
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def group_words(self) -> str:
        """The group as a sentence; empty without one."""
        if self.by is None:
            return ""
        if self.by.startswith(TAG):
            tag = self.by.removeprefix(TAG)
            return (
                f"Only orders with the tag {tag} = {self.group}."
                if self.group
                else f"Only orders without a tag {tag}."
            )
        title, label = title_of(self.by).lower(), self.group[:8] if self.by == "scene" else self.group
        return f"Only orders of {title} {label}." if self.group else f"Only orders without {title}."

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions of a query of orders."""
        found = self.days.hold(Order.created_at)
        if self.status is not None:
            found.append(STATUS_NOW.in_(STATUSES[self.status]))
        if self.budget is not None:
            found.append(Order.budget_id == self.budget)
        if self.currency is not None:
            found.append(Order.currency == self.currency)
        if self.text is not None:
            found.append(_holds(self.text))
        if self.by is not None:
            found.append(is_in_group(self.by, self.group))
        return found


def read_order_filter(
    status: Annotated[str | None, ANY, Query(max_length=30)] = None,
    budget: Annotated[UUID | None, ANY, Query()] = None,
    currency: Annotated[str | None, ANY, Query(max_length=30)] = None,
    first: Annotated[Day | None, ANY, Query(alias="from")] = None,
    last: Annotated[Day | None, ANY, Query(alias="to")] = None,
    text: Annotated[Annotated[SearchText, Field(max_length=100)] | None, ANY, Query()] = None,
    by: Annotated[Annotated[SearchText, Field(max_length=120)] | None, ANY, Query()] = None,
    group: Annotated[SearchText, Query(max_length=200)] = "",
) -> OrderFilter:
    """Read the filters; InvalidInputError for unknown choices and for days in the wrong order."""
    if status is not None and status not in STATUSES:
        raise InvalidInputError(f"{status!r} is no status of orders. Choose one of {', '.join(STATUSES)}.")
    if by is not None:
        title_of(by)
    elif group:
        raise InvalidInputError("A group needs the grouping that it belongs to, such as by=provider.")
    return OrderFilter(
        status=status,
        budget=budget,
        currency=None if currency is None else read_currency(currency),
        days=read_days(first, last),
        text=text,
        by=by,
        group=group,
    )


def _holds(text: str) -> ColumnElement[bool]:
    """Return the condition that an order's id or labels, or the name of its key, hold a text."""
    keys = select(ApiKey.id).where(ApiKey.name.icontains(text, autoescape=True))
    return or_(order_holds(text), Order.key_id.in_(keys))
