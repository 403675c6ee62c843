"""Databases of a running PostgreSQL: made as copies of a migrated template, looked into, and dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.access.repository import ensure_first_key
from service.database.engine import Database, connect, upgrade
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
    """How many rows a table has."""
    with database.sessions() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@contextmanager
def connected(url: str, count: int) -> Iterator[list[Database]]:
    """So many clients of one database, each with an engine of its own, as so many processes would be."""
    databases = [connect(url) for _ in range(count)]
    try:
        yield databases
    finally:
        for database in databases:
            database.engine.dispose()
