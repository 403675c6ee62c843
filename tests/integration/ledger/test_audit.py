"""Findings of the audit beyond those of the database: rewritten chains, and plans with wrong money."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.ledger import writer
from service.ledger.audit import audit_ledger, take_snapshot
from service.ledger.findings import Finding
from service.ledger.heads import Head, heads
from service.ledger.repository import violations
from service.plans.audit import audit_plans
from service.plans.tables import Plan
from tests.proofs.tampering import REHASH
from tests.support.bundles import make_geotiff
from tests.support.money import cents

WITHOUT_TRIGGERS = text("SET LOCAL session_replication_role = replica")
REWRITE = text(REHASH)


@pytest.fixture
def books(database: Database, workspace_id: UUID) -> Database:
    """Three transfers: funded, held, partly released."""
    with database.sessions.begin() as session:
        budget = writer.create_budget(session, workspace_id, "audited", cents(10_000))
        hold = writer.reserve(session, workspace_id, budget, cents(5_000), "order:1")
        writer.release(session, hold, cents(1_000), "order:1")
    return database


def rules(session: Session, noted: list[Head]) -> list[str]:
    return [finding.rule.split()[0] for finding in audit_ledger(session, noted)]


def test_audit_of_sound_books_finds_nothing(books: Database, workspace_id: UUID) -> None:
    with books.sessions() as session:
        take_snapshot(session)
        (head,) = heads(session)
        assert (head.workspace_id, head.seq) == (workspace_id, 3)
        assert list(audit_ledger(session, [head])) == []


def test_audit_finds_a_rewritten_chain_only_with_a_noted_head(books: Database) -> None:
    with books.sessions() as session:
        noted = heads(session)
        session.execute(WITHOUT_TRIGGERS)
        session.execute(text("UPDATE ledger.transfer SET at = at - interval '1 day' WHERE seq = 2"))
        session.execute(REWRITE)
        assert violations(session) == []
        assert rules(session, []) == []
        assert rules(session, noted) == ["C2"]


def test_audit_finds_removed_newest_transfers_with_a_noted_head(books: Database) -> None:
    with books.sessions() as session:
        noted = heads(session)
        session.execute(WITHOUT_TRIGGERS)
        session.execute(text("DELETE FROM ledger.transfer WHERE seq = 3"))
        assert "C2" in rules(session, noted)


def test_audit_finds_a_broken_chain_despite_a_forged_hash_function(
    books: Database,
) -> None:
    """A superuser may replace the function that hashes."""
    with books.sessions() as session:
        session.execute(WITHOUT_TRIGGERS)
        session.execute(text("UPDATE ledger.transfer SET at = at - interval '1 day' WHERE seq = 2"))
        session.execute(
            text("""CREATE OR REPLACE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea
                    LANGUAGE sql IMMUTABLE AS 'SELECT t.hash'""")
        )
        assert violations(session) == []
        assert rules(session, []) == ["C1"]


@pytest.mark.parametrize(
    "column", ["cost_minor", "baseline_minor", "list_saving_minor", "billable_saving_minor"]
)
def test_audit_finds_a_plan_with_changed_amounts(client: TestClient, database: Database, column: str) -> None:
    answer = client.post("/v1/plans", content=make_geotiff(), headers={"Content-Type": "image/tiff"})
    with database.sessions() as session:
        assert list(audit_plans(session)) == []
        session.execute(WITHOUT_TRIGGERS)
        plan = session.scalars(select(Plan)).one()
        setattr(plan, column, getattr(plan, column) + 1)
        session.flush()
        assert list(audit_plans(session)) == [
            Finding(rule="P1 a plan's money recomputes from its row", subject=answer.json()["id"])
        ]


def test_audit_finds_a_plan_with_terms_of_no_price_list(client: TestClient, database: Database) -> None:
    client.post("/v1/plans", content=make_geotiff(), headers={"Content-Type": "image/tiff"})
    with database.sessions() as session:
        session.execute(WITHOUT_TRIGGERS)
        session.execute(
            text("UPDATE plan SET bill = jsonb_set(bill, '{terms,provider}', '\"Somebody else\"')")
        )
        assert [finding.rule.split()[0] for finding in audit_plans(session)] == ["P2"]


def test_audit_accepts_plans_from_before_a_term_was_known(client: TestClient, database: Database) -> None:
    client.post("/v1/plans", content=make_geotiff(), headers={"Content-Type": "image/tiff"})
    with database.sessions() as session:
        session.execute(WITHOUT_TRIGGERS)
        session.execute(text("UPDATE plan SET bill = bill #- '{terms,delivery_bands}'"))
        assert list(audit_plans(session)) == []
