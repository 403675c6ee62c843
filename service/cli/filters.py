"""Options that choose rows of a list; each is a query parameter of the API."""

from enum import StrEnum
from typing import Annotated

import typer

First = Annotated[str | None, typer.Option("--from", help="First day (UTC), such as 2026-01-01.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day (UTC), included.")]
OfName = Annotated[str | None, typer.Option("--name", help="Only those with this name.")]
OfExternalId = Annotated[str | None, typer.Option("--external-id", help="Only those with this external id.")]
OfTag = Annotated[str | None, typer.Option("--tag", help="Only those with this tag, as NAME=VALUE.")]
Search = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only those with this text in an id, a name or a tag.")
]
OfProvider = Annotated[
    str | None, typer.Option("--provider", help="Only those with a price list of this provider.")
]


class StatusChoice(StrEnum):
    """The statuses of an order, listed here so that the commands start without the database code."""

    HELD = "held"
    ACCEPTED = "accepted"
    PROCESSING = "processing"
    COMPLETED = "completed"
    USER_CANCELLED = "user_cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class SortChoice(StrEnum):
    """The orders of a list."""

    NEWEST = "-created_at"
    OLDEST = "created_at"


OfStatus = Annotated[
    list[StatusChoice] | None,
    typer.Option("--status", help="Only orders with this status. Repeat for several."),
]
Sort = Annotated[SortChoice, typer.Option(help="Newest first (-created_at) or oldest first (created_at).")]
Limit = Annotated[int, typer.Option(help="Most rows to show.", min=1)]
