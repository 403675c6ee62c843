"""Shapes that every domain's JSON shares: money, links, pages and their cursors."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from service.errors import InvalidInputError
from service.money import Money

Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row")


class MoneyOut(BaseModel):
    """An amount in major units, with exactly the currency's decimals."""

    amount: str = Field(examples=["12.50"])
    currency: str = Field(examples=["USD"], description="ISO 4217")

    @classmethod
    def of(cls, money: Money) -> "MoneyOut":
        """Write `money` for JSON."""
        return cls(amount=money.amount, currency=money.currency)

    @classmethod
    def minor(cls, minor: int, currency: str) -> "MoneyOut":
        """Write an amount given in integer minor units."""
        return cls.of(Money(minor, currency))


class MoneyIn(BaseModel):
    """An amount as a client sends it: a decimal string, never a float."""

    model_config = ConfigDict(extra="forbid")

    amount: str = Field(pattern=r"^\d{1,15}(\.\d{1,3})?$", examples=["500.00"])
    currency: str = Field(pattern=r"^[A-Z]{3}$", examples=["USD"])

    def money(self) -> Money:
        """Return the amount in minor units; InvalidInputError beyond the currency's decimals."""
        return Money.parse(self.amount, self.currency)


class Link(BaseModel):
    """A typed link (RFC 8288 relation); `href` is relative to this server's root."""

    rel: str
    href: str
    type: str | None = None
    title: str | None = None


class Page(BaseModel, Generic[Item]):
    """One page of a list, newest first; follow the link `next` until there is none."""

    items: list[Item]
    links: list[Link]


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: the last row's creation time and id. Opaque to clients."""

    created_at: datetime
    id: UUID

    def encode(self) -> str:
        """Return the cursor as URL-safe text."""
        return encode_cursor(self.created_at.isoformat(), str(self.id))

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read a cursor; InvalidInputError when it is not one of ours."""
        try:
            created_at, row_id = decode_cursor(text)
            moment = datetime.fromisoformat(created_at)
            if moment.tzinfo is None:
                raise ValueError("a cursor's time names its zone")
            return cls(moment, UUID(row_id))
        except ValueError as error:
            raise InvalidInputError("This cursor did not come from this list.", cursor=text) from error


def encode_cursor(*parts: str) -> str:
    """Join parts without newlines into one opaque URL-safe text."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> list[str]:
    """Split what `encode_cursor` joined; ValueError when it did not."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not a cursor") from error
    return raw.decode().split("\n")


@dataclass(frozen=True)
class PageRequest:
    """How many rows, and after which."""

    limit: int
    after: Cursor | None


def page_request(
    limit: Annotated[int, Query(ge=1, le=100, description="rows in a page")] = 10,
    cursor: Annotated[str | None, Query(max_length=200, description="from the link `next`")] = None,
) -> PageRequest:
    """Read `limit` (1..100, otherwise 422) and `cursor` from the query."""
    return PageRequest(limit, None if cursor is None else Cursor.decode(cursor))


PageDep = Annotated[PageRequest, Depends(page_request)]


def fetch_page(
    session: Session, statement: Select[Row], table: Any, page: PageRequest
) -> tuple[list[Row], Cursor | None]:
    """Run `statement` newest first; return at most `limit` rows and the cursor of the next page.

    `table` is the mapped class whose `created_at` and `id` order the list.
    """
    order = (table.created_at, table.id)
    if page.after is not None:
        statement = statement.where(tuple_(*order) < (page.after.created_at, page.after.id))
    statement = statement.order_by(*(column.desc() for column in order)).limit(page.limit + 1)
    rows: Sequence[Any] = session.scalars(statement).all()
    if len(rows) <= page.limit:
        return list(rows), None
    last = rows[page.limit - 1]
    return list(rows[: page.limit]), Cursor(last.created_at, last.id)


def page_links(request: Request, following: Cursor | str | None) -> list[Link]:
    """Links of a page: `self`, and `next` when more rows follow; other query parameters are kept."""
    query = f"?{request.url.query}" if request.url.query else ""
    links = [Link(rel="self", href=request.url.path + query)]
    if following is not None:
        text = following if isinstance(following, str) else following.encode()
        onward = request.url.include_query_params(cursor=text)
        links.append(Link(rel="next", href=f"{onward.path}?{onward.query}"))
    return links
