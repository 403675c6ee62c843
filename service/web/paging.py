"""Lists in pages: the request for a page, the page with its links, and the cursor between two pages."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session
from starlette.datastructures import URL, QueryParams

from service.errors import InvalidInputError
from service.web.middleware import ANSWER_HEADERS

Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row")
Place = TypeVar("Place")
OF_A_PAGE = frozenset({"cursor", "limit", "format"})
"""Query parameters that may differ between the pages of a list. The others say which list it is."""
TAG_BYTES = 9


def _is_none(value: object) -> bool:
    return value is None


class Link(BaseModel):
    """A typed link."""

    rel: str = Field(description="Relation of the target to this document (RFC 8288).", examples=["self"])
    href: str = Field(description="Address of the target, relative to this server's root.")
    type: str | None = Field(None, description="Media type of the target.", exclude_if=_is_none)
    title: str | None = Field(None, description="Name of the target.", exclude_if=_is_none)


class Page(BaseModel, Generic[Item]):
    """One page of a list. Follow the link `next` until there is none."""

    items: list[Item] = Field(description="The page's rows.")
    links: list[Link] = Field(description="Links to this page and to the next.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a page after its items, such as `BudgetPage`: the OpenAPI document shows this title."""
        return page_name(params[0].__name__)


def page_name(items: str) -> str:
    """Return the name of a page of `items`: BudgetOut -> BudgetPage, OrderSummary -> OrderPage."""
    return f"{items.removesuffix('Out').removesuffix('Summary')}Page"


@dataclass(frozen=True)
class Cursor:
    """The end of a page: the last row's creation time and id. Opaque to clients."""

    created_at: datetime
    id: UUID

    def encode(self) -> str:
        """Return the cursor as URL-safe text."""
        return encode_cursor(self.created_at.isoformat(), str(self.id))

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read a cursor of a list by time; InvalidInputError for a text that is none."""
        return read_place(text, cls._of)

    @classmethod
    def _of(cls, created_at: str, row_id: str) -> "Cursor":
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None:
            raise ValueError("a cursor's time names its zone")
        return cls(moment, UUID(row_id))


def encode_cursor(*parts: str) -> str:
    """Join parts without newlines into one opaque URL-safe text."""
    return _as_text("\n".join(parts).encode())


def read_place(text: str, read: Callable[..., Place]) -> Place:
    """Read the parts of a text that `encode_cursor` joined; InvalidInputError for any other text."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return read(*raw.decode().split("\n"))
    except (binascii.Error, TypeError, ValueError) as error:
        raise foreign_cursor(text) from error


def foreign_cursor(text: str) -> InvalidInputError:
    """Return the refusal of a cursor that the list did not make."""
    return InvalidInputError(
        "This cursor was made for another list, other filters, another sorting, or by an earlier version of "
        "the server. Leave it out to begin at the first page, then follow each link `next` as it is.",
        cursor=text,
    )


def _tag(url: URL) -> str:
    """Digest the address of a list, without what may differ between its pages."""
    chosen = [one for one in QueryParams(url.query).multi_items() if one[0] not in OF_A_PAGE]
    return _as_text(hashlib.sha256(json.dumps([url.path, sorted(chosen)]).encode()).digest()[:TAG_BYTES])


def _as_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True)
class PageRequest:
    """A request for `limit` rows that follow a cursor, or for the first ones."""

    limit: int
    after: Cursor | None
    oldest_first: bool = False


def own_cursor(
    request: Request,
    cursor: Annotated[
        str | None, Query(max_length=200, description="Cursor from the link `next` of the previous page.")
    ] = None,
) -> str | None:
    """Return the place in the list that `next_page` wrote into a cursor of this list.

    InvalidInputError for a cursor of another list, and of this one with other filters or another sorting: the
    place would mean nothing there.
    """
    if cursor is None:
        return None
    place, _, tag = cursor.rpartition(".")
    if tag != _tag(request.url):
        raise foreign_cursor(cursor)
    return place


CursorDep = Annotated[str | None, Depends(own_cursor)]


def page_request(
    cursor: CursorDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows in the page.")] = 10,
) -> PageRequest:
    """Read `limit` (1..100, otherwise 422) and `cursor` from the query."""
    return PageRequest(limit, None if cursor is None else Cursor.decode(cursor))


PageDep = Annotated[PageRequest, Depends(page_request)]

Sort = Literal["-created_at", "created_at"]


def sorted_page_request(
    page: PageDep,
    sort: Annotated[
        Sort, Query(description="`-created_at`: newest first; `created_at`: oldest first.")
    ] = "-created_at",
) -> PageRequest:
    """Read the order of the rows as well."""
    return replace(page, oldest_first=sort == "created_at")


SortedPageDep = Annotated[PageRequest, Depends(sorted_page_request)]


def fetch_page(
    session: Session, statement: Select[Row], table: Any, page: PageRequest
) -> tuple[list[Row], Cursor | None]:
    """Run `statement`, newest or oldest first; return at most `limit` rows and the cursor of the next page.

    `table` is the mapped class whose `created_at` and `id` order the list.
    """
    order = (table.created_at, table.id)
    if page.after is not None:
        last = (page.after.created_at, page.after.id)
        statement = statement.where(tuple_(*order) > last if page.oldest_first else tuple_(*order) < last)
    columns = order if page.oldest_first else tuple(column.desc() for column in order)
    statement = statement.order_by(*columns).limit(page.limit + 1)
    rows: Sequence[Any] = session.scalars(statement).all()
    if len(rows) <= page.limit:
        return list(rows), None
    end = rows[page.limit - 1]
    return list(rows[: page.limit]), Cursor(end.created_at, end.id)


def page_links(request: Request, following: Cursor | str | None) -> list[Link]:
    """Links of a page: `self`, and `next` when more rows follow; other query parameters are kept.

    The answer gets the same links in its header `Link`.
    """
    links = [Link(rel="self", href=_relative(request.url))]
    if onward := next_page(request.url, following):
        links.append(Link(rel="next", href=onward))
    request.scope[ANSWER_HEADERS]["link"] = ", ".join(f'<{link.href}>; rel="{link.rel}"' for link in links)
    return links


def next_page(url: URL, following: Cursor | str | None) -> str | None:
    """Return the address of the page after that of an address, from the place of its first row, if any."""
    if following is None:
        return None
    place = following if isinstance(following, str) else following.encode()
    return _relative(url.include_query_params(cursor=f"{place}.{_tag(url)}"))


def _relative(url: URL) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path
