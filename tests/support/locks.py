"""Statements that a server sends while it has locked the chain of a workspace."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import event, make_url

from service.database.engine import Database

CHAINS = "SELECT workspace_id FROM ledger.chain ORDER BY workspace_id"
FREE_CHAINS = f"{CHAINS} FOR UPDATE SKIP LOCKED"


@dataclass
class Locked:
    """The statements of each transaction from the one that locked the chain to the commit."""

    transactions: list[list[str]] = field(default_factory=list)


@contextmanager
def watch_lock(database: Database, owner_url: str) -> Iterator[Locked]:
    """Note the statements that `database` sends under a chain's lock, as another connection sees it."""
    locked, now = Locked(), list[str]()
    url = make_url(owner_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as probe:

        def note(_connection: object, _cursor: object, statement: str, *_more: Any) -> None:
            if probe.execute(CHAINS).fetchall() != probe.execute(FREE_CHAINS).fetchall():
                now.append(" ".join(statement.split()))

        def commit(_connection: object) -> None:
            if now:
                locked.transactions.append([*now, "COMMIT"])
            now.clear()

        engine = database.engine
        event.listen(engine, "after_cursor_execute", note)
        event.listen(engine, "commit", commit)
        try:
            yield locked
        finally:
            event.remove(engine, "after_cursor_execute", note)
            event.remove(engine, "commit", commit)
