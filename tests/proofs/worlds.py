"""A small database with valid rows of every kind: two workspaces, plans, orders, payments, every movement."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.access.delegations import lend
from service.access.keys import id_of
from service.access.people import Person, add_person
from service.access.repository import Caller, create_key, create_workspace
from service.access.roles import Role
from service.access.tables import ApiKey, Workspace
from service.classification.tables import Classification
from service.dashboard.tables import DashboardSession
from service.database.engine import Database
from service.invoices.repository import keep_invoice
from service.invoices.schemas import InvoiceIn, InvoiceLineIn
from service.jobs.repository import JobRequest, end_job, queue_job
from service.jobs.tables import JobStatus
from service.ledger import writer
from service.ledger.book import Movement
from service.ledger.proposals import newest_proposal
from service.ledger.repository import get_budget
from service.ledger.terms import BudgetTerms, Enforcement
from service.money import Money
from service.orders.ending import cancel_undelivered
from service.orders.expiry import expire_order
from service.orders.late import hold_late, lock_late, settle_late
from service.orders.placing import OrderLabels, place_order
from service.orders.repository import record_status
from service.orders.tables import DeliveredPart, Delivery, Order, OrderStatus
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from service.truth.repository import keep_true_labels
from tests.proofs.books import Books, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Call
from tests.support.money import cents
from tests.support.orders import make_plan


def make_world(database: Database) -> Books:
    """Fill an empty database."""
    books = open_books(database, "one")
    with database.sessions.begin() as session:
        budget = open_budget(session, books.workspace, "spent of", 10_000)
        two = create_workspace(session, "two")
        writer.create_budget(session, two.id, "in euros", Money(500, "EUR"))
        add_person(session, two, Person("https://issuer.example", "ada", "Ada"), Role.VIEWER)
        create_workspace(session, "without a chain")
        _budget_without_accounts(session, books.workspace)
        _price_lists(session, books.workspace)
        order = _order_and_plans(session, books.workspace, budget)
        other, buyer = _place_order(session, books.workspace, budget, seed=4)
        overdue, other_buyer = _place_order(session, books.workspace, budget, seed=5)
    for kind, minor, reference in (
        (Movement.SETTLE, 300, f"delivery:{order.id}/0/0"),
        (Movement.SETTLE, 20, f"delivery:{order.id}/1/0"),
        (Movement.SETTLE, 10, f"delivery:{order.id}/0/1"),
        (Movement.RELEASE, 300, f"order:{order.id}"),
    ):
        call = Call(kind=kind, budget=budget, minor=minor, reference=reference, hold=order.hold_id)
        assert perform(database, books, call).code == ACCEPTED
    with database.sessions.begin() as session:
        _every_other_movement(session, books.workspace, budget, order.id)
        session.add(
            Classification(
                workspace_id=books.workspace, order_id=books.order, complete=True, tiles=[], provenance={}
            )
        )
        _part_of_a_patch(session, order.id)
        keep_true_labels(session, buyer, order, {0: "airplane"})
        _invoice(session, buyer, order.id)
        _proposals(session, buyer, budget, other.id)
    _cancel_in_part(database, books, other, buyer)
    _deliver_late(database, overdue, other_buyer)
    with database.sessions.begin() as session:
        _closed_month(session, buyer)
        _jobs(session, buyer)
        _sessions_of_the_dashboard(session, buyer)
    return books


def _closed_month(session: Session, caller: Caller) -> None:
    """Insert a close of last month, before which no account moved."""
    values = {"workspace": caller.workspace_id, "key": caller.key_id}
    month = "(date_trunc('month', ledger.today()) - interval '1 month')::date"
    for table, rest in (("closed_month", "1, :key, now()"), ("month_balance", "min(a.id), 0, 0")):
        source = " FROM ledger.account a WHERE workspace_id = :workspace" if "a.id" in rest else ""
        session.execute(
            text(f"INSERT INTO ledger.{table} SELECT :workspace, {month}, {rest}{source}"), values
        )


def _jobs(session: Session, caller: Caller) -> None:
    """Let one job wait, and end another."""
    wanted = JobRequest(kind="plan", request={})
    _, ended = (queue_job(session, caller, wanted, uuid4(), None) for _ in range(2))
    end_job(ended, JobStatus.CANCELLED)


def _sessions_of_the_dashboard(session: Session, caller: Caller) -> None:
    """Sign in twice, and out of one of the sessions."""
    for ended in (None, datetime.now(UTC)):
        session.add(
            DashboardSession(
                digest=sha256(str(ended).encode()).digest(),
                workspace_id=caller.workspace_id,
                key_id=caller.key_id,
                expires_at=datetime.now(UTC) + timedelta(hours=8),
                ended_at=ended,
            )
        )


def _deliver_late(database: Database, placed: Order, buyer: Caller) -> None:
    """Let an order expire and take one of its patches late, so that it has a late bill."""
    with database.sessions.begin() as session:
        order = lock_late(session, buyer, placed.id)
        order.expires_at = datetime.now(UTC) - timedelta(seconds=1)
        record_status(session, order, OrderStatus.ACCEPTED, "deadline_put_off", sets_deadline=True)
    assert expire_order(database, order.id)
    with database.sessions.begin() as session:
        order = lock_late(session, buyer, order.id)
        charge = hold_late(session, buyer, order, [(0, 0)], "1.00", None)
        session.add(Delivery(order_id=order.id, tile=0, patch=0, settled_minor=charge.total.minor))
        session.flush()
        writer.settle(session, order.hold_id, charge.total, f"delivery:{order.id}/0/0")
        settle_late(session, buyer, order, charge)


def _cancel_in_part(database: Database, books: Books, order: Order, caller: Caller) -> None:
    """Cancel an order of which one patch came, so that it has a final bill."""
    reference = f"delivery:{order.id}/0/0"
    paid = Call(
        kind=Movement.SETTLE, budget=order.budget_id, minor=100, reference=reference, hold=order.hold_id
    )
    assert perform(database, books, paid).code == ACCEPTED
    with database.sessions.begin() as session:
        cancel_undelivered(session, caller, order.id)


def _invoice(session: Session, buyer: Caller, order: UUID) -> None:
    """Import an invoice of two lines."""
    lines = [InvoiceLineIn(reference=str(order), amount=amount) for amount in ("3.00", "0.30")]
    document = InvoiceIn(number="R-1", provider="Acme", date=date(2026, 11, 30), currency="USD", lines=lines)
    keep_invoice(session, buyer, document)


def _proposals(session: Session, buyer: Caller, budget: UUID, order: UUID) -> None:
    """Propose charges and limits; approve one of each, reject one and let the others wait."""
    workspace = session.get_one(Workspace, buyer.workspace_id)
    approver = id_of(create_key(session, workspace, "approver"))
    until = datetime.now(UTC) + timedelta(days=1)
    lend(session, Caller(workspace.id, approver, approver, Role.ADMIN), buyer.holder, until, "holidays")
    now = get_budget(session, workspace.id, budget)
    for decision in (True, False, None):
        for kind in ("charge", "terms"):
            if kind == "charge":
                writer.adjust(
                    session, workspace.id, order, Movement.CHARGE, cents(501), "late", key_id=buyer.key_id
                )
            else:
                raised = now.limit + cents(1)
                writer.change_budget(session, workspace.id, budget, raised, now.terms, buyer.key_id)
            if decision is not None:
                proposal = newest_proposal(session, workspace.id, budget).id
                writer.decide(session, workspace.id, proposal, approve=decision, note="seen", key_id=approver)
        now = get_budget(session, workspace.id, budget)


def _part_of_a_patch(session: Session, order: UUID) -> None:
    """Insert what a file shows of a patch that it does not cover."""
    pixels = bytes(range(4))
    session.add(
        DeliveredPart(
            order_id=order,
            tile=0,
            patch=2,
            number=1,
            sha256=sha256(pixels).hexdigest(),
            size=len(pixels),
            pixels=pixels,
            weights=pixels,
            lacking=pixels,
            checks={},
            covered=0.5,
            remainder={"type": "Polygon", "coordinates": []},
            key_id=session.scalars(select(ApiKey.id).limit(1)).one(),
        )
    )


def _budget_without_accounts(session: Session, workspace: UUID) -> None:
    """Insert a budget without accounts, which no function leaves behind: a new account needs one."""
    session.execute(
        text("""WITH bare AS (
                INSERT INTO ledger.budget (workspace_id, name, currency) VALUES (:workspace, 'bare', 'USD')
                RETURNING id
            )
            INSERT INTO ledger.budget_terms
            SELECT (jsonb_populate_record(t, jsonb_build_object('budget_id', bare.id))).*
            FROM bare, ledger.budget_terms t LIMIT 1"""),
        {"workspace": workspace},
    )


def _order_and_plans(session: Session, workspace: UUID, budget: UUID) -> Order:
    """Place an order that holds money, and make plans without an order."""
    with TemporaryDirectory() as blobs:
        spare = make_plan(session, workspace, Path(blobs), seed=2)
        make_plan(session, workspace, Path(blobs), seed=3, supersedes=spare.id)
    order, _ = _place_order(session, workspace, budget, seed=1)
    return order


def _place_order(session: Session, workspace: UUID, budget: UUID, seed: int) -> tuple[Order, Caller]:
    """Place an order with a new key, and return both."""
    with TemporaryDirectory() as blobs:
        plan = make_plan(session, workspace, Path(blobs), seed=seed)
    key = id_of(create_key(session, session.get_one(Workspace, workspace), f"buyer {seed}"))
    caller = Caller(workspace, key, key, Role.ADMIN)
    labels = OrderLabels(tags={"team": "north"}, cost_center="4711")
    order = place_order(session, caller, plan.id, budget, 30, labels).order
    return order, caller


def _every_other_movement(session: Session, workspace: UUID, budget: UUID, order: UUID) -> None:
    """Refund, charge, defund, extend and retract."""
    for kind, place in ((Movement.REFUND, None), (Movement.REFUND, (0, 0)), (Movement.CHARGE, None)):
        writer.adjust(session, workspace, order, kind, cents(50), "a correction", place=place)
    warns = BudgetTerms(enforcement=Enforcement.WARN, thresholds=(50, 90))
    lenient = writer.create_budget(session, workspace, "lenient", cents(100), warns)
    terms = BudgetTerms(starts_on=date(2026, 1, 1), ends_on=date(2099, 12, 31), approval_above=cents(500))
    writer.change_budget(session, workspace, budget, cents(9_000), terms)
    hold = writer.reserve(session, workspace, lenient, cents(300), "order:2")
    writer.release(session, hold, cents(300), "order:2")


def _price_lists(session: Session, workspace: UUID) -> None:
    """Insert a price list with every field, and one with a price per scene."""
    whole = {
        "max_vertices": 100, "cloud_guarantee_percent": Decimal(20), "licence": "internal use",
        "valid_from": date(2026, 1, 1), "valid_to": date(2026, 12, 31),
    }  # fmt: skip
    for name, price in (
        ("whole", {"price_per_km2": Decimal(10)}),
        ("scenes", {"price_per_scene": Decimal(50)}),
    ):
        terms = PriceListTerms(
            provider="A provider", product="0.5 m", gsd_m=Decimal("0.5"), currency="USD", **price, **whole
        )
        session.add(
            PriceList(
                id=uuid4(), workspace_id=workspace, name=name, version=1, example=False, **terms.columns()
            )
        )
    session.flush()
