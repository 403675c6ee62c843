"""The serving role reads, adds rows, and moves money by the ledger's functions, and can do nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from service.app import create_app
from service.cli import app
from service.database.engine import Database, connect
from service.database.roles import APP, check_role, let_serve
from service.errors import UnavailableError
from service.ledger import writer
from service.settings import RoleCheck, Settings
from tests.support.databases import administer
from tests.support.money import cents

TABLES = text("""
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace IN ('ledger'::regnamespace, 'public'::regnamespace) AND relkind = 'r' ORDER BY 1
""")
CHANGES = {
    ("order", "status"), ("order", "hold_id"), ("order", "expires_at"), ("api_key", "revoked_at"),
    ("api_key", "last_used_at"), ("api_key", "operator"), ("dashboard_session", "ended_at"),
    ("idempotency", "status"), ("idempotency", "body"), ("idempotency_claim", "claimed_until"),
    ("plan", "id"), ("scene", "pixels_deleted_at"), ("scene", "pixels_deleted_by"),
    ("order", "pixels_deleted_at"), ("order", "pixels_deleted_by"),
    ("order", "name"), ("order", "external_id"),
    ("plan_naming", "name"), ("plan_naming", "external_id"), ("plan_naming", "tags"),
    ("delivered_file", "pixels"), ("delivered_file", "pixels_sha256"),
    ("delivered_part", "pixels"), ("delivered_part", "pixels_sha256"),
    ("workspace", "scene_days"), ("workspace", "delivery_days"),
    *(("job", column) for column in (
        "status", "attempts", "cancel_requested", "tiles_done", "tiles", "progress_at", "result", "problem",
        "started_at", "finished_at",
    )),
}  # fmt: skip


@pytest.fixture
def served(serving_url: str) -> Iterator[Database]:
    """Connect to the test's database as the serving role."""
    served = connect(serving_url)
    yield served.of_all()
    served.engine.dispose()


@pytest.fixture
def budget(served: Database, workspace_id: UUID) -> UUID:
    """Open a budget of 1.00 USD with a hold of 0.10 as the serving role."""
    with served.sessions.begin() as session:
        opened = writer.create_budget(session, workspace_id, "guarded", cents(100))
        writer.reserve(session, workspace_id, opened, cents(10), "order:1")
    return opened


def refused(served: Database, statement: str) -> bool:
    """Return whether the database refuses a statement for lack of a privilege."""
    with served.sessions() as session:
        try:
            session.execute(text(statement))
        except ProgrammingError as error:
            return isinstance(error.orig, InsufficientPrivilege)
    return False


def test_serving_role_can_only_add_rows(served: Database, database: Database) -> None:
    """Cover every table that a migration adds."""
    with database.sessions() as session:
        tables = session.execute(TABLES).scalars().all()
    assert {"ledger.transfer", "ledger.entry", "ledger.account", "plan", "delivery"} < set(tables)
    for table in tables:
        for statement in (
            "DELETE FROM {}",
            "TRUNCATE {}",
            "DROP TABLE {}",
            "ALTER TABLE {} DISABLE TRIGGER ALL",
        ):
            assert refused(served, statement.format(table)), statement.format(table)
        if table.startswith("ledger.") or table == "alembic_version":
            assert refused(served, f"INSERT INTO {table} DEFAULT VALUES"), table


def test_serving_role_can_update_only_the_listed_columns(served: Database) -> None:
    columns = text("""
        SELECT table_schema, table_name, column_name FROM information_schema.column_privileges
        WHERE grantee = :app AND privilege_type = 'UPDATE'
            AND table_schema <> 'procrastinate'  -- the library's own rows: service/jobs keeps what counts
    """)
    with served.sessions() as session:
        found = {tuple(row) for row in session.execute(columns, {"app": APP})}

    assert found == {("public", table, column) for table, column in CHANGES}


def test_security_page_names_every_column_that_the_serving_role_can_update() -> None:
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(\w+)\.(\w+|\*)`", page.split("## The server's role of the database")[1]))

    assert {
        (table, column) for table, column in CHANGES if not named & {(table, column), (table, "*")}
    } == set()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.account SET balance = 1000000",
        "UPDATE ledger.hold SET released = 0",
        "UPDATE ledger.chain SET seq = 0",
        'UPDATE "order" SET amount_minor = 1',
        "UPDATE delivery SET settled_minor = 0",
        "SET session_replication_role = replica",
        "SET ROLE loupe_owner",
        "GRANT loupe_owner TO CURRENT_USER",
        "ALTER TABLE ledger.transfer DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON ledger.transfer",
        "ALTER TABLE ledger.account DROP CONSTRAINT account_never_overspent",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "ALTER FUNCTION ledger.refuse_change() RENAME TO refuse",
        "CREATE OR REPLACE FUNCTION ledger.today() RETURNS date LANGUAGE sql AS 'SELECT current_date'",
        "DROP SCHEMA ledger CASCADE",
        "CREATE TABLE ledger.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE ROLE mine SUPERUSER",
        "ALTER ROLE loupe_server SUPERUSER",
        "COPY ledger.movement TO PROGRAM 'true'",
    ],
)
def test_serving_role_cannot_bypass_the_ledger(served: Database, budget: UUID, statement: str) -> None:
    assert budget
    assert refused(served, statement)


@pytest.mark.parametrize(
    "call",
    [
        "ledger.post('fund', '{budget}', 1000000, NULL, 'budget:more')",
        "ledger.move_balance('{budget}', 'available', 1000000)",
        "ledger.count_hold('reserve', '{budget}', gen_random_uuid(), 5)",
    ],
)
def test_serving_role_cannot_call_inner_functions(served: Database, budget: UUID, call: str) -> None:
    assert refused(served, "SELECT " + call.format(budget=budget))


def test_serving_role_can_call_only_the_entrances(served: Database) -> None:
    """Fail for a new callable function until it is listed here as an entrance."""
    query = text("""
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'ledger'::regnamespace AND has_function_privilege(oid, 'EXECUTE')
    """)
    with served.sessions() as session:
        found = set(session.execute(query).scalars())

    entrances = {
        "open_budget",
        "change_budget",
        "lock_budget",
        "reserve",
        "use_hold",
        "adjust",
        "decide",
        "close_month",
    }
    reading = {"transfer_hash", "loosens", "needs_approval", "sees"}
    reading |= {"grams", "grams_of_plan", "grams_of_names", "plans_holding"}
    assert found == entrances | reading


def test_ledger_belongs_to_a_role_without_login(database: Database) -> None:
    query = text("""
        SELECT DISTINCT r.rolname, r.rolsuper, r.rolcanlogin, r.rolcreaterole, r.rolbypassrls
        FROM (
            SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'ledger'::regnamespace
            UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace
            UNION ALL SELECT nspowner FROM pg_namespace WHERE nspname = 'ledger'
        ) AS owned JOIN pg_roles r ON r.oid = owned.owner
    """)
    with database.sessions() as session:
        assert [tuple(row) for row in session.execute(query)] == [("loupe_owner", False, False, False, False)]


def test_readyz_has_no_warning_for_the_serving_role(client: TestClient) -> None:
    answer = client.get("/readyz").json()

    assert (answer["checks"]["role"], answer["warnings"]) == (True, [])


@pytest.mark.parametrize(
    ("policy", "status", "said"), [("warn", 200, True), ("refuse", 503, True), ("off", 200, False)]
)
def test_readyz_reports_a_role_that_can_bypass_the_ledger(
    settings: Settings, database_url: str, policy: RoleCheck, status: int, said: bool
) -> None:
    owner = {"database_url": SecretStr(database_url), "role_check": policy}
    as_owner = settings.model_copy(update=owner)
    with TestClient(create_app(as_owner)) as client:
        answer = client.get("/readyz")

    assert answer.status_code == status
    assert any("it is a superuser" in warning for warning in answer.json()["warnings"]) is said


def test_check_role_warns_or_refuses(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    check_role(database.engine, "off")
    assert not caplog.records
    check_role(database.engine, "warn")
    assert "it is a superuser" in caplog.text
    with pytest.raises(UnavailableError, match="loupe db grant"):
        check_role(database.engine, "refuse")


def test_db_grant_makes_a_serving_role(
    server: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
    upgraded, granted = (
        CliRunner().invoke(app, ["db", *words]) for words in (["upgrade"], ["grant", "helper"])
    )
    assert upgraded.output.splitlines()[-1].endswith("loupe db grant ROLE")
    assert granted.output.startswith("helper can serve now")

    administer(server, "ALTER ROLE helper SUPERUSER")
    refused = CliRunner().invoke(app, ["db", "grant", "helper"])
    administer(server, "DROP ROLE helper")
    assert refused.exit_code == 1
    assert "can also bypass the ledger: it is a superuser" in refused.output


def test_let_serve_names_a_missing_privilege(served: Database, serving_url: str) -> None:
    assert served
    with pytest.raises(UnavailableError, match=r"Cannot make somebody a serving role.*permission denied"):
        let_serve(serving_url, "somebody")
