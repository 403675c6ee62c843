"""Promises about every table and every function at once, each checked as in `scenarios`."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.orm import Session

from service.ledger import writer
from service.ledger.book import Movement
from service.ledger.evidence import FORMS
from service.ledger.proposals import newest_proposal
from service.ledger.repository import violations
from tests.proofs.attacks import statements
from tests.proofs.budget_scene import Scene
from tests.proofs.catalog import money_tables
from tests.proofs.month_scenarios import date_back, months
from tests.support.money import cents


def keeps_evidence_of_every_row(scene: Scene) -> None:
    """Insert another valid row into every table of which evidence is kept."""
    connection: Any = scene.session.connection().connection.driver_connection
    tables = {table.name.replace('"', ""): table for table in money_tables(connection)}
    for form in FORMS.values():
        inserts = statements(connection, tables[form.table])
        query, values = next(rest for name, *rest in inserts if name.endswith("a valid row"))
        connection.execute(query, values)
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit would do
    assert without_evidence(scene.session) == []


def keeps_what_was_answered(scene: Scene) -> None:
    """Give an answer to a request whose key has none yet, and try to give another."""
    row = {"workspace": scene.workspace, "key": "a request of its own"}
    insert = "INSERT INTO idempotency (workspace_id, key, fingerprint) VALUES (:workspace, :key, '')"
    scene.session.execute(text(insert), row)
    answer = text("UPDATE idempotency SET status = :status WHERE (workspace_id, key) = (:workspace, :key)")
    scene.session.execute(answer, row | {"status": 201})
    with pytest.raises(DBAPIError, match="append-only"), scene.session.begin_nested():
        scene.session.execute(answer, row | {"status": 409})


def keeps_keys_revoked(scene: Scene) -> None:
    """Revoke a key in an hour, then at once, and try to give it back or more time."""
    row = {"key": scene.key(scene.workspace)}
    revoke = "UPDATE api_key SET revoked_at = now() + CAST(:after AS interval) WHERE id = :key"
    for after in ("1 hour", "0"):
        scene.session.execute(text(revoke), row | {"after": after})
    for later in ("1 hour", None):
        with pytest.raises(DBAPIError, match="append-only"), scene.session.begin_nested():
            scene.session.execute(text(revoke), {"after": later, **row})


def keeps_jobs_ended(scene: Scene) -> None:
    """End a job, and try to let it wait again."""
    row = {"workspace": scene.workspace, "key": scene.key(scene.workspace)}
    insert = """INSERT INTO job (id, workspace_id, key_id, kind, request, queue_id)
        VALUES (gen_random_uuid(), :workspace, :key, 'plan', '{}', 1) RETURNING id"""
    job = scene.session.execute(text(insert), row).scalar_one()
    change = text("UPDATE job SET status = :status, finished_at = CAST(:at AS timestamptz) WHERE id = :job")
    scene.session.execute(change, {"job": job, "status": "cancelled", "at": "now"})
    with pytest.raises(DBAPIError, match="append-only"), scene.session.begin_nested():
        scene.session.execute(change, {"job": job, "status": "queued", "at": None})


def keeps_all_of_a_file_but_its_pixels(scene: Scene) -> None:
    """Delete the pixels of parts and files with every mistake that can be made, and then rightly, once."""
    right = "pixels = '', pixels_sha256 = sha256(pixels)"
    mistakes = "pixels = 'x'", "pixels = '', pixels_sha256 = sha256('x')", f"{right}, size = size + 1"
    for table in ("delivered_file", "delivered_part"):
        assert scene.session.scalar(text(f"SELECT count(*) FROM {table}"))
        for mistake in (*mistakes, right):
            if mistake == right:
                scene.session.execute(text(f"UPDATE {table} SET {right}"))
            with pytest.raises(DBAPIError, match="append-only"), scene.session.begin_nested():
                scene.session.execute(text(f"UPDATE {table} SET {mistake}"))


def keeps_what_is_set_once(scene: Scene) -> None:
    """Delete pixels, sign out and make a key the operator's, and try to take each back."""
    for table, column, before, after in (
        ("scene", "pixels_deleted_at", "NULL", "now()"),
        ('"order"', "pixels_deleted_at", "NULL", "now()"),
        ("dashboard_session", "ended_at", "NULL", "now()"),
        ("api_key", "operator", "false", "true"),
    ):
        change = f"UPDATE {table} SET {column} = {{}} WHERE {column} IS {{}} {before}"
        scene.session.execute(text(change.format(after, "NOT DISTINCT FROM")))
        with pytest.raises(DBAPIError, match="append-only"), scene.session.begin_nested():
            scene.session.execute(text(change.format(before, "DISTINCT FROM")))


def keeps_the_deadline_of_the_history(scene: Scene) -> None:
    """Put off the deadline of an order whose newest step has none: the one before it says when it is."""
    order = {"order": scene.delivered()[1]}
    step = """INSERT INTO order_status_change (order_id, seq, status, reason_code)
        SELECT id, (SELECT max(seq) + 1 FROM order_status_change WHERE order_id = id), status, 'noted'
        FROM "order" WHERE id = :order"""
    scene.session.execute(text(step), order)
    scene.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    put_off = """UPDATE "order" SET expires_at = expires_at + interval '1 day' WHERE id = :order"""
    with pytest.raises(DBAPIError, match="order-without-history"), scene.session.begin_nested():
        scene.session.execute(text(put_off), order)


def without_evidence(session: Session) -> list[str]:
    """Return the rows whose evidence is missing."""
    return [subject for invariant, subject in violations(session) if invariant.startswith("I23 ")]


def finds_its_tables_from_wherever_it_is_called(scene: Scene) -> None:
    """Call every function in a session that has temporary tables of the same names."""
    shadows = """SELECT format('CREATE TEMPORARY TABLE %1$I (LIKE ledger.%1$I)', relname) FROM pg_class
        WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'v')"""
    for statement in scene.session.execute(text(shadows)).scalars().all():
        scene.session.execute(text(statement))
    workspace, order = scene.delivered()
    hold = moves_money_and_changes_terms(scene, workspace, order)
    asks_for_a_second_key(scene, workspace, order)
    assert scene.has(650, 150, 0)
    assert without_evidence(scene.session) == []
    writer.settle(scene.session, hold, cents(50), "delivery:2")
    tomorrow = scene.session.execute(text("SELECT ledger.today() + 1")).scalar_one()
    assert scene.call("spent_before", budget=scene.budget, day=tomorrow) == 50
    date_back(scene)
    month_before_last, _, _ = months(scene.session)
    assert writer.close_month(scene.session, scene.workspace, month_before_last, scene.key(scene.workspace))


def finds_plans_by_their_text_alone(scene: Scene) -> None:
    """Look for a plan by its id and by its name, and for what no plan holds."""
    workspace, order = scene.delivered()
    query = text('SELECT plan_id FROM "order" WHERE id = :order')
    plan = scene.session.execute(query, {"order": order}).scalar_one()
    insert = "INSERT INTO plan_naming (plan_id, workspace_id, name) VALUES (:plan, :workspace, 'Harbour')"
    scene.session.execute(text(insert), {"plan": plan, "workspace": workspace})
    for wanted in (str(plan), "harb"):
        assert scene.call("plans_holding", workspace=workspace, text=wanted, most=9) == plan
    with pytest.raises(NoResultFound):
        scene.call("plans_holding", workspace=workspace, text="zebra", most=9)


def moves_money_and_changes_terms(scene: Scene, workspace: UUID, order: UUID) -> UUID:
    """Call the functions of holds, balances and terms; return a hold of 1.50."""
    scene.call("count_hold", kind="settle", budget=scene.budget, hold=scene.hold, amount=1)
    scene.call("count_hold", kind="release", budget=scene.budget, hold=scene.hold, amount=399)
    scene.call("move_balance", budget=scene.budget, kind="reserved", change=-400)
    scene.call("move_balance", budget=scene.budget, kind="available", change=400)
    scene.call("post", kind="defund", budget=scene.budget, amount=100, hold=None, reference="x")
    scene.call("level", budget=scene.budget, up="fund", down="defund", reference="x")
    scene.call("lock_budget", workspace=scene.workspace, budget=scene.budget)
    scene.call("let_through", budget=scene.budget, amount=1, reference="x")
    assert scene.call("add_terms", budget=scene.budget, reason="changed", terms="{}", key=None) == 2
    scene.call(
        "open_budget", workspace=scene.workspace, name="2", currency="USD", limit=1, terms="{}", key=None
    )
    scene.call(
        "change_budget", workspace=scene.workspace, budget=scene.budget, limit=800, terms="{}", key=None
    )
    hold = writer.reserve(scene.session, scene.workspace, scene.budget, cents(200), "order:2")
    assert hold is not None
    writer.release(scene.session, hold, cents(50), "order:2")
    assert scene.call("refundable", order=order, tile=None, patch=None) == 280
    scene.adjust(workspace, order, "charge")
    return hold


def asks_for_a_second_key(scene: Scene, workspace: UUID, order: UUID) -> None:
    """Call the functions that decide who may charge."""
    key, other = scene.key(workspace), scene.key(workspace)
    budget = scene.session.execute(
        text('SELECT budget_id FROM public."order" WHERE id = :id'), {"id": order}
    ).scalar_one()
    assert scene.call("needs_approval", budget=budget, key=key, amount=501) is True
    scene.call("put_in_force", budget=budget, terms='{"thresholds": [70]}', key=key, proposal=None)
    writer.adjust(scene.session, workspace, order, Movement.CHARGE, cents(501), "x", key_id=key)
    proposal = newest_proposal(scene.session, workspace, budget).id
    writer.decide(scene.session, workspace, proposal, approve=False, note=None, key_id=other)
    scene.call(
        "add_adjustment", order=order, budget=budget, kind="charge", tile=None, patch=None, amount=1,
        reason="x", key=key, proposal=None,
    )  # fmt: skip
