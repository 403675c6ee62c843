"""The audit log: who signed in or was refused, what happened to keys, what was exported, and which
pixels were deleted.

Rows are only added. An event that changes something is written in the transaction of its change, by `record`;
one that must not cost a request anything, or that anybody could repeat for ever, is noted in memory and
written from time to time (`service.access.notes`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.access.tables import ApiKey, AuditEvent
from service.web.paging import Cursor, PageRequest, fetch_page
from service.web.values import UNPRINTABLE, UNSEEN

LONGEST = 200
"""Most characters of a text in the log."""
LONGEST_NAME = 100
"""Most characters of the name of a key or a person."""
_CONTROL = re.compile(f"[{UNPRINTABLE}{UNSEEN}\ud800-\udfff]")


class EventKind(StrEnum):
    """Kind of an event of the audit log."""

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    REFUSED_KEY = "refused-key"
    REFUSED_TOKEN = "refused-token"  # noqa: S105  (no password)
    REFUSED_ROLE = "refused-role"
    KEY_CREATED = "key-created"
    KEY_ROTATED = "key-rotated"
    KEY_REVOKED = "key-revoked"
    PERSON_ADDED = "person-added"
    PERSON_CHANGED = "person-changed"
    PERSON_REMOVED = "person-removed"
    WORKSPACE_CREATED = "workspace-created"
    EXPORTED = "exported"
    APPROVAL_LENT = "approval-lent"
    APPROVAL_TAKEN_BACK = "approval-taken-back"
    DECIDED_FOR_ANOTHER = "decided-for-another"
    PIXELS_DELETED = "pixels-deleted"
    RETENTION_SET = "retention-set"


@dataclass(frozen=True)
class Event:
    """An event of one workspace, or of none when a key was refused that nobody knows.

    `key_id` is the key of the request, None on the server's machine; `subject` is what the event is about.
    """

    kind: EventKind
    workspace_id: UUID | None = None
    key_id: str | None = None
    subject: str | None = None
    address: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict, hash=False)


def record(session: Session, event: Event, times: int = 1, at: datetime | None = None) -> None:
    """Add an event in the caller's transaction; `times` counts alike events that were noted until `at`."""
    row = AuditEvent(
        workspace_id=event.workspace_id,
        kind=event.kind,
        key_id=event.key_id,
        subject=escaped(event.subject),
        address=escaped(event.address),
        detail={name: escaped(text) for name, text in event.detail.items()},
        times=times,
    )
    if at is not None:
        row.created_at = at
    session.add(row)
    session.flush()


def record_key(
    session: Session, kind: EventKind, row: ApiKey, key_id: str | None = None, **detail: str
) -> None:
    """Record an event of a key, with its name and role; without `key_id` the server's machine did it."""
    ends = {} if row.expires_at is None else {"expires_at": row.expires_at.isoformat()}
    said = {"name": row.name, "role": row.role, **ends, **detail}
    record(session, Event(kind, row.workspace_id, key_id, row.id, detail=said))


def escaped(text: str | None) -> str | None:
    """Return at most LONGEST characters of a text, with control characters as \\uXXXX."""
    if text is None:
        return None
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)[:LONGEST]


def page_of_events(
    session: Session, workspace_id: UUID, kind: EventKind | None, page: PageRequest
) -> tuple[list[AuditEvent], Cursor | None]:
    """Return one page of a workspace's events, newest first."""
    query = select(AuditEvent).where(AuditEvent.workspace_id == workspace_id)
    if kind is not None:
        query = query.where(AuditEvent.kind == kind)
    return fetch_page(session, query, AuditEvent, page)


def newest_events(session: Session, limit: int, kind: str | None) -> list[AuditEvent]:
    """Return the newest events of every workspace and of none, for the operator of the server."""
    query = select(AuditEvent).order_by(AuditEvent.created_at.desc(), AuditEvent.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(AuditEvent.kind == kind)
    return list(session.scalars(query).all())
