"""The database that tests use in turn is the template's again after each, whatever a test did to it."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.databases import SharedDatabase


@pytest.fixture
def own(server: str, template: str) -> Iterator[SharedDatabase]:
    database = SharedDatabase(server, template)
    yield database
    database.drop()


def run(database: SharedDatabase, statement: str) -> list[tuple[object, ...]]:
    url = make_url(database.url()).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_put_back_removes_new_rows_and_keeps_the_template_s(own: SharedDatabase) -> None:
    keys = run(own, "SELECT id FROM api_key")
    run(own, "DELETE FROM api_key")
    run(own, "INSERT INTO workspace (id, name) VALUES (gen_random_uuid(), 'another')")

    url = own.url()
    own.put_back()

    assert own.url() == url  # the same database
    assert run(own, "SELECT id FROM api_key") == keys
    assert run(own, "SELECT count(*) FROM workspace") == [(1,)]


@pytest.mark.parametrize(
    "tampering",
    [
        "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
        "ALTER TABLE workspace ADD COLUMN more text",
        "CREATE FUNCTION ledger.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "GRANT INSERT ON ledger.entry TO loupe_app",
        "CREATE TABLE public.another (id int)",
        "ALTER TABLE workspace ADD CONSTRAINT short CHECK (length(name) < 100)",
    ],
)
def test_put_back_replaces_a_database_whose_schema_was_changed(own: SharedDatabase, tampering: str) -> None:
    url = own.url()
    run(own, tampering)

    own.put_back()

    assert own.url() != url


def test_put_back_ends_sessions_that_a_test_left_open(own: SharedDatabase) -> None:
    url = make_url(own.url()).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as left_open:
        left_open.execute("LOCK TABLE workspace")

        own.put_back()

        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
