"""A small database with valid rows of every kind: two workspaces, plans, orders, payments, every movement."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.classification.tables import Classification
from service.db import Database
from service.ledger import writer
from service.ledger.book import Movement
from service.money import Money
from service.orders.lifecycle import place_order
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from tests.factories_orders import make_plan
from tests.proofs.books import Books, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Call


def make_world(database: Database) -> Books:
    """Fill an empty database."""
    books = open_books(database, "one")
    with database.sessions.begin() as session:
        budget = open_budget(session, books.workspace, "spent of", 10_000)
        writer.create_budget(session, create_workspace(session, "two").id, "in euros", Money(500, "EUR"))
        create_workspace(session, "without a chain")
        _budget_without_accounts(session, books.workspace)
        _order_and_plans(session, books.workspace, budget)
        _price_lists(session, books.workspace)
    reserve = Call(kind=Movement.RESERVE, budget=budget, minor=5_000, reference="order:1")
    hold = perform(database, books, reserve).hold
    for kind, reference in ((Movement.SETTLE, books.settling(0)), (Movement.RELEASE, "order:1")):
        call = Call(kind=kind, budget=budget, minor=1_000, reference=reference, hold=hold)
        assert perform(database, books, call).code == ACCEPTED
    with database.sessions.begin() as session:
        for kind in (Movement.REFUND, Movement.DEFUND):
            post = text("SELECT ledger.post(:kind, :budget, 100, NULL, 'correction:1')")
            session.execute(post, {"kind": kind, "budget": budget})
        session.add(
            Classification(
                workspace_id=books.workspace, order_id=books.order, complete=True, tiles=[], provenance={}
            )
        )
    return books


def _budget_without_accounts(session: Session, workspace: UUID) -> None:
    """No function leaves one behind; a new account needs a budget that has none of its kind."""
    session.execute(
        text("INSERT INTO ledger.budget (workspace_id, name, currency) VALUES (:workspace, 'bare', 'USD')"),
        {"workspace": workspace},
    )


def _order_and_plans(session: Session, workspace: UUID, budget: UUID) -> None:
    """An order that holds money, and plans that nobody ordered."""
    with TemporaryDirectory() as blobs:
        plan = make_plan(session, workspace, Path(blobs), seed=1)
        spare = make_plan(session, workspace, Path(blobs), seed=2)
        make_plan(session, workspace, Path(blobs), seed=3, supersedes=spare.id)
    place_order(session, workspace, plan.id, budget)


def _price_lists(session: Session, workspace: UUID) -> None:
    """A list that says everything, and one that has a price per scene."""
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
