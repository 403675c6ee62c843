"""The room that workspaces take on the server, and how much they may take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from sqlalchemy import select

from service.access.tables import Workspace
from service.dashboard.session import Visitor
from service.database.engine import Database
from service.orders.storage import GIB, Usage, bundles_of, counts_of, largest_tile, usage_of
from service.settings import Settings
from service.web.tabular import Columns

MOST_WORKSPACES = 50
"""Most workspaces on the page: each is added up."""
ROOM_COLUMNS: Columns = {
    "workspace": "text", "stored_bytes": "integer", "limit_bytes": "integer", "plans": "integer",
    "plans_limit": "integer",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RoomRow:
    """A workspace with what it stores: files, tiles and plans, estimated from above."""

    name: str
    usage: Usage
    limit_bytes: int
    limit_plans: int

    @property
    def percent(self) -> float:
        """Share of the room that is taken, in per cent, at most 100."""
        return round(min(100.0, 100 * self.usage.stored_bytes / self.limit_bytes), 2)


def read_room(
    request: Request, database: Database, visitor: Visitor, settings: Settings, *, of_all: bool
) -> list[RoomRow]:
    """Return the room of the visitor's workspace, or of all workspaces, the one that stores most first.

    Each workspace is added up in a session that sees its own rows only.
    """
    names = {visitor.workspace_id: visitor.workspace_name}
    if of_all:
        with request.state.database.of_all().sessions() as session:
            every = select(Workspace.id, Workspace.name).order_by(Workspace.created_at, Workspace.id)
            names = dict(session.execute(every.limit(MOST_WORKSPACES)).all())
    tile_bytes = largest_tile(bundles_of(request))

    def row(workspace_id: UUID, name: str) -> RoomRow:
        with database.of(workspace_id).sessions() as session:
            usage = usage_of(session, counts_of(request), settings.blobs, workspace_id, tile_bytes)
        return RoomRow(
            name=name,
            usage=usage,
            limit_bytes=int(settings.workspace_gib * GIB),
            limit_plans=settings.workspace_plans,
        )

    rows = [row(*one) for one in names.items()]
    return sorted(rows, key=lambda one: (-one.usage.stored_bytes, one.name))


def room_rows(rows: Iterable[RoomRow]) -> Iterator[Sequence[object]]:
    """Write workspaces as rows of ROOM_COLUMNS."""
    for one in rows:
        yield one.name, one.usage.stored_bytes, one.limit_bytes, one.usage.plans, one.limit_plans
