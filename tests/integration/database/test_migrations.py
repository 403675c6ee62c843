"""Migrations make exactly what the code declares, and are safe to run again."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from alembic import command
from alembic.util.exc import CommandError
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database, alembic_config, is_migrated, upgrade
from service.errors import UnavailableError
from service.ledger.evidence_audit import audit_evidence
from service.ledger.repository import list_budgets, violations
from service.ledger.terms import BudgetTerms
from service.web.paging import PageRequest
from tests.support.money import cents

BOOKS_OF_0003 = """
    SET LOCAL session_replication_role = replica;
    INSERT INTO workspace (id, name) VALUES (gen_random_uuid(), 'old');
    SELECT ledger.open_budget(id, 'old', 'USD', 10000) FROM workspace;
    INSERT INTO "order" (id, workspace_id, plan_id, budget_id, status, currency, amount_minor, patches)
    SELECT gen_random_uuid(), workspace_id, gen_random_uuid(), id, 'accepted', 'USD', 4000, 3
    FROM ledger.budget;
    UPDATE "order" SET hold_id = ledger.reserve(workspace_id, budget_id, 4000, 'order:' || id);
    INSERT INTO order_status_change SELECT id, 1, 'accepted', 'hold_taken', now() FROM "order";
    SET LOCAL session_replication_role = origin
"""

EMPTY = ("DROP SCHEMA public CASCADE", "DROP SCHEMA ledger, procrastinate CASCADE", "CREATE SCHEMA public")
"""Statements that leave a database without a schema of ours."""


def test_migrations_make_the_declared_tables(database_url: str) -> None:
    """Fail when autogenerate would write anything."""
    command.check(alembic_config(database_url))


def test_check_of_declared_tables_finds_a_difference(database_url: str, database: Database) -> None:
    """Check that the test above can fail."""
    with database.sessions.begin() as session:
        session.execute(text("ALTER TABLE plan DROP COLUMN tiles CASCADE"))

    with pytest.raises(CommandError, match="tiles"):
        command.check(alembic_config(database_url))


def test_upgrade_is_safe_to_repeat(database_url: str, database: Database) -> None:
    upgrade(database_url)

    assert is_migrated(database)


def test_concurrent_upgrades_take_turns(database_url: str, database: Database) -> None:
    with database.sessions.begin() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("DROP SCHEMA ledger, procrastinate CASCADE"))
        session.execute(text("CREATE SCHEMA public"))

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(upgrade, [database_url] * 2))

    assert is_migrated(database)


def test_upgrade_keeps_books_of_revision_0003_sound(database_url: str, database: Database) -> None:
    """Migrate a budget with a running order that the functions of revision 0003 wrote."""
    config = alembic_config(database_url)
    with database.sessions.begin() as session:
        for statement in (
            "DROP SCHEMA public CASCADE",
            "DROP SCHEMA ledger, procrastinate CASCADE",
            "CREATE SCHEMA public",
        ):
            session.execute(text(statement))
    command.upgrade(config, "0003")
    with database.sessions.begin() as session:
        for statement in BOOKS_OF_0003.split(";"):
            session.execute(text(statement))

    upgrade(database_url)

    with database.sessions() as session:
        assert violations(session) == []
        (budget,), _ = list_budgets(
            session, session.scalar(text("SELECT id FROM workspace")), PageRequest(10, None)
        )
        days = session.scalar(text("""SELECT expires_at > now() + interval '29 days' FROM "order" """))
    assert (budget.terms, budget.version) == (BudgetTerms(), 1)
    assert (budget.limit, budget.available, budget.held) == (cents(10_000), cents(6_000), cents(4_000))
    assert days


BOOKS_OF_0021 = """
    ALTER TABLE "order" DROP CONSTRAINT fk_order_plan_id_plan;
    INSERT INTO workspace (id, name) VALUES (gen_random_uuid(), 'old');
    INSERT INTO api_key (id, workspace_id, name, digest, holder)
    SELECT 'abcdefgh', id, 'only', 'x', 'abcdefgh' FROM workspace;
    SELECT ledger.open_budget(id, 'old', 'USD', 10000, '{"approval_above_minor": 500}', 'abcdefgh')
    FROM workspace;
    INSERT INTO "order" (
        id, workspace_id, plan_id, budget_id, status, currency, amount_minor, patches, key_id, expires_at,
        tags
    )
    SELECT gen_random_uuid(), workspace_id, gen_random_uuid(), id, 'accepted', 'USD', 0, 3, 'abcdefgh', now(),
        '{}'
    FROM ledger.budget;
    INSERT INTO order_status_change (order_id, seq, status, reason_code)
    SELECT id, 1, 'accepted', 'hold_taken' FROM "order";
    SELECT ledger.adjust(workspace_id, id, 'charge', NULL, NULL, 4000, 'late', 'abcdefgh') FROM "order";
    SELECT ledger.change_budget(workspace_id, id, 20000, '{"approval_above_minor": null}', 'abcdefgh')
    FROM ledger.budget;
    SELECT ledger.change_budget(workspace_id, id, 20000, '{"approval_above_minor": 500}', 'abcdefgh')
    FROM ledger.budget
"""


def test_upgrade_exempts_charges_and_terms_from_before_proposals(
    database_url: str, database: Database
) -> None:
    """Migrate a charge and looser terms that one key made alone; what it makes now is proposed."""
    with database.sessions.begin() as session:
        for statement in (
            "DROP SCHEMA public CASCADE",
            "DROP SCHEMA ledger, procrastinate CASCADE",
            "CREATE SCHEMA public",
        ):
            session.execute(text(statement))
    command.upgrade(alembic_config(database_url), "0021")
    with database.sessions.begin() as session:
        for statement in BOOKS_OF_0021.split(";"):
            session.execute(text(statement))

    upgrade(database_url)

    with database.sessions.begin() as session:
        found = [violations(session), list(audit_evidence(session))]
        session.execute(
            text("""SELECT ledger.adjust(workspace_id, id, 'charge', NULL, NULL, 501, 'late', 'abcdefgh')
                FROM "order" """)
        )
        waiting = session.scalar(text("SELECT count(*) FROM ledger.proposal"))
    assert found == [[], []]
    assert waiting == 1


@pytest.mark.parametrize("currency", ["CLF", "UYI", "UYW"])
def test_upgrade_refuses_amounts_whose_decimals_changed(
    database_url: str, database: Database, currency: str
) -> None:
    with database.sessions.begin() as session:
        for statement in (
            "DROP SCHEMA public CASCADE",
            "DROP SCHEMA ledger, procrastinate CASCADE",
            "CREATE SCHEMA public",
        ):
            session.execute(text(statement))
    command.upgrade(alembic_config(database_url), "0008")
    with database.sessions.begin() as session:
        session.execute(text("INSERT INTO workspace (id, name) VALUES (gen_random_uuid(), 'old')"))
        opened = text("SELECT ledger.open_budget(id, 'old', :currency, 10000) FROM workspace")
        session.execute(opened, {"currency": currency})

    with pytest.raises(UnavailableError, match=rf"not upgraded.*\({currency}: budgets 1, plans 0\)"):
        upgrade(database_url)

    with database.sessions() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0008"


def test_readyz_refuses_an_old_schema(client: TestClient, database: Database) -> None:
    with database.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, False)


def test_tables_of_record_are_append_only(database: Database) -> None:
    """Fail for a new table until it is on one of these lists."""
    guarded = {
        "ledger.transfer", "ledger.entry", "ledger.movement", "ledger.budget", "ledger.budget_terms",
        "ledger.adjustment", "ledger.proposal", "ledger.decision", "ledger.evidence",
        "ledger.closed_month", "ledger.month_balance",
        "price_list", "plan", "delivery", "delivered_file", "delivered_part", "order_status_change",
        "classification", "final_bill", "late_bill", "invoice", "invoice_line", "true_labels",
        "audit_event", "delegation",
    }  # fmt: skip
    changing = {
        "ledger.account", "ledger.chain", "ledger.hold",  # sums of the above, written by ledger.post alone
        "order", "idempotency", "idempotency_claim", "workspace", "api_key", "scene", "alembic_version",
        "dashboard_session", "job", "plan_naming",
    }  # fmt: skip
    tables = text("""
        SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS name,
            count(t.oid) FILTER (WHERE t.tgname LIKE 'append_only%') = 2 AS append_only
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_trigger t ON t.tgrelid = c.oid
        WHERE c.relkind = 'r' AND n.nspname IN ('public', 'ledger') GROUP BY 1
    """)

    with database.sessions() as session:
        found = {row.name: row.append_only for row in session.execute(tables)}

    assert found == dict.fromkeys(guarded, True) | dict.fromkeys(changing, False)
