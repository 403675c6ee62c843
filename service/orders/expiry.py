"""Expiry of orders by the database's clock.

Every reader shows an overdue order as expired from the moment its time is up. The ledger entry that
releases its hold follows: from `expiring_orders`, which runs beside the server, or from the first
request that moves money of the workspace, whichever comes first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.database.durability import end_at_once
from service.database.engine import Database, DatabaseDep
from service.errors import ConflictError, LoupeError
from service.orders.ending import end_order
from service.orders.final_bill import bill_arrived, read_arrived, settle_difference
from service.orders.tables import NOT_DELIVERED_IN_TIME, Order, OrderStatus, overdue_at

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 500
"""Orders that one sweep ends; at about 10 ms each, a server that stops waits for it a few seconds."""
ORDER_AGAIN = "Order its plan again."
"""Way out for an overdue order, shown with it."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OVERDUE = overdue_at(func.clock_timestamp())


class OrderExpiredError(ConflictError):
    """An order whose patches were due before now."""

    code = "order-expired"
    title = "The order has expired"


def check_in_time(session: Session, order: Order, remedy: Callable[[], str] = lambda: ORDER_AGAIN) -> None:
    """Raise OrderExpiredError with a remedy once the order's time is up; the caller holds its lock."""
    late = session.scalar(select(_OVERDUE).where(Order.id == order.id))
    if late or order.status == OrderStatus.EXPIRED:
        raise OrderExpiredError(
            f"The order awaited its patches until {order.expires_at:%Y-%m-%d %H:%M} UTC. {remedy()}",
            order=str(order.id),
            expires_at=order.expires_at.isoformat(),
        )


def expire_order(database: Database, order_id: UUID, *, wait: bool = True) -> bool:
    """End the order in a transaction of its own if its time is up, and return whether it was.

    Without `wait`, an order that another transaction has locked is left to the next sweep.
    """
    overdue = select(Order).where(Order.id == order_id, _OVERDUE)
    with database.sessions() as session:
        order = session.scalars(overdue).one_or_none()
        if order is None:
            return False
        arrived = read_arrived(session, order)
    bill = None if arrived is None else bill_arrived(arrived)
    with database.sessions.begin() as session:
        order = session.scalars(overdue.with_for_update(skip_locked=not wait)).one_or_none()
        if order is not None:
            settle_difference(session, order, bill)
            end_order(session, order, OrderStatus.EXPIRED, NOT_DELIVERED_IN_TIME, at=order.expires_at)
        return order is not None


def expire_orders(
    database: Database, workspace_id: UUID | None = None, *, wait: bool = False, limit: int | None = None
) -> int:
    """End the orders whose time is up, of one workspace if it is given, and return how many were ended.

    An order that cannot be ended is logged and does not keep the others from ending. Any number of
    processes may sweep at once: each order is locked and looked at again before it ends.
    """
    query = select(Order.id).where(_OVERDUE).order_by(Order.expires_at).limit(limit)
    if workspace_id is not None:
        query = query.where(Order.workspace_id == workspace_id)
    with database.sessions() as session:
        overdue = session.scalars(query).all()
        end_at_once(session)
    return sum(_expire_or_log(database, order_id, wait=wait) for order_id in overdue)


def _expire_or_log(database: Database, order_id: UUID, *, wait: bool) -> bool:
    try:
        return expire_order(database, order_id, wait=wait)
    except (SQLAlchemyError, LoupeError):
        logger.exception("Order %s is overdue and could not be expired.", order_id)
        return False


def expire_before_writing(request: Request, caller: CallerDep, database: DatabaseDep) -> None:
    """End the workspace's overdue orders before a request that moves money; a reading request passes."""
    if request.method not in READING:
        expire_orders(database, caller.workspace_id, wait=True)


@asynccontextmanager
async def expiring_orders(database: Database, seconds: float) -> AsyncIterator[None]:
    """Expire overdue orders every `seconds` in the background; leaving waits for a sweep that runs."""
    stop = asyncio.Event()
    sweeping = asyncio.create_task(_sweep_until(stop, database, seconds))
    try:
        yield
    finally:
        stop.set()
        await sweeping


async def _sweep_until(stop: asyncio.Event, database: Database, seconds: float) -> None:
    while not await _is_set_within(stop, seconds):
        try:
            await run_in_threadpool(expire_orders, database, limit=SWEPT_AT_ONCE)
        except Exception:  # the database may be away for a while: the next round tries again
            logger.exception("Overdue orders could not be expired; the next attempt is in %g s.", seconds)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
