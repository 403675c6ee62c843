"""Row-level security: a transaction sees its own workspace, and nothing if it names none."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from service.access.keys import id_of
from service.access.repository import create_key, create_workspace
from service.cli import app
from service.database.engine import Database, connect
from service.settings import Settings
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices

OPEN = {"alembic_version", "ledger.movement"}
"""Tables without a workspace: the number of the schema, and the kinds of movements.

The queue in the schema `procrastinate` holds ids of jobs only, and workers serve all workspaces.
"""
TABLES = text("""
    SELECT c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
        array(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY 1) AS policies
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'procrastinate')
""")


@pytest.fixture
def served(serving_url: str) -> Iterator[Database]:
    """Connect to the test's database as the serving role."""
    served = connect(serving_url)
    yield served
    served.engine.dispose()


@pytest.fixture
def journey(client: TestClient) -> None:
    """Plan, order, deliver and cancel, so that most tables have rows."""
    publish_prices(client)
    order = buy(client, plan_scene(client), patches=1, budget=open_budget(client))
    client.post(f"/v1/orders/{order}/cancel")


def protected(database: Database) -> list[str]:
    with database.sessions() as session:
        return [row.name for row in session.execute(TABLES) if row.name not in OPEN]


def count(database: Database, table: str) -> int:
    with database.sessions() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_every_table_with_a_workspace_is_protected(database: Database) -> None:
    """Fail for a new table until it has its policies, or is on the list OPEN."""
    with database.sessions() as session:
        found = {row.name: (row.forced, tuple(row.policies)) for row in session.execute(TABLES)}
    wanted = (True, ("ledger_functions", "own_workspace"))
    assert found == {name: (False, ()) if name in OPEN else wanted for name in found}
    assert found.keys() >= OPEN


def test_views_show_what_their_reader_may_see(database: Database) -> None:
    query = text("""
        SELECT oid::regclass::text FROM pg_class
        WHERE relkind = 'v' AND relnamespace IN ('ledger'::regnamespace, 'public'::regnamespace)
            AND NOT coalesce(reloptions, '{}') @> ARRAY['security_invoker=true']
    """)
    with database.sessions() as session:
        assert session.scalars(query).all() == []


@pytest.mark.usefixtures("journey")
def test_session_that_names_no_workspace_reads_nothing(served: Database, database: Database) -> None:
    read = [table for table in protected(database) if count(database, table)]
    assert len(read) >= 15
    for table in read:
        with pytest.raises(DBAPIError, match=r"loupe\.workspace|invalid input syntax for type uuid"):
            count(served, table)


@pytest.mark.usefixtures("journey")
def test_session_of_a_workspace_sees_its_rows_and_no_others(
    served: Database, database: Database, workspace_id: UUID
) -> None:
    foreign = served.of(uuid4())
    for table in protected(database):
        whole = count(served.of_all(), table)
        assert whole == count(database, table), table
        assert (count(foreign, table), count(served.of(workspace_id), table)) == (0, whole), table


def test_session_of_a_workspace_cannot_write_into_another(
    served: Database, database: Database, workspace_id: UUID
) -> None:
    with database.sessions.begin() as session:
        other = create_workspace(session, "other")
        key = create_key(session, other, "theirs")
    row = {"digest": b"x" * 32, "workspace": other.id, "key": id_of(key)}
    insert = """INSERT INTO dashboard_session (digest, workspace_id, key_id, expires_at)
        VALUES (:digest, :workspace, :key, now())"""
    refused = pytest.raises(DBAPIError, match="row-level security")
    with served.of(workspace_id).sessions() as session, refused:
        session.execute(text(insert), row)
    with served.of(other.id).sessions() as session:
        session.execute(text(insert), row)


def test_setting_ends_with_its_transaction(served: Database, workspace_id: UUID) -> None:
    """A connection of the pool that served one workspace shows nothing to the next one by chance."""
    scoped = served.of(workspace_id)
    with scoped.sessions() as session:
        session.execute(text("SELECT count(*) FROM workspace"))
        session.commit()
        assert session.execute(text("SELECT count(*) FROM workspace")).scalar_one() == 1
    with served.sessions() as session, pytest.raises(DBAPIError):
        session.execute(text("SELECT count(*) FROM workspace"))


def test_no_caller_sees_what_the_database_says_of_a_lost_workspace(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Database, "of_caller", lambda database, _request: database)
    answers = [client.get(path) for path in ("/v1/budgets", "/v1/audit", "/v1/ledger")]

    assert [answer.status_code for answer in answers] == [500] * 3
    for answer in answers:
        assert answer.json()["detail"].startswith("The server's log has the cause")
        assert "workspace" not in answer.text
    assert caplog.text.count("Unexpected error in request") == 3  # with its cause, for the operator


def test_no_command_shows_what_the_database_says_of_a_lost_workspace(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("LOUPE_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setattr(Database, "of_all", lambda database: database)
    shown = CliRunner().invoke(app, ["audit", "--server"])

    assert shown.exit_code == 1
    assert "The database went away, or refused what the command asked" in shown.output
    assert "loupe.workspace" not in shown.output
