"""The serving role cannot set an order's status, deadline or hold without what belongs to it."""

from collections.abc import Iterable, Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.database.engine import Database, connect
from service.settings import Settings
from tests.support.orders import make_plan

STEP = """INSERT INTO order_status_change (order_id, seq, status, reason_code)
    SELECT id, (SELECT max(seq) + {next} FROM order_status_change WHERE order_id = "order".id), {status}, 'x'
    FROM "order" WHERE patches = 3"""
COMPLETED = """UPDATE "order" SET status = 'completed' WHERE patches = 3"""
WITHOUT_HISTORY = {
    "a status": (COMPLETED,),
    "a status of another workspace, once it is set": (
        COMPLETED,
        f"SET LOCAL loupe.workspace = '{uuid4()}'",
    ),
    "a deadline": ("""UPDATE "order" SET expires_at = expires_at + interval '1 year'""",),
    "a step with another status": (STEP.format(next=1, status="'completed'"),),
    "another step than the order's new status": (COMPLETED, STEP.format(next=1, status="'expired'")),
    "a step after a gap": (STEP.format(next=2, status="status"),),
    "an order": (
        """INSERT INTO "order" (id, workspace_id, plan_id, budget_id, status, currency, amount_minor, patches,
               key_id, expires_at)
           SELECT gen_random_uuid(), workspace_id, plan_id, budget_id, 'expired', currency, amount_minor,
               patches, key_id, expires_at
           FROM "order" LIMIT 1""",
    ),
}
REFUSED = {
    "a step before the first": (STEP.format(next=-1, status="status"), "seq_from_1"),
    "a step twice": (STEP.format(next=0, status="status"), "pk_order_status_change"),
    "another step": ("UPDATE order_status_change SET status = 'held'", "permission denied"),
    "a forgotten step": ("DELETE FROM order_status_change", "permission denied"),
    "no hold": ("""UPDATE "order" SET hold_id = NULL""", "append-only"),
    "another order's hold": (
        """UPDATE "order" SET hold_id = (SELECT hold_id FROM "order" WHERE hold_id IS NOT NULL LIMIT 1)
           WHERE hold_id IS NULL""",
        "uq_order_hold",
    ),
}


OF_NOTHING = """WITH placed AS (
        INSERT INTO "order" (id, workspace_id, plan_id, budget_id, status, currency, amount_minor, patches,
            expires_at)
        SELECT gen_random_uuid(), workspace_id, :plan, budget_id, 'accepted', currency, 0, 0, expires_at
        FROM "order" WHERE id = :order RETURNING id
    )
    INSERT INTO order_status_change (order_id, seq, status, reason_code)
    SELECT id, 1, 'accepted', 'x' FROM placed"""


@pytest.fixture
def serving(
    database: Database, settings: Settings, serving_url: str, workspace_id: UUID, order: str
) -> Iterator[Database]:
    """Place an order of three patches, and one of nothing; connect as the serving role."""
    with database.sessions.begin() as session:
        nothing = make_plan(session, workspace_id, settings.blobs, bought=(), cost_minor=0, seed=2)
        session.execute(text(OF_NOTHING), {"order": order, "plan": nothing.id})
    served: Database = connect(serving_url)
    yield served.of(workspace_id)
    served.engine.dispose()


@pytest.mark.parametrize("name", WITHOUT_HISTORY)
def test_order_without_its_history_is_refused_at_the_commit(serving: Database, name: str) -> None:
    with pytest.raises(DBAPIError, match="order-without-history"):
        commit(serving, WITHOUT_HISTORY[name])


@pytest.mark.parametrize("name", REFUSED)
def test_history_and_hold_stay_as_they_are(serving: Database, name: str) -> None:
    statement, reason = REFUSED[name]

    with pytest.raises(DBAPIError, match=reason):
        commit(serving, [statement])


@pytest.mark.parametrize("first", ["step", "status"])
def test_status_and_its_step_go_together_in_any_order(serving: Database, first: str) -> None:
    status = """UPDATE "order" SET status = 'processing' WHERE patches = 3"""
    step = STEP.format(next=1, status="'processing'")

    commit(serving, (step, status) if first == "step" else (status, step))

    with serving.sessions() as session:
        assert statuses(session) == {("processing", "processing"), ("accepted", "accepted")}


def commit(database: Database, statements: Iterable[str]) -> None:
    """Execute statements in one transaction and commit it."""
    with database.sessions.begin() as session:
        for statement in statements:
            session.execute(text(statement))


def statuses(session: Session) -> set[tuple[str, str]]:
    """Return the status of each order with that of its newest step."""
    query = text("""SELECT DISTINCT ON (o.id) o.status, c.status FROM "order" o
        JOIN order_status_change c ON c.order_id = o.id ORDER BY o.id, c.seq DESC""")
    return {(row[0], row[1]) for row in session.execute(query)}
