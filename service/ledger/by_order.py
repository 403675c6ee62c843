"""Movements added up by order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.ledger.book import Movement
from service.ledger.filters import LineFilter
from service.ledger.transfers import values_of
from service.money import Money
from service.web.paging import Cursor, PageRequest


@dataclass(frozen=True, kw_only=True)
class OrderMovements:
    """The chosen movements of one order: how many there are, and the sum of each kind."""

    order_id: UUID
    placed_at: datetime
    budget_id: UUID
    budget: str
    count: int
    sums: Mapping[Movement, Money]

    @property
    def cost(self) -> Money:
        """Payments, minus refunds, plus later charges."""
        sums = self.sums
        return sums[Movement.SETTLE] - sums[Movement.REFUND] + sums[Movement.CHARGE]


ADDED_UP = (Movement.RESERVE, Movement.SETTLE, Movement.RELEASE, Movement.REFUND, Movement.CHARGE)
"""The movements of orders. Grants beyond a limit belong to the budget."""
_SUMS = ", ".join(
    f"coalesce(sum(t.amount) FILTER (WHERE t.kind = '{kind}'), 0)::bigint AS {kind}" for kind in ADDED_UP
)
# The budget is looked up and not joined: row-level security makes few rows of a join seem likely, so that all
# orders would be added up for a page of them.
_ORDERS = f"""
    SELECT o.id, o.created_at, o.budget_id, o.currency, m.*,
        (SELECT b.name FROM ledger.budget b WHERE b.id = o.budget_id) AS name
    FROM public."order" o
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, {_SUMS}
        FROM (
            SELECT x.kind, x.amount, x.at FROM ledger.transfer x WHERE x.hold_id = o.hold_id
            UNION ALL
            SELECT x.kind, x.amount, x.at
            FROM ledger.adjustment a JOIN ledger.transfer x ON x.id = a.transfer_id
            WHERE a.order_id = o.id
        ) AS t
        WHERE (CAST(:kind AS text) IS NULL OR t.kind = :kind)
            AND (CAST(:starts AS timestamptz) IS NULL OR t.at >= :starts)
            AND (CAST(:ends AS timestamptz) IS NULL OR t.at < :ends)
    ) AS m
    WHERE o.workspace_id = :workspace AND m.count > 0
        AND (CAST(:budget AS uuid) IS NULL OR o.budget_id = :budget)
        AND (CAST(:first_order AS uuid) IS NULL OR o.id BETWEEN :first_order AND :last_order)
        AND (CAST(:tag AS jsonb) IS NULL OR (
            SELECT n.tags FROM ledger.budget_now n WHERE n.id = o.budget_id
        ) || o.tags @> CAST(:tag AS jsonb))
        AND (CAST(:provider AS text) IS NULL OR EXISTS (
            SELECT FROM public.plan p JOIN public.price_list l ON l.id = p.price_list_id
            WHERE p.id = o.plan_id AND l.provider = :provider
        ))
        AND (CAST(:created_at AS timestamptz) IS NULL OR (o.created_at, o.id) < (:created_at, :id))
    ORDER BY o.created_at DESC, o.id DESC LIMIT :limit
"""  # noqa: S608  (the kinds of movement are ours)


def page_of_orders_moved(
    session: Session, workspace_id: UUID, chosen: LineFilter, page: PageRequest
) -> tuple[list[OrderMovements], Cursor | None]:
    """Return one page of orders with chosen movements, newest order first, and the next page's cursor."""
    after = page.after
    values = values_of(chosen) | {
        "workspace": workspace_id,
        "created_at": None if after is None else after.created_at,
        "id": None if after is None else after.id,
        "limit": page.limit + 1,
    }
    rows = session.execute(text(_ORDERS), values).all()
    found = [_moved(row) for row in rows[: page.limit]]
    return found, Cursor(found[-1].placed_at, found[-1].order_id) if len(rows) > page.limit else None


def _moved(row: Row[Any]) -> OrderMovements:
    fields = row._mapping
    return OrderMovements(
        order_id=row.id,
        placed_at=row.created_at,
        budget_id=row.budget_id,
        budget=row.name,
        count=fields["count"],
        sums={kind: Money(fields[kind.value], row.currency) for kind in ADDED_UP},
    )
