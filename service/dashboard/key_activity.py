"""Keys and people of a workspace with their last use and their calls."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from service.access.notes import Notes
from service.access.repository import is_before, keys_of
from service.access.tables import ApiKey
from service.dashboard.order_rows import time_now
from service.dashboard.session import Visitor
from service.web.tabular import Columns

KEY_COLUMNS: Columns = {
    "key": "text", "name": "text", "role": "text", "created_at": "time", "last_used_at": "time",
    "calls_since_start": "integer", "state": "text",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class KeyRow:
    """A key, or a person, with its activity."""

    id: str
    name: str
    role: str
    created_at: datetime
    last_used_at: datetime | None
    """Time of its last use; written every half minute."""
    calls: int
    """Requests that this process has admitted since its start."""
    state: str
    """`in use`, `expired` or `revoked`."""


def read_keys(session: Session, visitor: Visitor, notes: Notes) -> list[KeyRow]:
    """Return the keys that the visitor may see, the last used one first: its own, or all for an admin."""
    now, lists_all = time_now(session), visitor.may_do("list_api_keys")
    keys = keys_of(session, visitor.workspace_id)
    rows = [_row(one, notes, now) for one in keys if lists_all or one.id == visitor.key_id]
    return sorted(rows, key=lambda one: (-_moment(one.last_used_at), one.id))


def key_rows(rows: Iterable[KeyRow]) -> Iterator[Sequence[object]]:
    """Write keys as rows of KEY_COLUMNS."""
    for one in rows:
        yield one.id, one.name, one.role, one.created_at, one.last_used_at, one.calls, one.state


def _row(key: ApiKey, notes: Notes, now: datetime) -> KeyRow:
    state = "expired" if is_before(key.expires_at, now) else "in use"
    return KeyRow(
        id=key.id,
        name=key.name,
        role=key.role,
        created_at=key.created_at,
        last_used_at=notes.last_use(key.id) or key.last_used_at,
        calls=notes.calls(key.id),
        state="revoked" if is_before(key.revoked_at, now) else state,
    )


def _moment(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()
