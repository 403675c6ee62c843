"""Databases of a running PostgreSQL: copies of a migrated template, and one that tests use in turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from psycopg import Connection, sql
from psycopg import connect as connect_psycopg
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.access.operator_key import ensure_first_key
from service.database.engine import Database, connect, upgrade
from service.database.roles import SERVER, let_serve
from service.pricing.repository import ensure_examples_everywhere

KEY = "a-key-for-tests-only"
NUMBERS = count(1)


def administer(url: str, *statements: str) -> None:
    """Run statements that may not be part of a transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def url_of(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def make_template(server: str, name: str) -> str:
    """Make a database as a started server leaves it, with one workspace that KEY opens; return its name."""
    administer(server, f"CREATE DATABASE {name}")
    url = url_of(server, name)
    upgrade(url)
    database = connect(url)
    with database.sessions.begin() as session:
        ensure_first_key(session, KEY)
        ensure_examples_everywhere(session)
    database.engine.dispose()
    return name


@contextmanager
def copied(server: str, template: str) -> Iterator[str]:
    """URL of a fresh copy of a template, dropped afterwards."""
    name = f"test_{next(NUMBERS)}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield url_of(server, name)
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def rows(database: Database, table: str) -> int:
    """Count the rows of a table."""
    with database.sessions() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@contextmanager
def connected(url: str, count: int) -> Iterator[list[Database]]:
    """Open `count` clients of one database, each with an engine of its own, as in separate processes."""
    databases = [connect(url) for _ in range(count)]
    try:
        yield databases
    finally:
        for database in databases:
            database.engine.dispose()


class SharedDatabase:
    """One database that tests use in turn: its rows are put back after each, instead of a new copy.

    A copy, its checks and its drop cost 0.6 s a test; putting the rows back costs a few milliseconds. A test
    that changes the schema, a right or a setting is noticed by the catalog, and the next one gets a new copy.
    """

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._name: str | None = None

    def url(self) -> str:
        """Return the URL of a database as the template left it."""
        if self._name is None:
            self._create()
        return url_of(self._server, str(self._name))

    def put_back(self) -> None:
        """Restore every row, or drop the database if its schema is not the template's any more."""
        with self._connect() as connection:
            self._end_other_sessions(connection)
            if self._catalog(connection) == self._fresh_catalog:
                self._restore(connection)
                return
        self.drop()

    def drop(self) -> None:
        """Remove the database; the next `url` makes another."""
        if self._name is not None:
            administer(self._server, f"DROP DATABASE {self._name} WITH (FORCE)")
        self._name = None

    def _create(self) -> None:
        name = f"shared_{next(NUMBERS)}"
        administer(self._server, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        self._name = name
        let_serve(url_of(self._server, name), SERVER)
        with self._connect() as connection:
            tables = connection.execute(TABLES).fetchall()
            self._rows = {table: _copy_out(connection, table) for table in tables}
            self._fresh_catalog = self._catalog(connection)

    def _restore(self, connection: Connection[Any]) -> None:
        # As a replica, no trigger fires: neither the foreign keys nor the guards of the append-only ledger.
        connection.execute("SET session_replication_role = replica")
        deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)) for table in self._rows]
        connection.execute(sql.SQL(";").join([*deletions, sql.SQL(RESTARTING)]))  # in one trip
        for table, rows in self._rows.items():
            if len(rows) > EMPTY_COPY:
                _copy_in(connection, table, rows)

    def _end_other_sessions(self, connection: Connection[Any]) -> None:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def _catalog(self, connection: Connection[Any]) -> object:
        return connection.execute(CATALOG).fetchone()

    def _connect(self) -> Connection[Any]:
        url = make_url(self.url()).set(drivername="postgresql").render_as_string(hide_password=False)
        return connect_psycopg(url, autocommit=True)


TABLES = """
SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname IN ('public', 'ledger', 'procrastinate') AND relkind IN ('r', 'p')
"""
RESTARTING = """
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
JOIN pg_class ON pg_class.oid = seqrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname IN ('public', 'ledger', 'procrastinate')
"""
# The transaction that wrote each row of the catalog: any DDL of our schemas changes the sum.
CATALOG = """
SELECT sum(hashtext(kind || ':' || oid || ':' || xmin)::bigint), count(*) FROM (
    SELECT 'class', oid, xmin FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'ledger')
    UNION ALL SELECT 'attribute', attrelid, xmin FROM pg_attribute WHERE attrelid IN
        (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'ledger'))
    UNION ALL SELECT 'function', oid, xmin FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('public', 'ledger')
    UNION ALL SELECT 'trigger', oid, xmin FROM pg_trigger
    UNION ALL SELECT 'constraint', oid, xmin FROM pg_constraint
        WHERE connamespace::regnamespace::text IN ('public', 'ledger')
    UNION ALL SELECT 'schema', oid, xmin FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT 'policy', oid, xmin FROM pg_policy
    UNION ALL SELECT 'setting', setrole, xmin FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'database', oid, xmin FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'role', oid, xmin FROM pg_authid
    UNION ALL SELECT 'membership', roleid, xmin FROM pg_auth_members
) AS rows (kind, oid, xmin)
"""


def _copy_out(connection: Connection[Any], table: tuple[str, str]) -> bytes:
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(*table))
    with connection.cursor().copy(statement) as copy:
        return b"".join(bytes(part) for part in copy)


def _copy_in(connection: Connection[Any], table: tuple[str, str], rows: bytes) -> None:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(*table))
    with connection.cursor().copy(statement) as copy:
        copy.write(rows)


EMPTY_COPY = 21
"""Bytes of a binary copy without rows: signature, flags, header length and trailer."""
