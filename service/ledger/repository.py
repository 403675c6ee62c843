"""Reads of the ledger: budgets with their balances, the money of orders, and broken invariants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.ledger.book import Movement
from service.ledger.terms import BudgetTerms, Enforcement, Period, crossed
from service.money import Money
from service.web.paging import Cursor, PageRequest


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A budget with its terms in force and its balances."""

    id: UUID
    workspace_id: UUID
    name: str
    created_at: datetime
    version: int  # number of its terms, from 1
    terms: BudgetTerms
    limit: Money  # per period, if the terms have periods
    period_starts_on: date
    available: Money
    held: Money
    spent: Money  # in this period; below zero when more was refunded than paid

    @property
    def currency(self) -> str:
        """ISO 4217 code of all its amounts."""
        return self.limit.currency

    @property
    def used(self) -> Money:
        """Held plus spent money."""
        return self.held + self.spent

    @property
    def beyond(self) -> Money:
        """Use above the limit, which `warn` and `off` allow."""
        return max(Money(0, self.currency), self.used - self.limit)

    def reaches(self, percent: int) -> bool:
        """Say whether this percentage of the limit is held or spent."""
        return bool(crossed([percent], self.limit, Money(0, self.currency), self.used))

    @property
    def used_percent(self) -> float:
        """Percentage of the limit that is held or spent, to 2 decimals; 0 for a limit of zero."""
        return round(100 * self.used.minor / self.limit.minor, 2) if self.limit else 0.0


# Holds of overdue orders count as released before the entry that releases them is made. The available money
# is then the rest of the limit after held and spent money, as in `budget_now`.
_BUDGETS = """
    SELECT id, workspace_id, name, currency, created_at, version, limit_minor, period_starts_on,
        available_minor + greatest(0, limit_minor - held_minor + overdue.minor - spent_minor) - room_minor
            AS available_minor,
        held_minor - overdue.minor AS held_minor, spent_minor,
        period, starts_on, ends_on, enforcement, thresholds, tags, approval_above_minor
    FROM ledger.budget_now
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(h.amount - h.settled - h.released), 0)::bigint AS minor
        FROM public."order" o JOIN ledger.hold h ON h.id = o.hold_id
        WHERE o.budget_id = budget_now.id AND o.status IN ('held', 'accepted', 'processing')
            AND o.expires_at <= now()
    ) AS overdue
    WHERE workspace_id = :workspace {filter}
    ORDER BY created_at DESC, id DESC LIMIT :limit
"""


def get_budget(session: Session, workspace_id: UUID, budget_id: UUID) -> Budget:
    """Return one budget; NotFoundError when it is not in this workspace."""
    query = text(_BUDGETS.format(filter="AND id = :id"))
    row = session.execute(query, {"workspace": workspace_id, "id": budget_id, "limit": 1}).first()
    if row is None:
        raise NotFoundError(f"There is no budget {budget_id}.", budget=str(budget_id))
    return _budget(row)


def list_budgets(
    session: Session, workspace_id: UUID, page: PageRequest
) -> tuple[list[Budget], Cursor | None]:
    """Return one page of budgets, newest first, and the cursor of the next."""
    values: dict[str, Any] = {"workspace": workspace_id, "limit": page.limit + 1}
    condition = ""
    if page.after is not None:
        condition = "AND (created_at, id) < (:created_at, :id)"
        values |= {"created_at": page.after.created_at, "id": page.after.id}
    rows = session.execute(text(_BUDGETS.format(filter=condition)), values).all()
    budgets = [_budget(row) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return budgets, Cursor(budgets[-1].created_at, budgets[-1].id) if more else None


def _budget(row: Row[Any]) -> Budget:
    fields = in_money(row)
    return Budget(terms=take_terms(fields), **fields)


def take_terms(fields: dict[str, Any]) -> BudgetTerms:
    """Take the terms out of the values of a row that `in_money` has read."""
    return BudgetTerms(
        period=Period(fields.pop("period")),
        starts_on=fields.pop("starts_on"),
        ends_on=fields.pop("ends_on"),
        enforcement=Enforcement(fields.pop("enforcement")),
        thresholds=tuple(fields.pop("thresholds")),
        tags=fields.pop("tags"),
        approval_above=fields.pop("approval_above"),
    )


def in_money(row: Row[Any]) -> dict[str, Any]:
    """Return a row's values with each column `NAME_minor` as Money NAME in the row's currency."""
    values = dict(row._mapping)
    currency = values.pop("currency")
    for name in [name for name in values if name.endswith("_minor")]:
        minor = values.pop(name)
        values[name.removesuffix("_minor")] = None if minor is None else Money(minor, currency)
    return values


@dataclass(frozen=True, kw_only=True)
class OrderMoney:
    """The money of an order: total = held + settled + released."""

    budget_id: UUID
    total: Money
    settled: Money
    released: Money
    refunded: Money
    charged: Money

    @property
    def held(self) -> Money:
        """Money that its hold has left."""
        return self.total - self.settled - self.released

    @property
    def net(self) -> Money:
        """Final cost: settled, minus refunds, plus later charges."""
        return self.settled - self.refunded + self.charged

    def once_ended(self) -> "OrderMoney":
        """Return the same money after the order's end has released what its hold has left."""
        return replace(self, released=self.total - self.settled)


_ORDER_MONEY = """
    SELECT order_id, budget_id, currency, total_minor, settled_minor, released_minor, refunded_minor,
        charged_minor
    FROM ledger.order_money
    WHERE order_id = ANY(:orders) AND (CAST(:workspace AS uuid) IS NULL OR workspace_id = :workspace)
"""


def money_of_orders(
    session: Session, order_ids: Sequence[UUID], workspace_id: UUID | None = None
) -> dict[UUID, OrderMoney]:
    """Return the money of each order by its id; orders outside `workspace_id`, if given, are left out."""
    values = {"orders": list(order_ids), "workspace": workspace_id}
    found = [in_money(row) for row in session.execute(text(_ORDER_MONEY), values)]
    return {row.pop("order_id"): OrderMoney(**row) for row in found}


def find_order_money(session: Session, workspace_id: UUID, order_id: UUID) -> OrderMoney:
    """Return the money of one order; NotFoundError outside the workspace."""
    found = money_of_orders(session, [order_id], workspace_id)
    if order_id not in found:
        raise NotFoundError(f"There is no order {order_id}.", order=str(order_id))
    return found[order_id]


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """A refund or charge after a delivery was paid."""

    order_id: UUID
    number: int  # 1, 2, 3 ... in its order
    kind: Movement
    tile: int | None  # with `patch`: the delivery that was refunded
    patch: int | None
    amount: Money
    reason: str
    key_id: str | None
    proposal_id: UUID | None  # the proposal that another holder approved
    at: datetime
    seq: int  # place of its transfer in the ledger
    reference: str


_ADJUSTMENTS = """
    SELECT a.order_id, a.number, a.kind, a.tile, a.patch, a.amount AS amount_minor, t.currency, a.reason,
        a.key_id, a.proposal_id, a.at, t.seq, t.reference
    FROM ledger.adjustment a JOIN ledger.transfer t ON t.id = a.transfer_id
    WHERE t.workspace_id = :workspace AND t.seq < :before
        AND (CAST(:order AS uuid) IS NULL OR a.order_id = :order)
    ORDER BY t.seq DESC LIMIT :limit
"""


def list_adjustments(
    session: Session, workspace_id: UUID, *, limit: int, before_seq: int, order_id: UUID | None = None
) -> tuple[list[Adjustment], int | None]:
    """Return up to `limit` adjustments, newest first, before a seq; and the next page's `before_seq`."""
    values = {"workspace": workspace_id, "before": before_seq, "order": order_id, "limit": limit + 1}
    rows = [in_money(row) for row in session.execute(text(_ADJUSTMENTS), values)]
    found = [Adjustment(**row | {"kind": Movement(row["kind"])}) for row in rows[:limit]]
    return found, found[-1].seq if len(rows) > limit else None


NEWEST = 2**63 - 1
"""A seq above every other."""


def violations(session: Session) -> list[tuple[str, str]]:
    """Return every broken invariant and its subject; empty when the ledger is sound."""
    rows = session.execute(text("SELECT invariant, subject FROM ledger.violations")).all()
    return [(row.invariant, row.subject) for row in rows]
