"""Money of a month: what each budget spent in it, and what it held and had left at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.ledger.repository import in_money
from service.money import Money
from service.web.days import Days


@dataclass(frozen=True, kw_only=True)
class MonthMoney:
    """A budget in a month (UTC)."""

    budget_id: UUID
    budget: str
    granted: Money  # in the month, minus what was taken back
    spent: Money  # payments and later charges of the month, minus its refunds
    held: Money  # at the end of the month, or now
    available: Money


_MONTHS = text("""
    SELECT b.id AS budget_id, b.name AS budget, b.currency,
        coalesce(sum(t.amount * f.granted) FILTER (WHERE t.at >= :starts), 0)::bigint AS granted_minor,
        coalesce(sum(t.amount * f.spent) FILTER (WHERE t.at >= :starts), 0)::bigint AS spent_minor,
        sum(t.amount * f.held)::bigint AS held_minor, sum(t.amount * f.available)::bigint AS available_minor
    FROM ledger.transfer t
    JOIN ledger.budget b ON b.id = t.budget_id
    JOIN (
        SELECT kind, (from_kind = 'funding')::int - (to_kind = 'funding')::int AS granted,
            (to_kind = 'spent')::int - (from_kind = 'spent')::int AS spent,
            (to_kind = 'reserved')::int - (from_kind = 'reserved')::int AS held,
            (to_kind = 'available')::int - (from_kind = 'available')::int AS available
        FROM ledger.movement
    ) AS f USING (kind)
    WHERE t.workspace_id = :workspace AND t.at < :ends
    GROUP BY b.id ORDER BY b.name
""")


def money_of_month(session: Session, workspace_id: UUID, days: Days) -> list[MonthMoney]:
    """Return every budget that had moved money before the end of a month, by name.

    `days` has the month's first and last day.
    """
    values = {"workspace": workspace_id, "starts": days.starts, "ends": days.ends}
    return [_month(row) for row in session.execute(_MONTHS, values)]


def _month(row: Row[Any]) -> MonthMoney:
    return MonthMoney(**in_money(row))


@dataclass(frozen=True, kw_only=True)
class MonthStanding:
    """The first month of a ledger, and when a month was closed."""

    first: date | None
    closed_at: datetime | None


def standing_of_month(session: Session, workspace_id: UUID, month: date) -> MonthStanding:
    """Return the day of the ledger's first movement, None if it is empty, and the close of a month."""
    query = text("""
        SELECT (SELECT at FROM ledger.transfer WHERE workspace_id = :workspace AND seq = 1),
            (SELECT at FROM ledger.closed_month WHERE workspace_id = :workspace AND month = :month)
    """)
    first, closed_at = session.execute(query, {"workspace": workspace_id, "month": month}).one()
    return MonthStanding(first=None if first is None else first.date(), closed_at=closed_at)


def totals(months: Sequence[MonthMoney]) -> dict[str, dict[str, Money]]:
    """Add up the budgets of each currency: its name, then `granted`, `spent`, `held` and `available`."""
    found: dict[str, dict[str, Money]] = {}
    for one in months:
        sums = found.setdefault(one.spent.currency, {})
        for name in ("granted", "spent", "held", "available"):
            amount: Money = getattr(one, name)
            sums[name] = sums.get(name, Money(0, amount.currency)) + amount
    return found
