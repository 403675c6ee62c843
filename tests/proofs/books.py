"""Calls on a real ledger by the service's own code, and the balances in its tables afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.database.engine import Database
from service.errors import LoupeError
from service.ledger import writer
from service.ledger.book import Account, Movement
from service.orders.repository import record_status
from service.orders.tables import DeliveredFile, Delivery, Order, OrderStatus
from service.web.idempotency import fingerprint, remember, replay_or_claim
from tests.proofs.model import ACCEPTED, Answer, Call
from tests.support.money import cents
from tests.support.orders import make_plan


@dataclass(frozen=True, kw_only=True)
class Books:
    """A workspace of a database, with the order that its deliveries belong to."""

    workspace: UUID
    order: UUID

    def settling(self, number: int) -> str:
        """Return the reference of the payment for tile `number`."""
        return f"delivery:{self.order}/{number}/0"


def open_books(database: Database, name: str) -> Books:
    """Make a workspace with one free order of nothing: a payment needs a delivery, which needs an order."""
    with database.sessions.begin() as session, TemporaryDirectory() as blobs:
        workspace = create_workspace(session, name).id
        plan = make_plan(session, workspace, Path(blobs), bought=(), cost_minor=0)
        budget = open_budget(session, workspace, "for the order", 0)
        order = Order(
            id=uuid4(), workspace_id=workspace, plan_id=plan.id, budget_id=budget, hold_id=None,
            status=OrderStatus.ACCEPTED, currency="USD", amount_minor=0, patches=0,
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )  # fmt: skip
        session.add(order)
        session.flush()
        record_status(session, order, OrderStatus.ACCEPTED, "hold_taken")
        return Books(workspace=workspace, order=order.id)


def open_budget(session: Session, workspace: UUID, name: str, limit: int) -> UUID:
    """Open a budget of `limit` US cents."""
    return writer.create_budget(session, workspace, name, cents(limit))


def perform(database: Database, books: Books, call: Call, key: str | None = None) -> Answer:
    """Make one call as a request does: claim the key, move the money, store the answer, commit."""
    try:
        with database.sessions.begin() as session:
            return _once(session, books, call, key or str(uuid4()))
    except LoupeError as refusal:
        return Answer(code=refusal.code)


def _once(session: Session, books: Books, call: Call, key: str) -> Answer:
    if stored := replay_or_claim(session, books.workspace, key, fingerprint(str(call))):
        return Answer(code=stored.body["code"], hold=stored.body["hold"] and UUID(stored.body["hold"]))
    answer = Answer(code=ACCEPTED, hold=_move(session, books, call))
    body = {"code": answer.code, "hold": answer.hold and str(answer.hold)}
    remember(session, books.workspace, key, 201, body)
    return answer


def _move(session: Session, books: Books, call: Call) -> UUID | None:
    if call.kind is Movement.RESERVE:
        return writer.reserve(session, books.workspace, call.budget, cents(call.minor), call.reference)
    if call.kind is Movement.RELEASE:
        writer.release(session, call.hold, cents(call.minor), call.reference)
    else:
        writer.settle(session, call.hold, cents(call.minor), call.reference)
        _record_delivery(session, call)
    return call.hold


def _record_delivery(session: Session, call: Call) -> None:
    order, tile, patch = call.reference.removeprefix("delivery:").split("/")
    place = {"order_id": UUID(order), "tile": int(tile), "patch": int(patch)}
    session.add(Delivery(**place, settled_minor=call.minor))
    session.flush()
    session.add(DeliveredFile(**place, version=1, sha256="", size=0, pixels=b"\0", checks={}))
    session.flush()


def balances(session: Session, workspace: UUID) -> dict[UUID, dict[Account, int]]:
    """Return every balance of a workspace by budget and account, in minor units."""
    query = text("SELECT budget_id, kind, balance FROM ledger.account WHERE workspace_id = :workspace")
    found: dict[UUID, dict[Account, int]] = {}
    for budget, kind, balance in session.execute(query, {"workspace": workspace}):
        found.setdefault(budget, {})[Account(kind)] = balance
    return found


def digest(session: Session) -> str:
    """Return a digest of every row of the ledger's tables, the deliveries and the stored answers."""
    query = text("SELECT 'ledger.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = 'ledger'")
    tables = [*session.execute(query).scalars(), "delivery", "idempotency"]
    rows = [f"(SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t)" for table in tables]
    return str(session.execute(text(f"SELECT row({', '.join(rows)})::text")).scalar_one())
