"""A transaction returns when all that it wrote or saw is on disk, and has given up its locks before."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.errors import AdminShutdown
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from service.access.caller import caller_of
from service.access.notes import Notes
from service.database.durability import DurableConnection
from service.database.engine import Database, connect
from service.ledger import writer
from service.orders.expiry import expire_orders
from tests.support.databases import KEY, administer
from tests.support.money import cents
from tests.support.waiting import eventually

Other = psycopg.Connection[Any]


@pytest.fixture
def other(database_url: str) -> Iterator[Other]:
    """Connect as another client does, whose commits do not wait for the disk."""
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        yield connection


@pytest.fixture
def patient_server(server: str) -> Iterator[None]:
    """Keep the server from writing by itself, as it does five times a second, what nobody waits for."""
    administer(server, "ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()")
    yield
    administer(server, "ALTER SYSTEM RESET wal_writer_delay", "SELECT pg_reload_conf()")


def is_flushed(other: Other, place: str) -> bool:
    """Say whether the log is on disk up to a place."""
    return other.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", [place]).fetchone() == (True,)


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def budgets(other: Other) -> int:
    return len(other.execute("SELECT FROM ledger.budget").fetchall())


def commit_unflushed(other: Other) -> str:
    """Commit something that is not on disk, and return its place in the log."""
    for _ in range(100):  # the server writes what is left behind five times a second
        other.execute("CREATE TABLE IF NOT EXISTS note (id serial)")
        other.execute("INSERT INTO note DEFAULT VALUES")
        row = other.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        if row and not is_flushed(other, row[0]):
            return str(row[0])
    raise AssertionError("every commit was on disk at once")


def test_commit_waits_until_it_is_on_disk(database: Database, workspace_id: UUID, other: Other) -> None:
    with database.sessions.begin() as session:
        writer.create_budget(session, workspace_id, "disk", cents(1))
        place = session.execute(text("SELECT pg_current_wal_insert_lsn()::text")).scalar_one()

    assert is_flushed(other, place)


def reads(database: Database) -> None:
    with database.sessions() as session:
        session.execute(text("SELECT count(*) FROM ledger.budget"))


def commits(database: Database) -> None:
    with database.sessions.begin() as session:
        session.execute(text("SELECT count(*) FROM ledger.budget"))


def is_refused(database: Database) -> None:
    with database.sessions.begin() as session:
        session.execute(text("SELECT count(*) FROM ledger.budget"))
        session.rollback()


def fails(database: Database) -> None:
    with pytest.raises(Exception, match="division by zero"), database.sessions.begin() as session:
        session.execute(text("SELECT 1 / 0"))


@pytest.mark.parametrize("end", [reads, commits, is_refused, fails])
def test_transaction_that_writes_nothing_waits_until_what_it_saw_is_on_disk(
    database: Database, other: Other, end: Callable[[Database], None]
) -> None:
    place = commit_unflushed(other)

    end(database)

    assert is_flushed(other, place)


def test_commit_gives_up_its_locks_before_it_waits(
    database: Database, workspace_id: UUID, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = list[bool]()
    flush = DurableConnection.flush

    def look_and_flush(connection: DurableConnection) -> None:
        query = "SELECT FROM ledger.chain WHERE workspace_id = %s FOR UPDATE SKIP LOCKED"
        free.append(other.execute(query, [workspace_id]).rowcount == 1)
        flush(connection)

    with monkeypatch.context() as patch:
        patch.setattr(DurableConnection, "flush", look_and_flush)
        with database.sessions.begin() as session:
            writer.create_budget(session, workspace_id, "locks", cents(1))

    assert free == [True]


@pytest.mark.usefixtures("patient_server")
def test_looks_before_a_request_do_not_wait(
    database: Database, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction that answers waits for what they saw as well."""
    waits = list[int]()
    reads(database)  # an engine looks around when it first connects
    with monkeypatch.context() as patch:
        patch.setattr(DurableConnection, "flush", lambda _connection: waits.append(1))
        commit_unflushed(other)
        caller_of(database, Notes(), KEY, None)
        expire_orders(database)
        assert waits == []
        reads(database)
    assert len(waits) == 1


def test_commit_waits_itself_where_standby_servers_confirm(
    database_url: str, workspace_id: UUID, server: str, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No standby server is there: `local` keeps the commit from waiting for one."""
    name = make_url(database_url).database
    administer(database_url, f"ALTER DATABASE {name} SET synchronous_commit = 'local'")
    administer(server, "ALTER SYSTEM SET synchronous_standby_names = 'one'", "SELECT pg_reload_conf()")
    database = connect(database_url)
    try:
        eventually(lambda: other.execute("SHOW synchronous_standby_names").fetchone() == ("one",))
        with monkeypatch.context() as patch:
            patch.setattr(DurableConnection, "flush", lambda _connection: None)
            with database.sessions.begin() as session:
                writer.create_budget(session, workspace_id, "standby", cents(1))
                place = session.execute(text("SELECT pg_current_wal_insert_lsn()::text")).scalar_one()
        assert is_flushed(other, place)
    finally:
        database.engine.dispose()
        administer(server, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


def test_request_whose_commit_did_not_reach_the_disk_is_not_answered(
    client: TestClient, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "lost answer", "limit": {"amount": "1.00", "currency": "USD"}}
    headers = key()

    flush = DurableConnection.flush

    def fail_once_opened(connection: DurableConnection) -> None:
        if budgets(other):
            raise AdminShutdown
        flush(connection)

    with monkeypatch.context() as patch:
        patch.setattr(DurableConnection, "flush", fail_once_opened)
        lost = client.post("/v1/budgets", json=body, headers=headers)
    again = client.post("/v1/budgets", json=body, headers=headers)

    assert lost.status_code == 503
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert budgets(other) == 1


def test_a_call_to_a_server_that_hangs_fails_and_closes_its_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.durability.PATIENCE_S", 0.3)
    with database.engine.connect() as connection:
        used = connection.connection.driver_connection
        with pytest.raises(OperationalError, match="has not answered for"):
            connection.execute(text("SELECT pg_sleep(20)"))
    assert isinstance(used, DurableConnection)
    assert used.closed
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
