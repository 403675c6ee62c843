"""Orders as rows of a list, and what waits for the visitor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from service.access.tables import ApiKey
from service.dashboard.rendering import in_text
from service.dashboard.session import Visitor
from service.ledger.proposals import Proposal, list_proposals
from service.ledger.repository import list_budgets
from service.money import Money
from service.orders.schemas import OrderSummary
from service.orders.tables import STATUS_NOW, Order, OrderStatus
from service.orders.views import summaries
from service.web.money import MoneyOut
from service.web.paging import PageRequest

AWAITING = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
SOON = timedelta(days=7)
"""Time before its deadline from which on an order is shown as due."""
LATE = timedelta(days=30)
"""Time after its deadline for which an incomplete order is shown as overdue."""
WAITING = 20
"""Most orders and proposals of each kind that are shown as waiting."""


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """An order in a list."""

    id: UUID
    status: OrderStatus
    placed_at: datetime
    due_at: datetime
    """End of the time in which the order awaits patches."""
    is_due: bool
    """Whether patches are awaited and the time ends within SOON."""
    owner: str
    """Name of the key that placed it."""
    budget: str
    labels: str
    amount: MoneyOut
    """Amount that was held for it in all."""
    delivered: int
    bought: int


@dataclass(frozen=True, kw_only=True)
class ProposalRow:
    """A later charge or a change of terms that waits for another holder."""

    id: UUID
    order: UUID | None
    budget: str
    by: str
    at: datetime
    says: str
    """The proposal as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Everything that waits for the visitor, oldest or most urgent first."""

    held: list[OrderRow]
    proposals: list[ProposalRow]
    due: list[OrderRow]
    overdue: list[OrderRow]

    @property
    def number(self) -> int:
        """How many things wait."""
        return len(self.held) + len(self.proposals) + len(self.due) + len(self.overdue)


@dataclass(frozen=True, kw_only=True)
class WorkspaceNames:
    """Names of the workspace's keys and budgets by their ids, and the currencies of its budgets."""

    keys: Mapping[str, str]
    budgets: Mapping[UUID, str]
    currencies: Sequence[str]

    @classmethod
    def of(cls, session: Session, workspace_id: UUID) -> "WorkspaceNames":
        """Read the names."""
        query = select(ApiKey.id, ApiKey.name).where(ApiKey.workspace_id == workspace_id)
        budgets, _ = list_budgets(session, workspace_id, PageRequest(1_000, None))
        return cls(
            keys=dict(session.execute(query).all()),
            budgets={one.id: one.name for one in budgets},
            currencies=sorted({one.currency for one in budgets}),
        )


def rows_of(
    session: Session, orders: Sequence[Order], names: WorkspaceNames, now: datetime
) -> list[OrderRow]:
    """Write a page of orders."""
    written = summaries(session, orders)
    return [_row(order, one, names, now) for order, one in zip(orders, written, strict=True)]


def _row(order: Order, one: OrderSummary, names: WorkspaceNames, now: datetime) -> OrderRow:
    labels = [f"{name} = {value}" for name, value in sorted(one.tags.items())]
    return OrderRow(
        id=one.id,
        status=one.status,
        placed_at=one.created_at,
        due_at=one.expires_at,
        is_due=one.status in AWAITING and one.expires_at < now + SOON,
        owner=names.keys.get(order.key_id or "", "unknown key"),
        budget=names.budgets.get(one.budget, str(one.budget)),
        labels=", ".join([*filter(None, (one.name, one.external_id, one.cost_center)), *labels]),
        amount=one.amounts.total,
        delivered=one.counts.delivered,
        bought=one.counts.bought,
    )


def read_waiting(
    session: Session, visitor: Visitor, names: WorkspaceNames, now: datetime, *, may_approve: bool
) -> Waiting:
    """Return what waits for the visitor: decisions that its role may take, and patches to hand in."""
    mine = select(ApiKey.id).where(
        ApiKey.workspace_id == visitor.workspace_id, ApiKey.holder == visitor.holder
    )
    held = [STATUS_NOW.in_([OrderStatus.HELD]), or_(Order.key_id.is_(None), Order.key_id.not_in(mine))]
    due = [STATUS_NOW.in_(AWAITING), Order.expires_at < now + SOON]
    overdue = [STATUS_NOW.in_([OrderStatus.EXPIRED]), Order.expires_at > now - LATE, Order.patches > 0]
    delivers = visitor.may_do("deliver_file")

    def found(conditions: Sequence[ColumnElement[bool]], *, shown: bool) -> list[OrderRow]:
        query = select(Order).where(Order.workspace_id == visitor.workspace_id, *conditions)
        orders = session.scalars(query.order_by(Order.expires_at).limit(WAITING)).all() if shown else []
        return rows_of(session, orders, names, now) if orders else []

    return Waiting(
        held=found(held, shown=may_approve),
        proposals=_proposals(session, visitor, names) if may_approve else [],
        due=found(due, shown=delivers),
        overdue=found(overdue, shown=delivers),
    )


def _proposals(session: Session, visitor: Visitor, names: WorkspaceNames) -> list[ProposalRow]:
    mine = set(session.scalars(select(ApiKey.id).where(ApiKey.holder == visitor.holder)))
    waiting, _ = list_proposals(session, visitor.workspace_id, PageRequest(WAITING, None), waiting=True)
    return [proposal_row(one, names) for one in waiting if one.key_id not in mine]


def proposal_row(one: Proposal, names: WorkspaceNames) -> ProposalRow:
    """Write a proposal as a sentence with what it would change."""
    if one.order_id is not None:
        says = f"Charge {_value(one.amount)} more for order {str(one.order_id)[:8]}: {one.reason}"
    else:
        says = "Change " + "; ".join(
            f"{_term(name)} to {_value(value)}" for name, value in (one.changes or {}).items()
        )
    return ProposalRow(
        id=one.id,
        order=one.order_id,
        budget=names.budgets.get(one.budget_id, str(one.budget_id)),
        by=names.keys.get(one.key_id, one.key_id),
        at=one.at,
        says=says,
    )


def _term(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "none"
    if isinstance(value, Money):
        return in_text(value)
    return "none" if value is None else str(value)


def time_now(session: Session) -> datetime:
    """Return the time of the transaction, by which statuses are told too."""
    now: datetime = session.execute(select(func.now())).scalar_one()
    return now
