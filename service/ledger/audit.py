"""Audit of the ledger from outside the database: hash chains recomputed in Python, and noted heads.

A superuser of the database can rewrite a whole chain and its head, and every check inside the database then
agrees. A head that was noted elsewhere still disagrees, because its hash covers everything before it.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.book import first_break
from service.ledger.repository import chain, violations


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A broken rule and its subject."""

    rule: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest transfer of a workspace. Once it is noted elsewhere, a change before it is found."""

    workspace_id: UUID
    seq: int
    hash: bytes


def take_snapshot(session: Session) -> None:
    """Let a session read one snapshot of the database without a time-out. Call before its first query."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    session.execute(text("SET LOCAL statement_timeout = 0"))


def heads(session: Session) -> list[Head]:
    """Return the head of every workspace's chain that has a transfer."""
    query = text("SELECT workspace_id, seq, hash FROM ledger.chain WHERE seq > 0 ORDER BY workspace_id")
    return [Head(**row._mapping) for row in session.execute(query)]


def audit_ledger(session: Session, noted: Iterable[Head] = ()) -> Iterator[Finding]:
    """Yield every broken invariant, every chain that does not recompute, every noted head that is missing."""
    for rule, subject in violations(session):
        yield Finding(rule=rule, subject=subject)
    for workspace_id in session.execute(text("SELECT workspace_id FROM ledger.chain ORDER BY 1")).scalars():
        with closing(chain(session, workspace_id)) as transfers:
            broken = first_break(transfers)
        if broken is not None:
            where = f"{workspace_id} {broken}"
            yield Finding(rule="C1 the chain recomputes outside the database", subject=where)
    for head in noted:
        if _hash_at(session, head) != head.hash:
            yield Finding(rule="C2 a noted head is found again", subject=f"{head.workspace_id} {head.seq}")


def _hash_at(session: Session, head: Head) -> bytes | None:
    query = text("SELECT hash FROM ledger.transfer WHERE workspace_id = :workspace AND seq = :seq")
    return session.execute(query, {"workspace": head.workspace_id, "seq": head.seq}).scalar_one_or_none()
