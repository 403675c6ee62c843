"""Queries of orders, each bound to the caller's workspace or to one order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, cast, column, func, insert, select, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.orders.tables import GIVEN_UP, STATUS_NOW, Order, OrderStatus, OrderStatusChange
from service.plans.tables import Plan
from service.web.paging import Cursor, PageRequest, fetch_page

_BUDGETS = table("budget_now", column("id"), column("workspace_id"), column("tags", JSONB), schema="ledger")


def find_order(session: Session, workspace_id: UUID, order_id: UUID, *, lock: bool = False) -> Order:
    """Return an order, with `lock` locked against other writers. NotFoundError outside the workspace."""
    query = select(Order).where(Order.id == order_id, Order.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    order = session.scalars(query).one_or_none()
    if order is None:
        raise NotFoundError(f"There is no order {order_id}.", order=str(order_id))
    return order


def plan_of(session: Session, order: Order) -> Plan:
    """Return the plan an order buys."""
    return session.scalars(select(Plan).where(Plan.id == order.plan_id)).one()


def standing_order_of(session: Session, plan_id: UUID) -> Order | None:
    """Return the plan's order that was not cancelled, rejected or expired, if there is one."""
    query = select(Order).where(Order.plan_id == plan_id, Order.status.not_in(GIVEN_UP))
    return session.scalars(query).one_or_none()


def page_of_orders(
    session: Session, workspace_id: UUID, page: PageRequest, chosen: Sequence[ColumnElement[bool]] = ()
) -> tuple[list[Order], Cursor | None]:
    """Return one page of the workspace's orders that meet the conditions, newest first."""
    query = select(Order).where(Order.workspace_id == workspace_id, *chosen)
    return fetch_page(session, query, Order, page)


def labelled(tag: Mapping[str, str] | None, cost_center: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions that choose orders by cost centre and tag, their own or else their budget's."""
    found = list[ColumnElement[bool]]()
    for name, value in (tag or {}).items():
        wanted = cast({name: value}, JSONB)
        budgets = select(_BUDGETS.c.id).where(_BUDGETS.c.tags.bool_op("@>")(wanted))
        inherited = ~Order.tags.bool_op("?")(name) & Order.budget_id.in_(budgets)
        found.append(Order.tags.bool_op("@>")(wanted) | inherited)
    if cost_center is not None:
        found.append(Order.cost_center == cost_center)
    return found


def without_tag(name: str) -> ColumnElement[bool]:
    """Return the condition that neither an order nor its budget has a tag of this name."""
    budgets = select(_BUDGETS.c.id).where(_BUDGETS.c.tags.bool_op("?")(name))
    return ~Order.tags.bool_op("?")(name) & Order.budget_id.not_in(budgets)


def tags_of_budgets(session: Session, workspace_id: UUID) -> dict[UUID, dict[str, str]]:
    """Return the tags of the workspace's budgets as they are now."""
    query = select(_BUDGETS.c.id, _BUDGETS.c.tags).where(_BUDGETS.c.workspace_id == workspace_id)
    return dict(session.execute(query).all())


def statuses_now(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, OrderStatus]:
    """Return the status of each order as readers see it: overdue orders count as expired."""
    query = select(Order.id, STATUS_NOW).where(Order.id.in_(order_ids))
    return {order_id: OrderStatus(status) for order_id, status in session.execute(query)}


def history(session: Session, order_id: UUID) -> Sequence[OrderStatusChange]:
    """Return the order's status changes, oldest first."""
    query = select(OrderStatusChange).where(OrderStatusChange.order_id == order_id)
    return session.scalars(query.order_by(OrderStatusChange.seq)).all()


def record_status(
    session: Session,
    order: Order,
    status: OrderStatus,
    reason_code: str,
    *,
    key_id: str | None = None,
    note: str | None = None,
    at: datetime | None = None,
    sets_deadline: bool = False,
) -> OrderStatusChange:
    """Set the order's status and return the new step of its history; the caller holds the order's lock.

    `key_id` names the key that caused it, None when the clock did; `at` defaults to now. A step that
    `sets_deadline` records when the order expires from then on.
    """
    order.status = status
    session.flush()
    last = select(func.coalesce(func.max(OrderStatusChange.seq), 0))
    step = insert(OrderStatusChange).values(
        order_id=order.id,
        seq=last.where(OrderStatusChange.order_id == order.id).scalar_subquery() + 1,
        status=status,
        reason_code=reason_code,
        key_id=key_id,
        note=note,
        expires_at=order.expires_at if sets_deadline else None,
        **({} if at is None else {"at": at}),
    )
    return session.scalars(step.returning(OrderStatusChange)).one()
