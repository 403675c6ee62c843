"""Delivery of one bought patch: read what is awaited, decode and keep the file, then pay for it once.

The file is decoded and kept while no connection is held and no order is locked, so that slow files hold up
nobody. A file whose payment is then refused stays in the blob store, and sending it again reuses it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.blobs import folder_of, put
from service.bundles.registry import Bundles
from service.database.engine import Database
from service.deliveries.decoding import Target, cut_patch, decode_file
from service.deliveries.judging import Figures, judge_together
from service.deliveries.late import hold_new, quote_new
from service.deliveries.settling import (
    CheckedPatch,
    Receipt,
    advance,
    check_awaited,
    check_same_price,
    lock_order,
    same_file,
    store_file,
)
from service.deliveries.uploads import DeliveryUpload
from service.geotiff.preflight import Limits
from service.orders.checklist import Checklist, Place
from service.orders.delivered import FileVersion, file_versions, find_delivery, likeness_figures
from service.orders.late import LateCharge
from service.orders.repository import find_order, plan_of
from service.orders.tables import Order
from service.plans.arrays import PlanArrays
from service.plans.pixels import check_stored, reading_scene
from service.plans.reading import grid_of, lr_pixels
from service.plans.tables import Scene
from service.pricing.tables import PriceList
from service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AwaitedPlace:
    """The place that a file is meant for, as it was read before the file is decoded."""

    checklist: Checklist
    scene: Scene
    provenance: Mapping[str, Any]
    """Provenance of the plan, which names its bundle."""
    delivery_bands: str | None
    before: Receipt | None
    """Receipt of the same bytes, if they were delivered earlier."""
    earlier: Mapping[Place, Figures]
    """Likeness figures of the patches that the order has."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Dependencies of receiving deliveries: database, bundles, stored files and limits."""

    database: Database
    bundles: Bundles
    blobs: Path
    settings: Settings


def receive_delivery(intake: Intake, caller: Caller, upload: DeliveryUpload) -> Receipt:
    """Store an upload and pay for its patch, each once however often it is sent.

    Another file for a delivered patch supersedes the earlier ones and costs nothing. Errors: not-found,
    order-cancelled, order-expired, approval-required, patch-not-ordered, patch-already-delivered,
    storage-used-up, every refusal of a file, and those of `price_patch`.
    """
    with intake.database.sessions() as session:
        place = _read_place(session, caller, upload)
    if place.before is not None:
        return place.before
    if upload.lack is not None:
        raise upload.lack
    decoded = decode_patch(upload, place, intake)
    put(folder_of(intake.blobs, caller.workspace_id), upload.body)  # on disk before the row that names it
    quoted = quote_new(intake.database, caller, upload, [upload.place])
    with intake.database.sessions.begin() as session:
        check_stored(session, intake.blobs, caller.workspace_id, [decoded.sha256])
        return _store(session, caller, upload, place.checklist, decoded, quoted)


def decode_patch(upload: DeliveryUpload, place: AwaitedPlace, intake: Intake) -> CheckedPatch:
    """Read an uploaded file, resample it to its patch and compare it with the scene.

    Opens no session. Errors: bundle-changed, those of `decode_file` and `cut_patch`.
    """
    settings = intake.settings
    limits = Limits(body_bytes=settings.patch_body_limit, decode_seconds=settings.decode_seconds)
    file = decode_file(upload.body, upload.read_as, place.delivery_bands, limits)
    manifest = intake.bundles.of_plan(place.provenance).manifest
    with reading_scene(intake.database, place.scene):
        scene = lr_pixels(place.scene, manifest, intake.blobs, settings)
    radiometry = place.scene.reading.get("radiometry", "")
    target = Target.of(grid_of(place.scene), manifest, scene, radiometry)
    cut = cut_patch(file, target, upload.place, accept_unlike=upload.read_as.accept_unlike)
    return CheckedPatch(
        place=upload.place,
        sha256=upload.sha256,
        size=len(upload.body),
        pixels=cut.pixels,
        checks=judge_together({upload.place: cut}, place.earlier, target)[upload.place],
    )


def _read_place(session: Session, caller: Caller, upload: DeliveryUpload) -> AwaitedPlace:
    order = find_order(session, caller.workspace_id, upload.order_id)
    plan = plan_of(session, order)
    checklist = Checklist(selected=PlanArrays.of(plan).selected)
    files = _earlier_files(session, order, upload)
    _check_place(session, order, checklist, upload)
    return AwaitedPlace(
        checklist=checklist,
        scene=session.get_one(Scene, plan.scene_id),
        provenance=plan.provenance,
        delivery_bands=session.get_one(PriceList, plan.price_list_id).delivery_bands,
        before=same_file(session, order, upload.place, upload.sha256, files),
        earlier=likeness_figures(session, order.id),
    )


def _store(
    session: Session,
    caller: Caller,
    upload: DeliveryUpload,
    checklist: Checklist,
    patch: CheckedPatch,
    quoted: LateCharge | None,
) -> Receipt:
    """Store and pay for a decoded file under the order's lock.

    Everything that was checked before the decoding is checked again, so that racing uploads are paid once.
    """
    order = lock_order(session, caller, upload.order_id, accept_late=upload.accept_late)
    _check_place(session, order, checklist, upload)
    files = _earlier_files(session, order, upload)
    late = hold_new(session, caller, order, upload, [] if files else [upload.place], quoted)
    stored = store_file(session, caller, order, checklist, patch, files, upload.price, late)
    advance(session, caller, order, late)
    return stored


def _earlier_files(session: Session, order: Order, upload: DeliveryUpload) -> Sequence[FileVersion]:
    return file_versions(session, order.id, upload.place).get(upload.place, [])


def _check_place(session: Session, order: Order, checklist: Checklist, upload: DeliveryUpload) -> None:
    """Refuse a patch that is neither awaited nor delivered, and another price than a delivered one's."""
    delivery = find_delivery(session, order.id, upload.place)
    if delivery is None:
        check_awaited(session, order, checklist, upload.place, accept_late=upload.accept_late)
    elif upload.price is not None:
        check_same_price(order, delivery, upload.price)
