"""Delivery of a bought patch: read what is awaited, decode and keep the file, then pay for it once.

The file is decoded and kept while no connection is held and no order is locked, so that slow files hold up
nobody. A file whose payment is then refused stays in the blob store, and sending it again reuses it.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from models.grid import GRID
from models.manifest import Manifest
from service.access.repository import Caller
from service.blobs import put
from service.database.engine import Database
from service.errors import ConflictError
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.placement import place_patch
from service.imagery.radiometry import to_imagery
from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.orders.approval import check_approved
from service.orders.checklist import Checklist
from service.orders.ending import complete_order
from service.orders.expiry import check_in_time
from service.orders.payments import pay_for_patch
from service.orders.repository import delivered_counts, find_delivery, find_order, plan_of, record_status
from service.orders.tables import GIVEN_UP, Delivery, Order, OrderStatus
from service.orders.uploads import AskedPrice, DeliveryUpload
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of
from service.plans.tables import Scene

# GDAL's warper, as rasterio calls it, mutes a warning through state of the whole process: one at a time.
_PLACING = threading.Lock()


class OrderCancelledError(ConflictError):
    """A delivery against an order that was cancelled or rejected and whose money is released."""

    code = "order-cancelled"
    title = "The order is cancelled"


class PatchNotOrderedError(ConflictError):
    """A delivery of a patch that the plan does not buy."""

    code = "patch-not-ordered"
    title = "This patch was not bought"


class PatchAlreadyDeliveredError(ConflictError):
    """A delivery of a patch that was delivered before, with another file or at another price."""

    code = "patch-already-delivered"
    title = "This patch was already delivered"


@dataclass(frozen=True, kw_only=True)
class AwaitedPlace:
    """The place that a file is meant for, as it was read before the file is decoded."""

    order: Order
    checklist: Checklist
    grid: TileGrid
    before: Delivery | None
    """Delivery that the same bytes made earlier."""


@dataclass(frozen=True, kw_only=True)
class DecodedPatch:
    """A decoded file: uint8 (3, s, s) on the patch's own pixel grid, and the numbers that were verified."""

    pixels: NDArray[np.uint8]
    checks: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A stored delivery of an order; `is_new` is false when the same bytes were delivered before."""

    order: Order
    delivery: Delivery
    is_new: bool


def receive_delivery(
    database: Database,
    caller: Caller,
    upload: DeliveryUpload,
    manifest: Manifest,
    limits: Limits,
    blobs: Path,
) -> Receipt:
    """Store an upload and pay for it, each once however often it is sent.

    Errors: not-found, order-cancelled, order-expired, approval-required, patch-not-ordered,
    patch-already-delivered, every refusal of a file, and those of `pay_for_patch`.
    """
    with database.sessions() as session:
        place = _read_place(session, caller, upload)
    if place.before is not None:
        return Receipt(order=place.order, delivery=place.before, is_new=False)
    decoded = decode_patch(upload, place.grid, manifest, limits)
    put(blobs, upload.body)  # on disk before the row that names it
    with database.sessions.begin() as session:
        return _store(session, caller, upload, place.checklist, decoded)


def decode_patch(upload: DeliveryUpload, grid: TileGrid, manifest: Manifest, limits: Limits) -> DecodedPatch:
    """Read an uploaded file and resample it to its patch, which is a quarter of an HR tile wide.

    Opens no session. Raises the 4xx errors of reading a GeoTIFF, of its bands and radiometry, and
    patch-misplaced when the file does not cover the patch.
    """
    size = manifest.hr_size // GRID
    raster = read_geotiff(upload.body, limits)
    imagery = to_imagery(raster, upload.bands, upload.radiometry)
    with _PLACING:
        pixels = place_patch(imagery, grid, upload.tile, upload.patch, size).pixels
    _, height, width = raster.pixels.shape
    checks = {
        "covers_patch": True,
        "crs": raster.crs,
        "width_px": width,
        "height_px": height,
        "bands": list(imagery.bands),
        "bands_from": imagery.bands_from,
        "radiometry": imagery.radiometry,
        "warnings": [warning.to_json() for warning in imagery.warnings],
        "patch_px": size,
    }
    return DecodedPatch(pixels=pixels, checks=checks)


def _read_place(session: Session, caller: Caller, upload: DeliveryUpload) -> AwaitedPlace:
    order = find_order(session, caller.workspace_id, upload.order_id)
    plan = plan_of(session, order)
    checklist = Checklist(selected=PlanArrays.of(plan).selected)
    return AwaitedPlace(
        order=order,
        checklist=checklist,
        grid=grid_of(session.get_one(Scene, plan.scene_id)),
        before=_same_delivery(session, order, checklist, upload),
    )


def _store(
    session: Session,
    caller: Caller,
    upload: DeliveryUpload,
    checklist: Checklist,
    decoded: DecodedPatch,
) -> Receipt:
    """Store and pay for a decoded file under the order's lock.

    Everything that was checked before the decoding is checked again, so that racing uploads are paid once.
    """
    order = find_order(session, caller.workspace_id, upload.order_id, lock=True)
    if before := _same_delivery(session, order, checklist, upload):
        return Receipt(order=order, delivery=before, is_new=False)
    paid = pay_for_patch(session, caller, order, checklist, upload.place, upload.price)
    delivery = Delivery(
        order_id=order.id,
        tile=upload.tile,
        patch=upload.patch,
        sha256=upload.sha256,
        size=len(upload.body),
        pixels=decoded.pixels.tobytes(),
        checks=decoded.checks,
        settled_minor=paid.minor,
    )
    session.add(delivery)
    session.flush()
    _advance(session, order, caller.key_id)
    return Receipt(order=order, delivery=delivery, is_new=True)


def _advance(session: Session, order: Order, key_id: str) -> None:
    """Set the status that the deliveries so far imply; the caller holds the order's lock."""
    delivered = delivered_counts(session, [order.id])[order.id]
    if delivered == order.patches:
        complete_order(session, order, key_id)
    elif order.status == OrderStatus.ACCEPTED:
        record_status(session, order, OrderStatus.PROCESSING, "partial_delivery", key_id=key_id)


def _same_delivery(
    session: Session, order: Order, checklist: Checklist, upload: DeliveryUpload
) -> Delivery | None:
    """Return the delivery that these bytes made before, None for an awaited patch; refuse all else."""
    place = {"order": str(order.id), "tile": upload.tile, "patch": upload.patch}
    _check_open(session, order)
    if not checklist.is_bought(upload.tile, upload.patch):
        raise PatchNotOrderedError(
            f"The plan of this order does not buy patch {upload.patch} of tile {upload.tile}. "
            f"GET /v1/orders/{order.id} lists the patches that it awaits.",
            **place,
        )
    before = find_delivery(session, order.id, upload.tile, upload.patch)
    if before is not None and before.sha256 != upload.sha256:
        raise PatchAlreadyDeliveredError(
            f"Another file was delivered for patch {upload.patch} of tile {upload.tile}. A delivery is never "
            "replaced.",
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
        word = order.status.removeprefix("user_")
        raise OrderCancelledError(f"The order was {word} and takes no deliveries.", order=str(order.id))
    check_approved(order)


def _check_same_price(order: Order, before: Delivery, price: AskedPrice) -> None:
    """Refuse another price than was paid: a patch is paid once, and a later change is an adjustment."""
    paid, asked = order.money(before.settled_minor), Money.parse(price.amount, order.currency)
    if paid != asked:
        raise PatchAlreadyDeliveredError(
            f"This file was delivered before and {paid} was paid for it. Correct the amount with "
            "POST /v1/ledger/adjustments.",
            order=str(order.id),
            tile=before.tile,
            patch=before.patch,
            settled=paid.amount,
            price=asked.amount,
        )
