"""What the ledger says: budgets with their balances, transfers in order, and what is wrong with it."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.ledger.book import Movement, Transfer
from service.schemas import Cursor, PageRequest


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A budget and its four balances, in minor units of its currency."""

    id: UUID
    workspace_id: UUID
    name: str
    currency: str
    created_at: datetime
    limit_minor: int  # granted so far
    available_minor: int
    held_minor: int
    spent_minor: int

    @property
    def used_percent(self) -> float:
        """Share of the limit that is held or spent; 0 for a budget without money."""
        used = self.held_minor + self.spent_minor
        return round(100 * used / self.limit_minor, 2) if self.limit_minor else 0.0


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """A transfer and the name of its budget."""

    transfer: Transfer
    budget: str


_BUDGETS = """
    SELECT b.id, b.workspace_id, b.name, b.currency, b.created_at,
        -max(a.balance) FILTER (WHERE a.kind = 'funding') AS limit_minor,
        max(a.balance) FILTER (WHERE a.kind = 'available') AS available_minor,
        max(a.balance) FILTER (WHERE a.kind = 'reserved') AS held_minor,
        max(a.balance) FILTER (WHERE a.kind = 'spent') AS spent_minor
    FROM ledger.budget b JOIN ledger.account a ON a.budget_id = b.id
    WHERE b.workspace_id = :workspace {filter}
    GROUP BY b.id ORDER BY b.created_at DESC, b.id DESC LIMIT :limit
"""


def get_budget(session: Session, workspace_id: UUID, budget_id: UUID) -> Budget:
    """Return one budget; NotFoundError when it is not in this workspace."""
    query = text(_BUDGETS.format(filter="AND b.id = :id"))
    row = session.execute(query, {"workspace": workspace_id, "id": budget_id, "limit": 1}).first()
    if row is None:
        raise NotFoundError(f"There is no budget {budget_id}.", budget=str(budget_id))
    return Budget(**row._mapping)


def list_budgets(
    session: Session, workspace_id: UUID, page: PageRequest
) -> tuple[list[Budget], Cursor | None]:
    """Return one page of budgets, newest first, and the cursor of the next."""
    values: dict[str, Any] = {"workspace": workspace_id, "limit": page.limit + 1}
    condition = ""
    if page.after is not None:
        condition = "AND (b.created_at, b.id) < (:created_at, :id)"
        values |= {"created_at": page.after.created_at, "id": page.after.id}
    rows = session.execute(text(_BUDGETS.format(filter=condition)), values).all()
    budgets = [Budget(**row._mapping) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return budgets, Cursor(budgets[-1].created_at, budgets[-1].id) if more else None


_TRANSFERS = """
    SELECT t.id, t.workspace_id, t.seq, t.kind, t.budget_id, t.from_account, t.to_account, t.currency,
        t.amount AS amount_minor, t.hold_id, t.at, t.reference, t.previous_hash, t.hash, b.name
    FROM ledger.transfer t JOIN ledger.budget b ON b.id = t.budget_id
    WHERE t.workspace_id = :workspace AND t.seq < :before
        AND (CAST(:budget AS uuid) IS NULL OR t.budget_id = :budget)
    ORDER BY t.seq DESC LIMIT :limit
"""
NEWEST = 2**63 - 1


def list_lines(
    session: Session,
    workspace_id: UUID,
    *,
    limit: int,
    before_seq: int = NEWEST,
    budget_id: UUID | None = None,
) -> tuple[list[LedgerLine], int | None]:
    """Return up to `limit` transfers, newest first, before a seq; and the seq to go on before."""
    values = {"workspace": workspace_id, "before": before_seq, "budget": budget_id, "limit": limit + 1}
    rows = session.execute(text(_TRANSFERS), values).all()
    lines = [_line(row) for row in rows[:limit]]
    return lines, lines[-1].transfer.seq if len(rows) > limit else None


def chain(session: Session, workspace_id: UUID) -> Generator[Transfer]:
    """Yield every transfer of a workspace by seq, for `book.first_break`; a page at a time in memory.

    Close it where not all are read: it holds a cursor of the database.
    """
    values = {"workspace": workspace_id, "before": NEWEST, "budget": None, "limit": NEWEST}
    query = text(_TRANSFERS.replace("DESC", "ASC")).execution_options(yield_per=1_000)
    with session.execute(query, values) as rows:
        for row in rows:
            yield _line(row).transfer


def violations(session: Session) -> list[tuple[str, str]]:
    """Return every broken invariant and where: empty, or money is not where the books say."""
    rows = session.execute(text("SELECT invariant, subject FROM ledger.violations")).all()
    return [(row.invariant, row.subject) for row in rows]


def _line(row: Row[Any]) -> LedgerLine:
    fields = dict(row._mapping)
    budget = fields.pop("name")
    return LedgerLine(transfer=Transfer(**(fields | {"kind": Movement(fields["kind"])})), budget=budget)
