"""The deadline of an order: the moment at which its undelivered patches are cancelled. It can be put off."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError, InvalidInputError
from service.orders.approval import was_accepted
from service.orders.repository import find_order, record_status
from service.orders.schemas import DeadlineIn
from service.orders.tables import OPEN, Order, OrderStatus

MOST_DAYS = 3_650
"""Days from today until which a deadline can be put off."""


class OrderEndedError(ConflictError):
    """A new deadline for an order that awaits nothing any more."""

    code = "order-ended"
    title = "The order has ended"


class DeadlineNotLaterError(ConflictError):
    """A new deadline that is not after the present one, or has passed."""

    code = "deadline-not-later"
    title = "The deadline can only be put off"


class DeadlineTooFarError(InvalidInputError):
    """A deadline in the distant future."""

    code = "deadline-too-far"
    title = "The deadline is too far in the future"


def put_off_deadline(session: Session, caller: Caller, order_id: UUID, wanted: DeadlineIn) -> Order:
    """Let an order await its patches until the end of a later day (UTC), and record who asked for it.

    An overdue order awaits its patches again, unless the entry that ends it was made. The same day again
    changes nothing. Errors: not-found, order-ended, deadline-not-later, deadline-too-far.
    """
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    if order.status not in OPEN:
        raise _ended(session, order)
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    expires_at = end_of(wanted.last_day, now)
    if expires_at == order.expires_at:
        return order
    if expires_at <= max(order.expires_at, now):
        raise DeadlineNotLaterError(
            f"The order awaits its patches until {order.expires_at:%Y-%m-%d %H:%M} UTC, and now it is "
            f"{now:%Y-%m-%d %H:%M} UTC. Send a later day than {wanted.last_day}.",
            order=str(order.id),
            expires_at=order.expires_at.isoformat(),
        )
    order.expires_at = expires_at
    status = OrderStatus(order.status)
    record_status(
        session, order, status, "deadline_put_off", key_id=caller.key_id, note=wanted.note, sets_deadline=True
    )
    return order


def end_of(day: date, now: datetime) -> datetime:
    """Return the first moment (UTC) after a day. DeadlineTooFarError beyond MOST_DAYS."""
    last = now.astimezone(UTC).date() + timedelta(days=MOST_DAYS)
    if day > last:
        raise DeadlineTooFarError(
            f"{day} is more than {MOST_DAYS:,} days away. Send a day until {last}.", last_day=last.isoformat()
        )
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _ended(session: Session, order: Order) -> OrderEndedError:
    word = order.status.removeprefix("user_")
    remedy = "Order its plan again if you still need them."
    if order.status == OrderStatus.COMPLETED:
        remedy = "Everything that it bought was delivered, so it needs no later deadline."
    elif order.status == OrderStatus.EXPIRED and was_accepted(session, order):
        remedy = f"If they come late, send them with accept_late=true (`loupe deliver --late`). {remedy}"
    return OrderEndedError(
        f"The order is {word}, so it awaits no patches. {remedy}",
        order=str(order.id),
        order_status=order.status,
    )
