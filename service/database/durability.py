"""Commits that give up their locks before the disk has them, and answers that wait until it has.

A commit waits milliseconds for the disk. If it kept its locks meanwhile, the calls of one workspace, whose
chain is locked, would wait for the disk one after the other. So a transaction commits without waiting, and
its connection then makes the write-ahead log durable, together with all others that wait at that moment.

The log is lost from its end only. Whoever sees a commit and then makes the log durable has made that commit
durable as well, so transactions that read or are refused do the same. Decision record 31 gives the reasons.
"""

import time
from collections.abc import Sequence
from typing import Any, cast

from psycopg import Connection, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

# Where standby servers have to confirm commits, a commit waits for them as the operator has set it.
_SHARE = b"""
    SELECT set_config('synchronous_commit', 'off', true)
    WHERE current_setting('synchronous_standby_names') = '';
"""
_UNWRITTEN = b"; SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()"
_FLUSH = b"SELECT pg_logical_emit_message(true, 'loupe', '')"
"""A transaction of its own, because only a commit with a record in the log waits for the disk."""


PATIENCE_S = 40.0
"""Most seconds to wait for any answer. The server itself ends a statement after 30."""


class DurableConnection(Connection[Any]):
    """A connection whose transactions return when all that they wrote or saw is on disk.

    No call on it waits for ever: when the server hangs, the call fails and the connection is closed.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer of the server; OperationalError after PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        try:
            return super().wait(gen, interval, PATIENCE_S if timeout is None else timeout)
        except OperationalError as error:
            if timeout is None and time.monotonic() >= deadline and error.sqlstate is None:
                self.pgconn.finish()
                raise OperationalError(f"The database has not answered for {PATIENCE_S:g} s.") from error
            raise

    def commit(self) -> None:
        """Commit, and wait until the commit and everything before it is durable."""
        if self.info.transaction_status == TransactionStatus.INTRANS:
            self._end(_SHARE + b"COMMIT")
        else:
            super().commit()

    def rollback(self) -> None:
        """Roll back, and wait until everything that the transaction saw is durable."""
        if self.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            self._end(b"ROLLBACK")
        else:
            super().rollback()

    def rollback_at_once(self) -> None:
        """Roll back without waiting for the disk."""
        super().rollback()

    def _end(self, statements: bytes) -> None:
        ended = self.execute(statements + _UNWRITTEN, prepare=False)  # one message to the server
        while ended.nextset():
            pass
        if ended.fetchone() == (True,):
            self.flush()

    def flush(self) -> None:
        """Wait until the log is durable up to this moment."""
        self.autocommit = True
        try:
            self.execute(_FLUSH)
        finally:
            self.autocommit = False


def end_at_once(session: Session) -> None:
    """End a transaction that only read, without waiting for the disk.

    No answer may rest on it alone: the request's next transaction waits for what this one saw as well.
    """
    cast(DurableConnection, session.connection().connection.driver_connection).rollback_at_once()


def make_durable(engine: Engine) -> None:
    """Let every connection of an engine be a DurableConnection."""

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, arguments: Sequence[Any], options: dict[str, Any]
    ) -> DurableConnection:
        return DurableConnection.connect(*arguments, **options)
