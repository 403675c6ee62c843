"""A bought patch arrives: checked, stored and paid for, once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.blobs import put
from service.database.engine import Database
from service.errors import ConflictError
from service.ledger.writer import settle
from service.money import Money
from service.orders.approval import ApprovalRequiredError
from service.orders.checklist import Checklist, Place
from service.orders.expiry import check_in_time
from service.orders.lifecycle import advance
from service.orders.paying import Price, price_of
from service.orders.repository import find_delivery, find_order, plan_of
from service.orders.tables import GIVEN_UP, Delivery, Order, OrderStatus
from service.plans.arrays import PlanArrays
from service.plans.tables import Scene


class OrderCancelledError(ConflictError):
    """The order was cancelled or rejected and its money released: nothing can be delivered against it."""

    code = "order-cancelled"
    title = "The order is cancelled"


class PatchNotOrderedError(ConflictError):
    """The plan did not buy this patch."""

    code = "patch-not-ordered"
    title = "This patch was not bought"


class PatchAlreadyDeliveredError(ConflictError):
    """The patch was delivered before, with other bytes."""

    code = "patch-already-delivered"
    title = "This patch was delivered already"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file sent against one place of an order; `bands` and `radiometry` say how to read it.

    `price` is what the provider asks, where that is not the patch's share of the plan's cost.
    """

    order_id: UUID
    tile: int
    patch: int
    body: bytes
    bands: str | None = None
    radiometry: str | None = None
    price: Price | None = None

    @property
    def place(self) -> Place:
        """Tile and patch."""
        return self.tile, self.patch

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes as they came."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What a file became: uint8 (3, s, s) on the patch's own pixel grid, and what was verified."""

    pixels: NDArray[np.uint8]
    checks: dict[str, Any]


Decode = Callable[[Scene, Upload], Placed]


def deliver(
    database: Database, session: Session, caller: Caller, upload: Upload, decode: Decode, blobs: Path
) -> tuple[Delivery, bool]:
    """Store an upload and pay for it; returns the delivery and whether it is new.

    The file is decoded before the order is locked and while no connection is held, so that slow files
    hold up nobody; what was checked before is checked again under the lock, so that racing uploads are
    paid once. `session` is the request's, not used before the decode.
    Errors: not-found, order-cancelled, order-expired, approval-required, patch-not-ordered,
    patch-already-delivered, decode's, and price_of's.
    """
    with database.sessions() as reading:
        order = find_order(reading, caller.workspace_id, upload.order_id)
        plan = plan_of(reading, order)
        scene = reading.get_one(Scene, plan.scene_id)
        checklist = Checklist(selected=PlanArrays.of(plan).selected)
        standing = _standing(reading, order, checklist, upload)
    if standing is not None:
        return standing, False
    placed = decode(scene, upload)
    order = find_order(session, caller.workspace_id, upload.order_id, lock=True)
    if standing := _standing(session, order, checklist, upload):
        return standing, False
    paid = price_of(session, caller, order, checklist, upload.place, upload.price)
    delivery = _record(session, order, upload, placed, put(blobs, upload.body), paid)
    advance(session, order, caller.key_id)
    return delivery, True


def _standing(session: Session, order: Order, checklist: Checklist, upload: Upload) -> Delivery | None:
    """Return the delivery these bytes made before, None when the patch is awaited; else refuse."""
    place = {"order": str(order.id), "tile": upload.tile, "patch": upload.patch}
    _check_open(session, order)
    if not checklist.is_bought(upload.tile, upload.patch):
        raise PatchNotOrderedError(
            f"The plan of this order did not buy patch {upload.patch} of tile {upload.tile}.", **place
        )
    before = find_delivery(session, order.id, upload.tile, upload.patch)
    if before is not None and before.sha256 != upload.sha256:
        raise PatchAlreadyDeliveredError(
            "Other bytes were delivered for this patch; a delivery is never replaced.",
            **place,
            delivered_sha256=before.sha256,
            sent_sha256=upload.sha256,
        )
    if before is not None and upload.price is not None:
        _check_same_price(order, before, upload.price)
    return before


def _check_open(session: Session, order: Order) -> None:
    check_in_time(session, order)
    if order.status in GIVEN_UP:
        word = order.status.replace("user_", "")
        raise OrderCancelledError(f"The order was {word}; it takes no deliveries.", order=str(order.id))
    if order.status == OrderStatus.HELD:
        raise ApprovalRequiredError(
            f"Another key approves it with POST /v1/orders/{order.id}/approval.", order=str(order.id)
        )


def _check_same_price(order: Order, before: Delivery, price: Price) -> None:
    """A patch is paid once: another price for it later is an adjustment."""
    paid, asked = Money(before.settled_minor, order.currency), Money.parse(price.amount, order.currency)
    if paid != asked:
        raise PatchAlreadyDeliveredError(
            f"It was delivered and {paid} was paid for it; correct that with POST /v1/ledger/adjustments.",
            order=str(order.id),
            tile=before.tile,
            patch=before.patch,
            settled=paid.amount,
            price=asked.amount,
        )


def _record(
    session: Session, order: Order, upload: Upload, placed: Placed, sha256: str, paid: Money
) -> Delivery:
    delivery = Delivery(
        order_id=order.id,
        tile=upload.tile,
        patch=upload.patch,
        sha256=sha256,
        size=len(upload.body),
        pixels=placed.pixels.tobytes(),
        checks=placed.checks,
        settled_minor=paid.minor,
    )
    session.add(delivery)
    session.flush()
    settle(session, order.hold_id, paid, f"delivery:{order.id}/{upload.tile}/{upload.patch}")
    return delivery
