"""Reads of transfers: whole chains, and lines with the reasons and documents behind them."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.ledger.book import Movement, Transfer
from service.ledger.filters import EVERY_LINE, LineFilter
from service.ledger.repository import NEWEST, in_money


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """A transfer with the name of its budget, and the reason and documents of what was paid or came back."""

    transfer: Transfer
    budget: str
    reason: str | None = None  # of a refund or later charge
    documents: str | None = None  # numbers of the order's invoices, or of a refund's credit notes
    closed_month: date | None = None  # of an adjustment: the closed month of the payment that it changes
    order_id: UUID | None = None  # the order that the movement belongs to


_FIELDS = """
    SELECT t.id, t.workspace_id, t.seq, t.kind, t.budget_id, t.from_account, t.to_account, t.currency,
        t.amount AS amount_minor, t.hold_id, t.at, t.reference, t.previous_hash, t.hash, t.evidence, b.name"""
_FROM = """
    FROM ledger.transfer t JOIN ledger.budget b ON b.id = t.budget_id"""
_CHAIN = f"{_FIELDS}{_FROM} WHERE t.workspace_id = :workspace ORDER BY t.seq"
# The id in a line's reference names the order, as service/invoices/reconciling.py reads it.
_DOCUMENTS = """
    WITH named AS MATERIALIZED (
        SELECT lower(substring(
                l.reference FROM '(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
            )) AS order_id, i.kind, i.number, min(i.issued_on) AS issued_on
        FROM public.invoice i JOIN public.invoice_line l ON l.invoice_id = i.id
        WHERE i.workspace_id = :workspace GROUP BY 1, i.kind, i.number
    ), documents AS (
        SELECT order_id, kind, string_agg(number, ', ' ORDER BY issued_on, number) AS numbers
        FROM named GROUP BY order_id, kind
    )"""
_BEHIND = """
    LEFT JOIN ledger.adjustment a ON a.transfer_id = t.id
    LEFT JOIN documents d ON t.kind IN ('settle', 'charge', 'refund')
        AND d.kind = CASE t.kind WHEN 'refund' THEN 'credit-note' ELSE 'invoice' END
        AND d.order_id = CAST(t.named_order AS text)
    LEFT JOIN LATERAL (
        SELECT max(c.month) AS month
        FROM public."order" o
        JOIN ledger.transfer paid ON paid.hold_id = o.hold_id AND paid.kind = 'settle'
        JOIN ledger.closed_month c ON c.workspace_id = paid.workspace_id AND c.at <= a.at
            AND c.month = date_trunc('month', paid.at AT TIME ZONE 'UTC')::date
        WHERE o.id = a.order_id AND (a.tile IS NULL
            OR paid.reference = 'delivery:' || a.order_id || '/' || a.tile || '/' || a.patch)
    ) AS closed ON a.order_id IS NOT NULL
    LEFT JOIN public."order" o ON o.workspace_id = t.workspace_id
        AND o.id = t.named_order"""
_READ = (
    f"{_DOCUMENTS}{_FIELDS}, a.reason, d.numbers AS documents, closed.month AS closed_month, o.id AS order_id"
)
# The order is found in the reference of each row of a page once. Row-level security keeps an expression that
# may reveal values, as a regular expression may, from the index of orders; it lets a column in.
_OWN = """
    SELECT t.*, CAST(
        substring(t.reference FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') AS uuid) AS named_order
    FROM ledger.transfer t WHERE t.workspace_id = :workspace"""
_OF_BUDGET = " AS t JOIN ledger.budget b ON b.id = t.budget_id"
_LINES = f"{_READ} FROM ({_OWN}){_OF_BUDGET}{_BEHIND} WHERE true"
_CHOSEN = """ AND t.seq < :before
        AND (CAST(:budget AS uuid) IS NULL OR t.budget_id = :budget)
        AND (CAST(:hold AS uuid) IS NULL OR t.hold_id = :hold)
        AND (CAST(:kind AS text) IS NULL OR t.kind = :kind)
        AND (CAST(:starts AS timestamptz) IS NULL OR t.at >= :starts)
        AND (CAST(:ends AS timestamptz) IS NULL OR t.at < :ends)"""
_NEWEST_FIRST = " ORDER BY t.seq DESC LIMIT :limit"
# By its indexes: a hold has few transfers, and only grants beyond a limit are looked for in their budget.
_OF_ORDERS = """
    AND t.id IN (
        SELECT x.id FROM public."order" w JOIN ledger.transfer x ON x.hold_id = w.hold_id
        WHERE w.workspace_id = :workspace AND w.id BETWEEN :first_order AND :last_order
        UNION ALL
        SELECT x.transfer_id FROM public."order" w JOIN ledger.adjustment x ON x.order_id = w.id
        WHERE w.workspace_id = :workspace AND w.id BETWEEN :first_order AND :last_order
        UNION ALL
        SELECT x.id FROM public."order" w
        JOIN ledger.transfer x ON x.budget_id = w.budget_id AND x.kind IN ('extend', 'retract')
            AND x.reference LIKE 'beyond:' || w.id || '%'
        WHERE w.workspace_id = :workspace AND w.id BETWEEN :first_order AND :last_order
    )"""
_OF_TAG = """
    AND (SELECT n.tags FROM ledger.budget_now n WHERE n.id = t.budget_id) || coalesce(o.tags, '{}')
        @> CAST(:tag AS jsonb)"""
_OF_PROVIDER = """
    AND EXISTS (
        SELECT FROM public.plan p JOIN public.price_list l ON l.id = p.price_list_id
        WHERE p.id = o.plan_id AND l.provider = :provider
    )"""


def list_lines(
    session: Session,
    workspace_id: UUID,
    chosen: LineFilter = EVERY_LINE,
    *,
    limit: int,
    before_seq: int = NEWEST,
) -> tuple[list[LedgerLine], int | None]:
    """Return up to `limit` transfers, newest first, before a seq; and the next page's `before_seq`."""
    values = values_of(chosen) | {"workspace": workspace_id, "before": before_seq, "limit": limit + 1}
    rows = session.execute(text(_page(chosen)), values).all()
    lines = [_line(row) for row in rows[:limit]]
    return lines, lines[-1].transfer.seq if len(rows) > limit else None


def _page(chosen: LineFilter) -> str:
    """Return the SQL of a page. It is cut before anything is joined, unless the joined order is limited."""
    of_orders = _OF_ORDERS if chosen.orders is not None else ""
    if chosen.tag is None and chosen.provider is None:
        page = f" FROM ({_OWN}{_CHOSEN}{of_orders}{_NEWEST_FIRST})"
        return f"{_READ}{page}{_OF_BUDGET}{_BEHIND} ORDER BY t.seq DESC"
    of_tag = _OF_TAG if chosen.tag is not None else ""
    of_provider = _OF_PROVIDER if chosen.provider is not None else ""
    return f"{_LINES}{_CHOSEN}{of_orders}{of_tag}{of_provider}{_NEWEST_FIRST}"


def values_of(chosen: LineFilter) -> dict[str, Any]:
    """Return the limits as values of a query; None where there is no limit."""
    first, last = chosen.orders or (None, None)
    return {
        "budget": chosen.budget_id, "hold": chosen.hold_id, "kind": chosen.kind,
        "starts": chosen.days.starts, "ends": chosen.days.ends, "first_order": first, "last_order": last,
        "tag": None if chosen.tag is None else json.dumps(dict(chosen.tag)), "provider": chosen.provider,
    }  # fmt: skip


def find_line(session: Session, workspace_id: UUID, transfer: int | UUID) -> LedgerLine:
    """Return the transfer of this seq or id; NotFoundError when it is not in this workspace."""
    column = "seq" if isinstance(transfer, int) else "id"
    query = text(f"{_LINES} AND t.{column} = :transfer")
    row = session.execute(query, {"workspace": workspace_id, "transfer": transfer}).first()
    if row is None:
        raise NotFoundError(f"There is no transfer {transfer} in the ledger.", transfer=str(transfer))
    return _line(row)


def chain(session: Session, workspace_id: UUID) -> Generator[Transfer]:
    """Yield every transfer of a workspace by seq, 1,000 at a time in memory; `book.first_break` checks them.

    The generator holds a database cursor: close it when not all transfers are read.
    """
    query = text(_CHAIN).execution_options(yield_per=1_000)
    with session.execute(query, {"workspace": workspace_id}) as rows:
        for row in rows:
            yield _line(row).transfer


def _line(row: Row[Any]) -> LedgerLine:
    fields = in_money(row)
    behind = {name: fields.pop(name, None) for name in ("reason", "documents", "closed_month", "order_id")}
    budget = fields.pop("name")
    transfer = Transfer(**fields | {"kind": Movement(fields["kind"])})
    return LedgerLine(transfer=transfer, budget=budget, **behind)
