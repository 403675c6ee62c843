"""Notes of requests in memory: when keys were last used, and events of the audit log.

A request that reads never writes, so a note costs it nothing. Refused keys cannot fill the database: alike
events are counted, and at most MOST_OF_A_KIND of a kind and workspace are told apart between two writings. A
server that is killed loses at most SECONDS of notes.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from service.access.events import Event, EventKind, record
from service.access.tables import ApiKey
from service.database.engine import Database

logger = logging.getLogger(__name__)

SECONDS = 30.0
"""Seconds between two writings."""
MOST_OF_A_KIND = 50
"""Most events of a kind that are told apart in a workspace between two writings; the others share one row."""
Kind = tuple[EventKind, UUID | None]


class Notes:
    """The newest use of each key, and the events, that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: dict[str, datetime] = {}
        self._calls: Counter[str] = Counter()
        self._events: Counter[Event] = Counter()
        self._kinds: Counter[Kind] = Counter()

    def use(self, key_id: str) -> None:
        """Note that a key is used now."""
        with self._lock:
            self._uses[key_id] = datetime.now(UTC)
            self._calls[key_id] += 1

    def calls(self, key_id: str) -> int:
        """Return how often a key was used since the process started."""
        with self._lock:
            return self._calls[key_id]

    def last_use(self, key_id: str) -> datetime | None:
        """Return the newest use of a key that is not written yet; None without one."""
        with self._lock:
            return self._uses.get(key_id)

    def event(self, event: Event) -> None:
        """Note an event; beyond MOST_OF_A_KIND different ones of its kind and workspace it only counts."""
        kind = event.kind, event.workspace_id
        with self._lock:
            if event not in self._events:
                if self._kinds[kind] >= MOST_OF_A_KIND:
                    event = Event(*kind, subject="others")
                else:
                    self._kinds[kind] += 1
            self._events[event] += 1

    def write(self, database: Database) -> None:
        """Write what was noted; what cannot be written now is kept for the next time."""
        with self._lock:
            uses, events = self._uses, self._events
            self._uses, self._events, self._kinds = {}, Counter(), Counter()
        if not uses and not events:
            return
        try:
            with database.sessions.begin() as session:
                _write_uses(session, uses)
                for event, times in events.items():
                    record(session, event, times)
        except Exception:
            with self._lock:
                self._uses = uses | self._uses
                self._events += events
                self._kinds = Counter((event.kind, event.workspace_id) for event in self._events)
            raise


def _write_uses(session: Session, uses: dict[str, datetime]) -> None:
    for key_id, at in sorted(uses.items()):
        older = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
        session.execute(update(ApiKey).where(ApiKey.id == key_id, older).values(last_used_at=at))


def get_notes(request: Request) -> Notes:
    """Return the running app's notes."""
    return cast(Notes, request.state.notes)


NotesDep = Annotated[Notes, Depends(get_notes)]


@asynccontextmanager
async def writing_notes(database: Database, notes: Notes, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Write the notes every `seconds` in the background, and once more on leaving."""
    stop = asyncio.Event()
    writing = asyncio.create_task(_write_until(stop, database, notes, seconds))
    try:
        yield
    finally:
        stop.set()
        await writing


async def _write_until(stop: asyncio.Event, database: Database, notes: Notes, seconds: float) -> None:
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        try:
            await run_in_threadpool(notes.write, database)
        except Exception:  # the database may be away for a while: the next round tries again
            logger.exception(
                "Uses of keys and audit events could not be written; next attempt in %g s.", seconds
            )
