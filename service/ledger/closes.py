"""Reads of closed months and their balances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.money import Money


@dataclass(frozen=True, kw_only=True)
class Balances:
    """The balances of a budget at one moment: granted = available + held + spent."""

    available: Money
    held: Money
    spent: Money

    @property
    def granted(self) -> Money:
        """Everything that was ever granted to the budget and not taken back."""
        return self.available + self.held + self.spent


@dataclass(frozen=True, kw_only=True)
class MonthOfBudget:
    """A budget's balances when a closed month began and when it ended."""

    budget_id: UUID
    budget: str
    opening: Balances
    closing: Balances


@dataclass(frozen=True, kw_only=True)
class ClosedMonth:
    """A month in which no entry is made any more."""

    month: date  # its first day
    seq: int  # newest entry when it was closed
    key_id: str
    at: datetime
    budgets: Sequence[MonthOfBudget]


_MONTHS = """
    SELECT month, seq, key_id, at FROM ledger.closed_month
    WHERE workspace_id = :workspace AND (CAST(:before AS date) IS NULL OR month < :before)
    ORDER BY month DESC LIMIT :limit
"""
_BALANCES = """
    SELECT m.month, b.id, b.name, b.currency,
        sum(m.opening) FILTER (WHERE a.kind = 'available')::bigint AS opening_available,
        sum(m.opening) FILTER (WHERE a.kind = 'reserved')::bigint AS opening_held,
        sum(m.opening) FILTER (WHERE a.kind = 'spent')::bigint AS opening_spent,
        sum(m.closing) FILTER (WHERE a.kind = 'available')::bigint AS closing_available,
        sum(m.closing) FILTER (WHERE a.kind = 'reserved')::bigint AS closing_held,
        sum(m.closing) FILTER (WHERE a.kind = 'spent')::bigint AS closing_spent
    FROM ledger.month_balance m
    JOIN ledger.account a ON a.id = m.account_id
    JOIN ledger.budget b ON b.id = a.budget_id
    WHERE m.workspace_id = :workspace AND m.month = ANY(:months)
    GROUP BY m.month, b.id ORDER BY b.created_at, b.id
"""


def list_closed(
    session: Session, workspace_id: UUID, *, limit: int, before: date | None = None
) -> tuple[list[ClosedMonth], date | None]:
    """Return up to `limit` closed months, newest first, before a month; and the next page's `before`."""
    values = {"workspace": workspace_id, "before": before, "limit": limit + 1}
    rows = session.execute(text(_MONTHS), values).all()
    shown = rows[:limit]
    months = [row.month for row in shown]
    balances = session.execute(text(_BALANCES), {"workspace": workspace_id, "months": months}).all()
    found = [
        ClosedMonth(**row._mapping, budgets=[_of_budget(one) for one in balances if one.month == row.month])
        for row in shown
    ]
    return found, found[-1].month if len(rows) > limit else None


def _of_budget(row: Row[Any]) -> MonthOfBudget:
    opening, closing = (
        Balances(
            **{
                name: Money(getattr(row, f"{moment}_{name}") or 0, row.currency)
                for name in ("available", "held", "spent")
            }
        )
        for moment in ("opening", "closing")
    )
    return MonthOfBudget(budget_id=row.id, budget=row.name, opening=opening, closing=closing)
