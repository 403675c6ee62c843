"""The view `ledger.violations` finds what a superuser changed past the ledger's functions."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.database.engine import Database
from service.ledger import writer
from service.ledger.repository import violations
from service.money import Money
from service.settings import Settings
from tests.support.bundles import usd
from tests.support.money import cents
from tests.support.ordering import buy, change_budget, open_budget, plan_scene, publish_prices
from tests.support.orders import Planned, make_plan


@pytest.fixture
def session(database: Database, workspace_id: UUID) -> Iterator[Session]:
    """Make four transfers in a session without triggers and foreign keys, and roll all back."""
    with database.sessions() as session:
        budget = writer.create_budget(session, workspace_id, "tampered", cents(10_000))
        hold = writer.reserve(session, workspace_id, budget, cents(5_000), "order:1")
        for amount in (1_000, 2_000):
            writer.release(session, hold, cents(amount), "order:1")
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger, no foreign key
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("tampering", "seen"),
    [
        ("UPDATE ledger.transfer SET amount = 999 WHERE seq = 3", {"I8", "I10"}),
        ("UPDATE ledger.transfer SET at = at - interval '1 day' WHERE seq = 3", {"I10"}),
        ("UPDATE ledger.transfer SET reference = 'order:2' WHERE seq = 3", {"I10"}),
        ("DELETE FROM ledger.transfer WHERE seq = 4", {"I8", "I11"}),
        ("DELETE FROM ledger.transfer WHERE seq = 3", {"I8", "I9", "I10"}),
        ("UPDATE ledger.transfer SET kind = 'settle', reference = 'x' WHERE seq = 3",
         {"I8", "I10", "I13", "I14"}),
        ("UPDATE ledger.entry SET amount = amount + 1 WHERE amount = 10000", {"I1", "I3", "I4"}),
        ("UPDATE ledger.entry SET balance_after = -1 WHERE amount = 10000", {"I4", "I5"}),
        ("DELETE FROM ledger.entry WHERE transfer_id IN (SELECT id FROM ledger.transfer WHERE seq = 4)",
         {"I2", "I3"}),
        ("UPDATE ledger.account SET balance = balance + 1 WHERE kind = 'spent'", {"I3", "I6", "I15"}),
        ("UPDATE ledger.account SET balance = balance + 1 WHERE kind = 'reserved'",
         {"I3", "I6", "I7", "I15"}),
        ("UPDATE ledger.hold SET released = released - 1", {"I7", "I8"}),
        ("UPDATE ledger.chain SET seq = seq + 1", {"I11"}),
        ("UPDATE ledger.chain SET hash = sha256('x')", {"I11"}),
        ("""INSERT INTO idempotency (workspace_id, key, fingerprint)
            SELECT id, 'claimed-for-ever', 'x' FROM workspace""", {"I12"}),
        ("""INSERT INTO delivery (order_id, tile, patch, settled_minor)
            VALUES (gen_random_uuid(), 0, 0, 5)""", {"I13", "I23"}),
        ("UPDATE ledger.budget_terms SET limit_minor = limit_minor + 1", {"I15"}),
        ("UPDATE ledger.budget_terms SET spent_before_minor = 1", {"I15", "I27"}),
        ("UPDATE ledger.budget_terms SET version = 2", {"I16", "I23"}),
        ("DELETE FROM ledger.budget_terms", {"I16", "I23"}),
        ("""INSERT INTO ledger.adjustment
            VALUES (gen_random_uuid(), 1, gen_random_uuid(), 'refund', NULL, NULL, 1, 'x', NULL, now())""",
         {"I19", "I23"}),
        ("DELETE FROM ledger.chain", {"I22"}),
        ("DELETE FROM ledger.evidence WHERE seq = (SELECT max(seq) FROM ledger.evidence)", {"I23", "I24"}),
        ("UPDATE ledger.evidence SET subject = 'x' WHERE kind = 'budget'", {"I23"}),
        ("UPDATE ledger.transfer SET evidence = sha256('x') WHERE seq = 3", {"I10", "I24"}),
        ("UPDATE ledger.transfer SET evidence = NULL WHERE seq = 3", {"I10", "I24"}),
        ("UPDATE ledger.budget SET currency = 'EUR'", {"I25"}),
        ("UPDATE ledger.account SET currency = 'EUR' WHERE kind = 'spent'", {"I25"}),
    ],
)  # fmt: skip
def test_violations_show_tampering(session: Session, tampering: str, seen: set[str]) -> None:
    assert violations(session) == []

    session.execute(text(tampering))

    assert {invariant.split()[0] for invariant, _ in violations(session)} == seen


def test_violations_show_swapped_transfers(session: Session) -> None:
    for old, new in ((3, -3), (4, 3), (-3, 4)):
        session.execute(
            text("UPDATE ledger.transfer SET seq = :new WHERE seq = :old"), {"old": old, "new": new}
        )

    assert {invariant.split()[0] for invariant, _ in violations(session)} == {"I10", "I11"}


def test_violations_show_a_payment_that_differs_from_its_delivery(session: Session) -> None:
    hold = session.execute(text("SELECT id FROM ledger.hold")).scalar_one()
    order = uuid4()
    writer.settle(session, hold, cents(7), f"delivery:{order}/0/0")
    session.execute(
        text("""INSERT INTO delivery (order_id, tile, patch, settled_minor)
                VALUES (:order, 0, 0, 8)"""),
        {"order": order},
    )

    # Without triggers the delivery has no evidence.
    assert [invariant.split()[0] for invariant, _ in violations(session)] == ["I13", "I23"]


def test_violations_check_each_workspaces_chain(session: Session) -> None:
    elsewhere = create_workspace(session, "elsewhere")
    writer.create_budget(session, elsewhere.id, "other", Money(1, "EUR"))
    session.execute(text("UPDATE ledger.transfer SET amount = 2 WHERE currency = 'EUR'"))

    found = {subject for invariant, subject in violations(session) if invariant.startswith("I10")}
    assert found == {f"{elsewhere.id} 1"}


@pytest.fixture
def bought(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> Iterator[Session]:
    """Make a partly refunded order with one delivery of three, in a session without triggers."""
    with database.sessions.begin() as session:
        plan = make_plan(session, workspace_id, settings.blobs)
    open_budget(client)
    order = buy(client, plan, patches=1)
    tile, patch = plan.bought[0]
    body = {
        "kind": "refund", "order": order, "tile": tile, "patch": patch, "reason": "cloud",
        "amount": {"amount": "1.00", "currency": "USD"},
    }  # fmt: skip
    client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": "a refund"})
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("tampering", "seen"),
    [
        ("""UPDATE "order" SET status = 'expired'""", {"I17", "I18"}),
        ("""INSERT INTO order_status_change SELECT id, 9, 'completed', 'x', now() FROM "order";
            UPDATE "order" SET status = 'completed'""", {"I17", "I23"}),
        ("DELETE FROM order_status_change", {"I18", "I23", "I36"}),
        ("UPDATE order_status_change SET status = 'held' WHERE status = 'accepted'", {"I36"}),
        ("UPDATE ledger.adjustment SET amount = 99", {"I19"}),
        ("UPDATE ledger.adjustment SET kind = 'charge', tile = NULL, patch = NULL", {"I19"}),
        ("UPDATE ledger.adjustment SET amount = 334", {"I19", "I20"}),
        ("DELETE FROM ledger.adjustment", {"I19", "I23"}),
        ("""UPDATE "order" SET amount_minor = amount_minor + 1""", {"I26"}),
        ("""UPDATE "order" SET patches = patches + 1""", {"I26"}),
        ("""UPDATE "order" SET hold_id = NULL""", {"I20", "I26"}),
        ("""UPDATE "order" SET currency = 'EUR'""", {"I25"}),
        ("UPDATE plan SET cost_minor = cost_minor + 1", {"I26"}),
        ("UPDATE plan SET currency = 'EUR'", {"I25"}),
        ("UPDATE price_list SET currency = 'EUR'", {"I25"}),
        ("INSERT INTO final_bill SELECT id, 1, 500, 0, 'terms' FROM public.\"order\"", {"I21", "I23"}),
    ],
)  # fmt: skip
def test_violations_show_orders_that_contradict_their_money(
    bought: Session, tampering: str, seen: set[str]
) -> None:
    assert violations(bought) == []

    for statement in tampering.split(";"):
        bought.execute(text(statement))

    assert {invariant.split()[0] for invariant, _ in violations(bought)} == seen


@pytest.fixture
def billed(client: TestClient, database: Database) -> Iterator[Session]:
    """Make an order that was cancelled under a minimum, in a session without triggers."""
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    open_budget(client, "5000.00")
    client.post(f"/v1/orders/{buy(client, plan_scene(client), patches=1)}/cancel")
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("tampering", "seen"),
    [
        ("DELETE FROM final_bill", {"I13", "I23"}),
        ("UPDATE final_bill SET settled_minor = settled_minor - 1", {"I13", "I21"}),
        ("UPDATE final_bill SET billed_minor = billed_minor + 1", {"I21"}),
        ("UPDATE final_bill SET patches = 2", {"I21"}),
        ("DELETE FROM ledger.transfer WHERE reference LIKE 'bill:%'", {"I8", "I11", "I13"}),
    ],
)
def test_violations_show_final_bills_that_contradict_their_money(
    billed: Session, tampering: str, seen: set[str]
) -> None:
    assert violations(billed) == []

    billed.execute(text(tampering))

    assert {invariant.split()[0] for invariant, _ in violations(billed)} == seen


@pytest.fixture
def approved(
    client: TestClient, plan: Planned, colleague: dict[str, str], database: Database
) -> Iterator[Session]:
    """Make an order, a charge and a higher limit, the last two approved, in a session without triggers."""
    budget = open_budget(client, approval_above=usd("12.00"))
    body = {"kind": "charge", "order": buy(client, plan), "amount": usd("20.00"), "reason": "late"}
    charge = client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": "a charge"}).json()
    raised = change_budget(client, budget, limit=usd("900.00")).json()["waiting"][0]
    for proposal in (charge, raised):
        path = f"/v1/proposals/{proposal['id']}/approval"
        assert client.post(path, json={"decision": "approve"}, headers=colleague).status_code == 200
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("tampering", "seen"),
    [
        ("UPDATE ledger.budget_terms SET approval_above_minor = 500", {"I30"}),
        ("UPDATE ledger.adjustment SET proposal_id = NULL", {"I30", "I32"}),
        ("UPDATE ledger.budget_terms SET proposal_id = NULL", {"I31", "I32"}),
        ("DELETE FROM ledger.decision", {"I23", "I32"}),
        ("UPDATE ledger.decision SET key_id = (SELECT min(key_id) FROM ledger.proposal)", {"I32"}),
        ("UPDATE ledger.decision SET approved = false", {"I32"}),
        ("UPDATE ledger.proposal SET amount = amount + 1", {"I32"}),
        ("UPDATE ledger.proposal SET reason = 'x' WHERE terms IS NULL", {"I32"}),
        ("""UPDATE ledger.proposal SET terms = '{"limit_minor": 7}' WHERE terms IS NOT NULL""", {"I32"}),
        ("DELETE FROM ledger.proposal", {"I23", "I32"}),
    ],
)
def test_violations_show_what_nobody_else_approved(approved: Session, tampering: str, seen: set[str]) -> None:
    assert violations(approved) == []

    approved.execute(text(tampering))

    assert {invariant.split()[0] for invariant, _ in violations(approved)} == seen
