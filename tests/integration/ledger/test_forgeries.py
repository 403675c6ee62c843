"""Forgeries of a superuser on books that the API wrote: the audit finds each, and noted heads a rewrite."""

from collections.abc import Iterable, Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.repository import create_key
from service.access.tables import Workspace
from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.ledger.heads import Head, heads
from service.plans.audit import audit_plans
from tests.proofs.forgeries import FORGERIES, HEALED, RECHAIN
from tests.support.ordering import change_budget, deliver, open_budget, place, plan_scene, publish_prices


def rules(session: Session, noted: list[Head]) -> set[str]:
    return {one.rule.split()[0] for one in (*audit_ledger(session, noted), *audit_plans(session))}


@pytest.fixture
def books(client: TestClient, database: Database, workspace_id: UUID) -> Iterator[tuple[Session, list[Head]]]:
    """Make orders: approved, partly delivered, refunded and cancelled; held. Yield a session to forge in."""
    publish_prices(client)
    budget = open_budget(client, approval_above={"amount": "1.00", "currency": "USD"})
    with database.sessions.begin() as session:
        other = create_key(session, session.get_one(Workspace, workspace_id), "other")
    plan = plan_scene(client)
    order = str(place(client, plan).json()["id"])
    approval = client.post(
        f"/v1/orders/{order}/approval",
        json={"decision": "approve"},
        headers={"Authorization": f"Bearer {other}"},
    )
    assert approval.status_code == 200, approval.text
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    assert client.post(f"/v1/orders/{order}/cancel").status_code == 200
    assert change_budget(client, budget, thresholds=[50]).status_code == 200
    for limit in ("150.00", "200.00"):
        raised = change_budget(client, budget, limit={"amount": limit, "currency": "USD"})
    proposal = raised.json()["waiting"][0]["id"]
    approval = client.post(
        f"/v1/proposals/{proposal}/approval",
        json={"decision": "approve"},
        headers={"Authorization": f"Bearer {other}"},
    )
    assert approval.status_code == 200, approval.text
    place(client, plan_scene(client, max_patches=1, reuse="none"))
    plan_scene(client, max_patches=2, reuse="none")
    refund = {
        "order": order, "kind": "refund", "amount": {"amount": "0.50", "currency": "USD"}, "reason": "clouds",
    }  # fmt: skip
    answer = client.post("/v1/ledger/adjustments", json=refund, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 201, answer.text
    labels = client.post(f"/v1/orders/{order}/classification", json={"allow_partial": True})
    assert labels.status_code in {200, 201}, labels.text
    known = {"tiles": [{"tile": 0, "true_label": labels.json()["tiles"][0]["label"]}]}
    assert client.put(f"/v1/orders/{order}/truth", json=known).status_code == 200
    with database.sessions() as session:
        noted = heads(session)
        assert rules(session, noted) == set()
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session, noted
        session.rollback()


def forge(session: Session, statements: Iterable[str], noted: list[Head]) -> set[str]:
    """Return the rules that the audit finds broken after a forgery, and undo it."""
    with session.begin_nested() as forged:
        for statement in statements:
            session.execute(text(statement))
        found = rules(session, noted)
        forged.rollback()
    return found


def test_audit_finds_every_forgery(books: tuple[Session, list[Head]]) -> None:
    session, _ = books

    assert [name for name, statements in FORGERIES.items() if not forge(session, statements, [])] == []


def test_audit_finds_every_rewritten_chain_with_noted_heads(books: tuple[Session, list[Head]]) -> None:
    session, noted = books
    rewritten = {name: (*FORGERIES[name], RECHAIN) for name in FORGERIES if name not in HEALED}

    assert [name for name, statements in rewritten.items() if not forge(session, statements, noted)] == []


def test_rewriting_true_rows_changes_no_hash(books: tuple[Session, list[Head]]) -> None:
    """Check that the forger's last step is right: what is found above is the forgery."""
    session, noted = books

    assert forge(session, (RECHAIN,), noted) == set()
