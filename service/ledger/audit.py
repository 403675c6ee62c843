"""Audit of the ledger from outside the database: hash chains recomputed in Python, and noted heads.

A superuser of the database can rewrite a whole chain and its head, and every check inside the database then
agrees. A head that was noted elsewhere still disagrees, because its hash covers everything before it.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.book import first_break
from service.ledger.evidence_audit import audit_evidence
from service.ledger.findings import Finding
from service.ledger.heads import Head, audit_heads
from service.ledger.repository import violations
from service.ledger.transfers import chain


def take_snapshot(session: Session) -> None:
    """Let a session read one snapshot of the database without a time-out. Call before its first query."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    session.execute(text("SET LOCAL statement_timeout = 0"))


def audit_ledger(session: Session, noted: Iterable[Head] = ()) -> Iterator[Finding]:
    """Yield broken invariants, chains and rows that do not recompute, and noted heads that are missing."""
    for rule, subject in violations(session):
        yield Finding(rule=rule, subject=subject)
    for workspace_id in session.execute(text("SELECT workspace_id FROM ledger.chain ORDER BY 1")).scalars():
        with closing(chain(session, workspace_id)) as transfers:
            broken = first_break(transfers)
        if broken is not None:
            where = f"{workspace_id} {broken}"
            yield Finding(rule="C1 the chain recomputes outside the database", subject=where)
    yield from audit_evidence(session)
    yield from audit_heads(session, noted)
