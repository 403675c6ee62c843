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

from service.db import Database
from service.errors import ConflictError
from service.ledger.book import allocate
from service.ledger.writer import settle
from service.orders.checklist import Checklist
from service.orders.lifecycle import advance
from service.orders.repository import find_delivery, find_order, plan_of
from service.orders.tables import Delivery, Order, OrderStatus
from service.plans.arrays import PlanArrays
from service.scenes.storage import put
from service.scenes.tables import Scene


class OrderCancelledError(ConflictError):
    """The order was cancelled and its money released: nothing can be delivered against it."""

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
    """One file sent against one place of an order; `bands` and `radiometry` say how to read it."""

    order_id: UUID
    tile: int
    patch: int
    body: bytes
    bands: str | None = None
    radiometry: str | None = None

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
    database: Database, session: Session, workspace_id: UUID, upload: Upload, decode: Decode, blobs: Path
) -> tuple[Delivery, bool]:
    """Store an upload and pay its share of the order; returns the delivery and whether it is new.

    The file is decoded before the order is locked and while no connection is held, so that slow files
    hold up nobody; what was checked before is checked again under the lock, so that racing uploads are
    paid once. `session` is the request's, not used before the decode.
    Errors: not-found, order-cancelled, patch-not-ordered, patch-already-delivered, and decode's.
    """
    with database.sessions() as reading:
        order = find_order(reading, workspace_id, upload.order_id)
        plan = plan_of(reading, order)
        scene = reading.get_one(Scene, plan.scene_id)
        checklist = Checklist(selected=PlanArrays.of(plan).selected)
        standing = _standing(reading, order, checklist, upload)
    if standing is not None:
        return standing, False
    placed = decode(scene, upload)
    order = find_order(session, workspace_id, upload.order_id, lock=True)
    if standing := _standing(session, order, checklist, upload):
        return standing, False
    return _record(session, order, checklist, upload, placed, put(blobs, upload.body)), True


def _standing(session: Session, order: Order, checklist: Checklist, upload: Upload) -> Delivery | None:
    """Return the delivery these bytes made before, None when the patch is awaited; else refuse."""
    place = {"order": str(order.id), "tile": upload.tile, "patch": upload.patch}
    if order.status == OrderStatus.USER_CANCELLED:
        raise OrderCancelledError("A cancelled order takes no deliveries.", **place)
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
    return before


def _record(
    session: Session, order: Order, checklist: Checklist, upload: Upload, placed: Placed, sha256: str
) -> Delivery:
    rank = checklist.rank(upload.tile, upload.patch)
    share = allocate(order.amount_minor, order.patches, rank)
    delivery = Delivery(
        order_id=order.id,
        tile=upload.tile,
        patch=upload.patch,
        sha256=sha256,
        size=len(upload.body),
        pixels=placed.pixels.tobytes(),
        checks=placed.checks,
        settled_minor=share,
    )
    session.add(delivery)
    session.flush()
    settle(session, order.hold_id, share, f"delivery:{order.id}/{upload.tile}/{upload.patch}")
    advance(session, order)
    return delivery
