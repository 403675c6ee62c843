"""The end of an order: complete, cancelled, rejected or expired. The rest of its hold is released.

A cancelled or expired order first settles the provider's bill for what came.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError
from service.ledger.repository import money_of_orders
from service.ledger.writer import release
from service.orders.final_bill import ArrivedBill, settle_difference
from service.orders.repository import find_order, record_status
from service.orders.tables import GIVEN_UP, Order, OrderStatus, OrderStatusChange

RELEASES = {
    OrderStatus.COMPLETED: "complete",
    OrderStatus.USER_CANCELLED: "cancel",
    OrderStatus.REJECTED: "reject",
    OrderStatus.EXPIRED: "expire",
}
"""Word before the order's id in the reference of the entry that releases its hold."""


class OrderCompletedError(ConflictError):
    """A cancellation of an order whose patches were all delivered."""

    code = "order-completed"
    title = "The order is complete"


def end_order(
    session: Session,
    order: Order,
    status: OrderStatus,
    reason_code: str,
    key_id: str | None = None,
    note: str | None = None,
    at: datetime | None = None,
) -> OrderStatusChange:
    """Release the rest of the order's hold, record its last status and return it; the caller holds its lock.

    An order that ends before all its patches came has settled their bill with `settle_difference`.
    """
    left = money_of_orders(session, [order.id])[order.id].held
    # First the status: the evidence of the release covers the history.
    step = record_status(session, order, status, reason_code, key_id=key_id, note=note, at=at)
    release(session, order.hold_id, left, f"{RELEASES[status]}:{order.id}")
    return step


def complete_order(session: Session, order: Order, key_id: str) -> None:
    """Complete an order whose patches were all delivered; the caller holds its lock.

    The release is what its patches cost less than planned.
    """
    end_order(session, order, OrderStatus.COMPLETED, "all_delivered", key_id)


def cancel_undelivered(
    session: Session, caller: Caller, order_id: UUID, bill: ArrivedBill | None = None
) -> Order:
    """Settle the bill for what came of an order, release the rest of its money, and return the order.

    `bill` was computed before; it is computed again if more came since. An order that was cancelled,
    rejected or expired before stays as it is. Errors: not-found, order-completed.
    """
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    if order.status in GIVEN_UP:
        return order
    if order.status == OrderStatus.COMPLETED:
        raise OrderCompletedError(
            f"All {order.patches} patches of this order were delivered; nothing is left to cancel.",
            order=str(order.id),
        )
    settle_difference(session, order, bill)
    end_order(session, order, OrderStatus.USER_CANCELLED, "cancelled_by_user", caller.key_id)
    return order
