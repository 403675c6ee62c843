"""How orders end: complete, cancelled, rejected or expired. What their holds have left is given back."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.database.engine import Database
from service.errors import ConflictError
from service.ledger.repository import money_of_orders
from service.ledger.writer import release
from service.orders.repository import find_order, record_status
from service.orders.tables import GIVEN_UP, OPEN, Order, OrderStatus

RELEASES = {
    OrderStatus.COMPLETED: "complete",
    OrderStatus.USER_CANCELLED: "cancel",
    OrderStatus.REJECTED: "reject",
    OrderStatus.EXPIRED: "expire",
}
"""The word before the order's id in the reference of what each end releases."""
OVERDUE = Order.status.in_(OPEN) & (Order.expires_at <= func.clock_timestamp())
"""The time is up, by the database's clock."""


class OrderCompletedError(ConflictError):
    """Every patch was delivered: nothing is left to cancel."""

    code = "order-completed"
    title = "The order is complete"


class OrderExpiredError(ConflictError):
    """The order's time is up and its money released."""

    code = "order-expired"
    title = "The order has expired"


def end_order(
    session: Session,
    order: Order,
    status: OrderStatus,
    reason_code: str,
    key_id: str | None = None,
    note: str | None = None,
) -> None:
    """Give back what the order's hold has left and set its last status; the caller holds its lock."""
    left = money_of_orders(session, [order.id])[order.id].held
    release(session, order.hold_id, left, f"{RELEASES[status]}:{order.id}")
    record_status(session, order, status, reason_code, key_id, note)


def cancel_order(session: Session, caller: Caller, order_id: UUID) -> Order:
    """Give back what was not delivered. An order that was given up stays so; a complete one refuses."""
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    if order.status in GIVEN_UP:
        return order
    if order.status == OrderStatus.COMPLETED:
        raise OrderCompletedError("Every patch of this order was delivered.", order=str(order.id))
    end_order(session, order, OrderStatus.USER_CANCELLED, "cancelled_by_user", caller.key_id)
    return order


def expire_if_overdue(session: Session, order_id: UUID, *, wait: bool = True) -> bool:
    """Lock the order and, if its time is up, end it; say whether it was."""
    query = select(Order).where(Order.id == order_id, OVERDUE).with_for_update(skip_locked=not wait)
    order = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if order is None:
        return False
    end_order(session, order, OrderStatus.EXPIRED, "not_delivered_in_time")
    return True


def expire_orders(database: Database) -> int:
    """End every order whose time is up, each in a transaction of its own; return how many.

    One that somebody else has in hand is left to them, or to the next sweep.
    """
    with database.sessions() as session:
        overdue = session.scalars(select(Order.id).where(OVERDUE).order_by(Order.expires_at)).all()
    return sum(expire_order(database, order_id, wait=False) for order_id in overdue)


def expire_order(database: Database, order_id: UUID, *, wait: bool = True) -> bool:
    """End an order whose time is up in a transaction of its own, so that a refusal after it leaves it so."""
    with database.sessions.begin() as session:
        return expire_if_overdue(session, order_id, wait=wait)


def check_in_time(session: Session, order: Order) -> None:
    """Raise OrderExpiredError once the order's time is up; the caller holds its lock."""
    late = session.scalar(select(OVERDUE).where(Order.id == order.id))
    if late or order.status == OrderStatus.EXPIRED:
        raise OrderExpiredError(
            f"It awaited its patches until {order.expires_at:%Y-%m-%d %H:%M} UTC.",
            order=str(order.id),
            expires_at=order.expires_at.isoformat(),
        )
