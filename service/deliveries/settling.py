"""Storing of checked files under the order's lock: the first of a patch is paid, later ones supersede it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.deliveries.payments import pay_delivery, price_patch
from service.deliveries.uploads import AskedPrice
from service.errors import ConflictError
from service.money import Money
from service.orders.approval import check_approved, check_was_accepted, was_accepted
from service.orders.checklist import Checklist, Place
from service.orders.delivered import FileVersion, delivered_counts, find_delivery, find_file
from service.orders.ending import complete_order
from service.orders.expiry import ORDER_AGAIN, check_in_time
from service.orders.late import LateCharge, check_not_ordered_again, lock_late, settle_late
from service.orders.repository import find_order, record_status
from service.orders.tables import GIVEN_UP, DeliveredFile, Delivery, Order, OrderStatus

LATE_REMEDY = (
    "Send the patches with accept_late=true (`loupe deliver --late`) to hold their cost again, or order its "
    "plan again."
)
"""Way out for an expired order, shown with it."""


class OrderCancelledError(ConflictError):
    """A delivery against an order that was cancelled or rejected and whose money is released."""

    code = "order-cancelled"
    title = "The order is cancelled"


class PatchNotOrderedError(ConflictError):
    """A delivery of a patch that the plan does not buy."""

    code = "patch-not-ordered"
    title = "This patch was not bought"


class PatchAlreadyDeliveredError(ConflictError):
    """A delivery of a patch that was paid before, at another price."""

    code = "patch-already-delivered"
    title = "This patch was already delivered"


class Effect(StrEnum):
    """Effect of a delivered file on one patch."""

    SETTLED = "settled"
    """The patch was awaited; the file is stored and the patch is paid."""
    SUPERSEDED = "superseded"
    """Another file was delivered before; this one is stored beside it and used from now on."""
    ALREADY_DELIVERED = "already-delivered"
    """The same bytes were delivered before; nothing changed."""


@dataclass(frozen=True, kw_only=True)
class CheckedPatch:
    """A patch that was cut from a file and checked: uint8 (3, s, s) on the patch's own pixel grid."""

    place: Place
    sha256: str
    size: int  # bytes of the file
    pixels: NDArray[np.uint8]
    checks: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A stored file of a patch, what the patch was paid, and the file that it superseded if any."""

    order: Order
    delivery: Delivery
    file: DeliveredFile
    supersedes: FileVersion | None
    outcome: Effect


def lock_order(session: Session, caller: Caller, order_id: UUID, *, accept_late: bool) -> Order:
    """Return an order, locked for a delivery; its plan as well, if it may have expired."""
    if accept_late:
        return lock_late(session, caller, order_id)
    return find_order(session, caller.workspace_id, order_id, lock=True)


def check_awaited(
    session: Session, order: Order, checklist: Checklist, place: Place, *, accept_late: bool = False
) -> None:
    """Refuse a patch that an order does not await. The patch has not been delivered.

    Errors: those of `check_takes_deliveries`, patch-not-ordered.
    """
    check_takes_deliveries(session, order, accept_late=accept_late)
    if not checklist.is_bought(*place):
        raise PatchNotOrderedError(
            f"The plan of this order does not buy patch {place[1]} of tile {place[0]}. "
            f"GET /v1/orders/{order.id} lists the patches that it awaits.",
            order=str(order.id),
            tile=place[0],
            patch=place[1],
        )


def check_takes_deliveries(session: Session, order: Order, *, accept_late: bool = False) -> None:
    """Refuse an order that awaits nothing; with `accept_late`, an expired one is no such order.

    Errors: order-expired, plan-ordered-again, order-cancelled, approval-required.
    """
    if accept_late and order.status == OrderStatus.EXPIRED:
        check_was_accepted(session, order)
        check_not_ordered_again(session, order)
        return
    check_in_time(session, order, lambda: LATE_REMEDY if was_accepted(session, order) else ORDER_AGAIN)
    if order.status in GIVEN_UP:
        word = order.status.removeprefix("user_")
        raise OrderCancelledError(
            f"The order was {word} and takes no more patches. Only patches that were delivered before it "
            f"was {word} can be delivered again.",
            order=str(order.id),
        )
    check_approved(order)


def same_file(
    session: Session, order: Order, place: Place, sha256: str, files: Sequence[FileVersion]
) -> Receipt | None:
    """Return the receipt of the same bytes if they are among the patch's `files`, else None."""
    for index, one in enumerate(files):
        if one.sha256 == sha256:
            return Receipt(
                order=order,
                delivery=session.get_one(Delivery, (order.id, *place)),
                file=find_file(session, order.id, place, one.version),
                supersedes=files[index - 1] if index else None,
                outcome=Effect.ALREADY_DELIVERED,
            )
    return None


def store_file(
    session: Session,
    caller: Caller,
    order: Order,
    checklist: Checklist,
    patch: CheckedPatch,
    files: Sequence[FileVersion],
    price: AskedPrice | None = None,
    late: LateCharge | None = None,
) -> Receipt:
    """Store a file of a patch beside its earlier `files`, and pay for the patch if it is the first.

    The caller holds the order's lock and calls `advance` afterwards. `late` has the cost of a patch of an
    expired order. Errors: those of `check_awaited`, `check_same_price` and `price_patch`.
    """
    if before := same_file(session, order, patch.place, patch.sha256, files):
        return before
    delivery = find_delivery(session, order.id, patch.place)
    first = delivery is None
    if delivery is None:
        delivery = _new_delivery(session, caller, order, checklist, patch.place, price, late)
    file = _new_file(caller, order, patch, version=len(files) + 1)
    session.add(file)
    session.flush()
    if first:
        pay_delivery(session, order, delivery)
    return Receipt(
        order=order,
        delivery=delivery,
        file=file,
        supersedes=files[-1] if files else None,
        outcome=Effect.SETTLED if first else Effect.SUPERSEDED,
    )


def _new_delivery(
    session: Session,
    caller: Caller,
    order: Order,
    checklist: Checklist,
    place: Place,
    price: AskedPrice | None,
    late: LateCharge | None,
) -> Delivery:
    check_awaited(session, order, checklist, place, accept_late=late is not None)
    cost = late.costs[place] if late else price_patch(session, caller, order, checklist, place, price)
    delivery = Delivery(order_id=order.id, tile=place[0], patch=place[1], settled_minor=cost.minor)
    session.add(delivery)
    session.flush()
    return delivery


def _new_file(caller: Caller, order: Order, patch: CheckedPatch, version: int) -> DeliveredFile:
    return DeliveredFile(
        order_id=order.id,
        tile=patch.place[0],
        patch=patch.place[1],
        version=version,
        sha256=patch.sha256,
        size=patch.size,
        pixels=patch.pixels.tobytes(),
        checks=dict(patch.checks),
        key_id=caller.key_id,
        created_at=func.clock_timestamp(),
    )


def advance(session: Session, caller: Caller, order: Order, late: LateCharge | None) -> None:
    """Set the status that the deliveries so far imply; the caller holds the order's lock."""
    if late is not None:
        settle_late(session, caller, order, late)
        return
    delivered = delivered_counts(session, [order.id]).get(order.id, 0)
    if order.status not in {OrderStatus.ACCEPTED, OrderStatus.PROCESSING}:
        return
    if delivered == order.patches:
        complete_order(session, order, caller.key_id)
    elif delivered and order.status == OrderStatus.ACCEPTED:
        record_status(session, order, OrderStatus.PROCESSING, "partial_delivery", key_id=caller.key_id)


def check_same_price(order: Order, delivery: Delivery, price: AskedPrice) -> None:
    """Refuse another price than was paid: a patch is paid once, and a later change is an adjustment."""
    paid, asked = order.money(delivery.settled_minor), Money.parse(price.amount, order.currency)
    if paid != asked:
        raise PatchAlreadyDeliveredError(
            f"This patch was delivered before and {paid} was paid for it. Correct the amount with "
            "POST /v1/ledger/adjustments, or send the file without a price.",
            order=str(order.id),
            tile=delivery.tile,
            patch=delivery.patch,
            settled=paid.amount,
            price=asked.amount,
        )
