"""Filters of the ledger in the address of its page and of its files."""

import re
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query

from service.dashboard.forms import FieldInvalidError
from service.errors import InvalidInputError
from service.ledger.book import Movement
from service.ledger.filters import LineFilter
from service.ledger.tags import read_tag
from service.web.days import read_days
from service.web.values import SearchText

Text = Annotated[SearchText, Query(max_length=300)]
_ID_BEGINS = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, kw_only=True)
class LedgerFilter:
    """The filters as the form shows them again; an empty text sets no limit. Days are UTC and included."""

    first: str = ""
    last: str = ""
    budget: str = ""
    kind: str = ""
    order: str = ""
    tag: str = ""
    provider: str = ""

    @property
    def is_set(self) -> bool:
        """Whether any filter is set."""
        return self != LedgerFilter()

    @property
    def query(self) -> str:
        """The filters that are set, as the query of an address."""
        names = {"first": "from", "last": "to"}
        return urlencode({names.get(name, name): value for name, value in asdict(self).items() if value})

    def only(self, order: str) -> str:
        """Return the query of the same filters for one order."""
        return replace(self, order=order).query

    def limits(self) -> LineFilter:
        """Return the limits of a list of movements. InvalidInputError names the field that is wrong."""
        return LineFilter(
            budget_id=_budget(self.budget),
            kind=_kind(self.kind),
            days=read_days(_day(self.first), _day(self.last)),
            orders=_orders(self.order),
            tag=_tag(self.tag),
            provider=self.provider or None,
        )


def read_ledger_filter(
    first: Annotated[Text, Query(alias="from")] = "",
    last: Annotated[Text, Query(alias="to")] = "",
    budget: Text = "",
    kind: Text = "",
    order: Text = "",
    tag: Text = "",
    provider: Text = "",
) -> LedgerFilter:
    """Read the filters as texts, so that a page can show those that it refuses."""
    return LedgerFilter(
        first=first.strip(),
        last=last.strip(),
        budget=budget.strip(),
        kind=kind.strip(),
        order=order.strip(),
        tag=tag.strip(),
        provider=provider.strip(),
    )


def _budget(given: str) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError:
        raise FieldInvalidError("The field Budget names no budget. Choose one of its list.") from None


def _kind(given: str) -> Movement | None:
    try:
        return Movement(given) if given else None
    except ValueError:
        raise FieldInvalidError("The field Movement names no movement. Choose one of its list.") from None


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        raise FieldInvalidError(
            "The fields From and Until take a day of the calendar, such as 2026-11-28."
        ) from None


def _orders(given: str) -> tuple[UUID, UUID] | None:
    """Return the lowest and the highest id that begin with the given digits."""
    digits = given.lower().replace("-", "")
    if not digits:
        return None
    if not _ID_BEGINS.fullmatch(digits):
        raise FieldInvalidError(
            "The field Order id takes at least the first four digits of an order's id, such as 1b4e28ba."
        )
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _tag(given: str) -> dict[str, str] | None:
    try:
        return read_tag(given or None)
    except InvalidInputError:
        raise FieldInvalidError("The field Tag takes a name and a value, such as team=north.") from None
