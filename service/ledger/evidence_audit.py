"""Audit of the evidence: every row that a figure depends on is digested again and compared."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.evidence import (
    FORMS,
    Evidence,
    Form,
    WrittenJson,
    digest_of,
    first_broken_evidence,
)
from service.ledger.findings import Finding

READ_AT_ONCE = 100
"""Rows in memory; a row can hold the arrays of a large plan."""


WITH_PIXELS = {"public.delivered_file", "public.delivered_part"}


class _JsonAsWritten(Loader):
    """The loader of `jsonb` columns that keeps every digit."""

    def load(self, data: Buffer) -> WrittenJson:
        return WrittenJson(bytes(data).decode())


def audit_evidence(session: Session) -> Iterator[Finding]:
    """Yield broken chains of evidence, and rows that are not what their evidence says."""
    workspaces = session.execute(text("SELECT DISTINCT workspace_id FROM ledger.evidence ORDER BY 1"))
    for workspace_id in workspaces.scalars().all():
        with closing(_chain(session, workspace_id)) as chain:
            broken = first_broken_evidence(chain)
        if broken is not None:
            subject = f"{workspace_id} {broken}"
            yield Finding(rule="C3 the evidence recomputes outside the database", subject=subject)
    for (kind, number), form in FORMS.items():
        for subject in _differing(session, kind, number, form):
            yield Finding(rule="C4 a row is what its evidence says", subject=f"{kind} {subject}")
    for kind, number in _unknown_forms(session):
        yield Finding(rule="C5 this version knows every form of evidence", subject=f"{kind} {number}")


def _chain(session: Session, workspace_id: UUID) -> Generator[Evidence]:
    query = text("""
        SELECT workspace_id, seq, kind, form, subject, digest, hash FROM ledger.evidence
        WHERE workspace_id = :workspace ORDER BY seq
    """).execution_options(yield_per=1_000)
    with session.execute(query, {"workspace": workspace_id}) as rows:
        for row in rows:
            yield Evidence(**row._mapping)


def _differing(session: Session, kind: str, number: int, form: Form) -> Iterator[str]:
    """Yield the key of every row of a form whose digest is not that of its evidence."""
    names = [name.removeprefix("#") for name in form.columns]
    columns = [SQL("r.{}").format(Identifier(name)) for name in names]
    # Of pixels that were deleted, the digest is left.
    left = SQL("r.pixels_sha256" if form.table in WITH_PIXELS else "NULL")
    query = SQL("""
        SELECT e.subject, e.digest, {left}, {columns} FROM {table} r
        JOIN ledger.evidence e ON e.kind = %s AND e.subject = concat_ws('/', {keys})
        WHERE e.form = %s
    """).format(
        left=left,
        columns=SQL(", ").join(columns),
        table=Identifier(*form.table.split(".")),
        keys=SQL(", ").join(columns[: form.keys]),
    )
    with _cursor(session) as cursor:
        cursor.execute(query, (kind, number))
        for subject, digest, pixels_sha256, *values in cursor:
            if pixels_sha256 is not None:
                values[names.index("pixels")] = pixels_sha256.hex()
            if digest != digest_of(values):
                yield subject


def _cursor(session: Session) -> psycopg.ServerCursor[Any]:
    """Open a cursor on the session's snapshot that reads JSON as it is written."""
    connection = cast(psycopg.Connection[Any], session.connection().connection.driver_connection)
    cursor = connection.cursor(name="evidence")
    cursor.itersize = READ_AT_ONCE
    cursor.adapters.register_loader("jsonb", _JsonAsWritten)
    return cursor


def _unknown_forms(session: Session) -> list[tuple[str, int]]:
    rows = session.execute(text("SELECT DISTINCT kind, form FROM ledger.evidence ORDER BY 1, 2")).all()
    return [(kind, form) for kind, form in rows if (kind, form) not in FORMS]
