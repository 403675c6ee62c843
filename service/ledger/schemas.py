"""Budgets and ledger lines as JSON and CSV."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.ledger.book import ROUTES, Account, Movement
from service.ledger.repository import Budget, LedgerLine
from service.money import Money
from service.schemas import Link, MoneyIn, MoneyOut


class BudgetIn(BaseModel):
    """A new budget: a name of one's own and how much may be spent."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$", examples=["Harvest 2026"])
    limit: MoneyIn


class BudgetOut(BaseModel):
    """A budget."""

    id: UUID
    name: str
    limit: MoneyOut
    available: MoneyOut
    created_at: datetime
    links: list[Link]

    @classmethod
    def of(cls, budget: Budget) -> "BudgetOut":
        """Write a budget for JSON."""
        path = f"/v1/budgets/{budget.id}"
        return cls(
            id=budget.id,
            name=budget.name,
            limit=MoneyOut.minor(budget.limit_minor, budget.currency),
            available=MoneyOut.minor(budget.available_minor, budget.currency),
            created_at=budget.created_at,
            links=[
                Link(rel="self", href=path),
                Link(rel="usage", href=f"{path}/usage"),
                Link(rel="ledger", href=f"/v1/ledger?budget={budget.id}"),
            ],
        )


class UsageOut(BaseModel):
    """Where a budget's money is: limit = held + spent + available."""

    limit: MoneyOut
    held: MoneyOut
    spent: MoneyOut
    available: MoneyOut
    percent: float = Field(description="share of the limit that is held or spent")

    @classmethod
    def of(cls, budget: Budget) -> "UsageOut":
        """Write a budget's balances for JSON."""
        return cls(
            limit=MoneyOut.minor(budget.limit_minor, budget.currency),
            held=MoneyOut.minor(budget.held_minor, budget.currency),
            spent=MoneyOut.minor(budget.spent_minor, budget.currency),
            available=MoneyOut.minor(budget.available_minor, budget.currency),
            percent=budget.used_percent,
        )


class LedgerLineOut(BaseModel):
    """One movement of money. `hash` covers it and every one before it."""

    seq: int
    at: datetime
    kind: Movement
    from_account: Account
    to_account: Account
    amount: MoneyOut
    budget_id: UUID
    budget: str
    hold_id: UUID | None
    reference: str
    id: UUID
    hash: str

    @classmethod
    def of(cls, line: LedgerLine) -> "LedgerLineOut":
        """Write a transfer for JSON."""
        transfer = line.transfer
        source, target = ROUTES[transfer.kind]
        return cls(
            seq=transfer.seq,
            at=transfer.at,
            kind=transfer.kind,
            from_account=source,
            to_account=target,
            amount=MoneyOut.minor(transfer.amount_minor, transfer.currency),
            budget_id=transfer.budget_id,
            budget=line.budget,
            hold_id=transfer.hold_id,
            reference=transfer.reference,
            id=transfer.id,
            hash=transfer.hash.hex(),
        )


COLUMNS = (
    "seq", "at", "kind", "from", "to", "amount", "currency", "budget_id", "budget", "hold_id", "reference",
    "id", "hash",
)  # fmt: skip


def to_csv(lines: Iterable[LedgerLine]) -> str:
    """Write transfers as RFC 4180 text with a header row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        transfer = line.transfer
        source, target = ROUTES[transfer.kind]
        money = Money(transfer.amount_minor, transfer.currency)
        writer.writerow((
            transfer.seq, transfer.at.isoformat(), transfer.kind, source, target, money.amount,
            money.currency, transfer.budget_id, harmless(line.budget), transfer.hold_id or "",
            harmless(transfer.reference), transfer.id, transfer.hash.hex(),
        ))  # fmt: skip
    return out.getvalue()


def harmless(cell: str) -> str:
    """Keep a spreadsheet from running a user's text as a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
