"""The budget, the hold and the order on which the ledger's functions are tried."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.keys import id_of
from service.access.repository import create_key, create_workspace
from service.access.tables import Workspace
from service.ledger import writer
from service.ledger.book import Account
from service.ledger.terms import BudgetTerms
from tests.proofs.books import balances, open_budget
from tests.support.money import cents

LIMIT = 1_000


@dataclass(frozen=True)
class Scene:
    """A workspace with one budget of 10.00 USD and a hold of 4.00 on it."""

    session: Session
    workspace: UUID
    budget: UUID
    hold: UUID | None

    def has(self, available: int, reserved: int, spent: int) -> bool:
        found = balances(self.session, self.workspace)[self.budget]
        return (found[Account.AVAILABLE], found[Account.RESERVED], found[Account.SPENT]) == (
            available, reserved, spent,
        )  # fmt: skip

    def open(self, terms: BudgetTerms) -> UUID:
        """Open another budget of the same limit."""
        return writer.create_budget(self.session, self.workspace, str(uuid4()), cents(LIMIT), terms)

    def versions(self, budget: UUID) -> int:
        """Count the versions of a budget's terms."""
        query = text("SELECT count(*) FROM ledger.budget_terms WHERE budget_id = :budget")
        return int(self.session.execute(query, {"budget": budget}).scalar_one())

    def delivered(self) -> tuple[UUID, UUID]:
        """Return workspace and id of the partly delivered order of `make_world`."""
        query = text(
            """SELECT workspace_id, id FROM "order" WHERE status = 'accepted' AND hold_id IS NOT NULL"""
        )
        workspace, order = self.session.execute(query).one()
        return workspace, order

    def key(self, workspace: UUID) -> str:
        """Return the id of a key of a workspace for a new holder."""
        return id_of(create_key(self.session, self.session.get_one(Workspace, workspace), "a holder"))

    def adjust(self, workspace: UUID, order: UUID, kind: str) -> object:
        """Adjust an order by 0.01 with the SQL function."""
        return self.call(
            "adjust", workspace=workspace, order=order, kind=kind, tile=None, patch=None, amount=1,
            reason="x", key=None,
        )  # fmt: skip

    def call(self, function: str, **values: object) -> object:
        """Call an SQL function of the schema, as the database's owner can."""
        names = ", ".join(f":{name}" for name in values)
        return self.session.execute(text(f"SELECT ledger.{function}({names})"), values).scalar_one()


def set_scene(session: Session) -> Scene:
    """Make a workspace with its budget and its hold."""
    workspace = create_workspace(session, str(uuid4())).id
    budget = open_budget(session, workspace, "scene", LIMIT)
    hold = writer.reserve(session, workspace, budget, cents(400), "order:1")
    return Scene(session, workspace, budget, hold)
