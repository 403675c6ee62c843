"""A real PostgreSQL: one server and one migrated template a run, one database a test."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.pool import NullPool

from service.access.repository import ensure_first_key
from service.access.tables import Workspace
from service.app import create_app
from service.db import Database, connect, upgrade
from service.embedded import embedded_url, stop_embedded
from service.ledger.repository import violations
from service.settings import Settings
from tests.factories import make_settings

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


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a running PostgreSQL of our own; durability is off here and tested elsewhere."""
    # Not below pytest's folder: another run closes that to the server's own system user.
    with TemporaryDirectory(prefix="loupe-", ignore_cleanup_errors=True) as folder:
        url = embedded_url(Path(folder))
        administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
        stop_embedded(Path(folder))


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """Name of a database at the newest migration with one workspace and one key, to be copied."""
    administer(server, "CREATE DATABASE loupe_template")
    url = url_of(server, "loupe_template")
    upgrade(url)
    database = connect(url)
    with database.sessions.begin() as session:
        ensure_first_key(session, KEY)
    database.engine.dispose()
    return "loupe_template"


@pytest.fixture
def database_url(server: str, template: str) -> Iterator[str]:
    """URL of a fresh copy of the template; after the test its books must be right."""
    name = f"test_{next(NUMBERS)}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    url = url_of(server, name)
    yield url
    found = broken_invariants(url)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")

    assert found == []


def broken_invariants(url: str) -> list[tuple[str, str]]:
    database = connect(url)
    with database.sessions() as session:
        found = violations(session)
    database.engine.dispose()
    return found


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's own database."""
    database = connect(database_url)
    yield database
    database.engine.dispose()


@pytest.fixture
def workspace_id(database: Database) -> UUID:
    """The workspace that KEY opens."""
    with database.sessions() as session:
        return session.scalars(select(Workspace.id)).one()


@pytest.fixture
def settings(database_url: str, bundle_folder: Path, tmp_path: Path) -> Settings:
    """Settings of an app on the test's database with the tiny bundle."""
    return make_settings(tmp_path, database_url=database_url, bundle=bundle_folder, api_key=KEY)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of the whole application, with a key."""
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client
