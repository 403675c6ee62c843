"""Delivery of many patches by one file or archive: collect what it shows, then store and pay for all at once.

Files are decoded while no connection is held and no order is locked. All their patches are then stored in
one transaction under the order's lock, so that a crash stores all of them or none.
"""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.blobs import SpooledFile, folder_of, spooling
from service.deliveries.archives import ArchiveEntry, DeliveredArchive, is_zip
from service.deliveries.collecting import Collected, FileReport, FileUse, Wanted, collect
from service.deliveries.decoding import Target
from service.deliveries.judging import Figures, judge_together
from service.deliveries.late import hold_new, quote_new
from service.deliveries.mosaics import NoPatchCoveredError
from service.deliveries.nothing import nothing_delivered
from service.deliveries.one_patch import Intake
from service.deliveries.seams import Joined, is_current, join_parts_of, store_parts
from service.deliveries.settling import (
    CheckedPatch,
    Receipt,
    advance,
    check_takes_deliveries,
    lock_order,
    store_file,
)
from service.deliveries.uploads import FileUpload
from service.errors import ConflictError
from service.geotiff.preflight import Limits
from service.orders.checklist import Checklist, Place
from service.orders.delivered import FileVersion, file_versions, known_files, likeness_figures
from service.orders.late import LateCharge
from service.orders.repository import find_order, plan_of
from service.orders.tables import Order
from service.plans.arrays import PlanArrays
from service.plans.pixels import check_stored, reading_scene
from service.plans.reading import grid_of, lr_pixels
from service.plans.tables import Plan, Scene
from service.pricing.tables import PriceList


@dataclass(frozen=True, kw_only=True)
class OpenOrder:
    """An order as it was read before the files are decoded."""

    order: Order
    checklist: Checklist
    scene: Scene
    provenance: Mapping[str, Any]
    """Provenance of the plan, which names its bundle."""
    delivery_bands: str | None
    files: dict[Place, list[FileVersion]]
    known: Set[str]
    """SHA-256 of every file that was delivered before."""
    places: list[Place]
    """Patches that can be delivered or delivered again, in plan order."""
    earlier: Mapping[Place, Figures]
    """Likeness figures of the patches that the order has."""


@dataclass(frozen=True, kw_only=True)
class FilesReceipt:
    """The result of an upload, of which `kept` parts of patches are new.

    `untouched` awaited patches lie outside all of its files.
    """

    order: Order
    receipts: list[Receipt]
    collected: Collected
    kept: int
    untouched: int


def receive_files(intake: Intake, caller: Caller, upload: FileUpload) -> FilesReceipt:
    """Store the patches that a file or archive shows, and pay for those that were awaited.

    Errors: not-found, order-cancelled, order-expired, approval-required, bundle-changed,
    no-patch-covered, nothing-delivered, storage-used-up, those of reading a GeoTIFF or an archive.
    """
    with intake.database.sessions() as session:
        order = _read_order(session, caller, upload)
    wanted = _wanted(intake, order)
    collected = _collect_all(
        intake, upload, wanted, order.known, folder_of(intake.blobs, caller.workspace_id)
    )
    if not (collected.ready or collected.already or collected.parts):
        raise nothing_delivered(collected)
    receipts, kept = _settle(intake, caller, upload, order, wanted.target, collected)
    shown = {*collected.ready, *collected.already, *collected.refused, *collected.partly, *collected.left}
    awaited = [place for place in order.places if place not in order.files]
    return FilesReceipt(
        order=order.order,
        receipts=receipts,
        collected=collected,
        kept=kept,
        untouched=sum(place not in shown for place in awaited),
    )


def _read_order(session: Session, caller: Caller, upload: FileUpload) -> OpenOrder:
    """Read an order and the patches that it takes: after its end those that were delivered before."""
    order = find_order(session, caller.workspace_id, upload.order_id)
    plan: Plan = plan_of(session, order)
    checklist = Checklist(selected=PlanArrays.of(plan).selected)
    files = file_versions(session, order.id)
    places = checklist.awaited(())
    if not places:
        raise NoPatchCoveredError(
            "The order buys no patch: its plan buys none, or reuses those that the workspace owns. There is "
            "nothing to deliver."
        )
    try:
        check_takes_deliveries(session, order, accept_late=upload.accept_late)
    except ConflictError:
        places = [place for place in places if place in files]
        if not places:
            raise
    return OpenOrder(
        order=order,
        checklist=checklist,
        scene=session.get_one(Scene, plan.scene_id),
        provenance=plan.provenance,
        delivery_bands=session.get_one(PriceList, plan.price_list_id).delivery_bands,
        files=files,
        known=known_files(session, order.id),
        places=places,
        earlier=likeness_figures(session, order.id),
    )


def _wanted(intake: Intake, order: OpenOrder) -> Wanted:
    manifest = intake.bundles.of_plan(order.provenance).manifest
    with reading_scene(intake.database, order.scene):
        scene = lr_pixels(order.scene, manifest, intake.blobs, intake.settings)
    return Wanted(
        places=order.places,
        files=order.files,
        target=Target.of(grid_of(order.scene), manifest, scene, order.scene.reading.get("radiometry", "")),
        delivery_bands=order.delivery_bands,
    )


def _collect_all(
    intake: Intake, upload: FileUpload, wanted: Wanted, known: Set[str], folder: Path
) -> Collected:
    """Try the file, or every GeoTIFF of the archive in turn, and keep those that are used in `folder`.

    Error: storage-used-up for new ones without room.
    """
    settings, collected = intake.settings, Collected()
    limits = Limits(body_bytes=settings.delivery_limit, decode_seconds=settings.delivery_decode_seconds)
    with upload.file.path.open("rb") as file:
        head = file.read(4)
    if not is_zip(head):
        upload.check_room(upload.file, known)
        collect(collected, wanted, upload.file, upload.read_as, limits, folder)
        return collected
    with DeliveredArchive(upload.file.path, settings.delivery_limit) as archive:
        for entry in archive.entries():
            if entry.ignored is not None:
                collected.reports.append(
                    FileReport(name=entry.name, size=entry.size, use=FileUse.IGNORED, ignored=entry.ignored)
                )
                continue
            with _unpacked(intake, archive, entry) as spooled:
                upload.check_room(spooled, known)
                collect(collected, wanted, spooled, upload.read_as, limits, folder, name=entry.name)
    return collected


@contextmanager
def _unpacked(intake: Intake, archive: DeliveredArchive, entry: ArchiveEntry) -> Iterator[SpooledFile]:
    """Unpack one entry of an archive to a spooled file, and remove it afterwards unless it was kept."""
    with spooling(intake.blobs) as spool:
        for chunk in archive.chunks(entry):
            spool.write(chunk)
        yield spool.close()


def _settle(
    intake: Intake,
    caller: Caller,
    upload: FileUpload,
    order: OpenOrder,
    target: Target,
    collected: Collected,
) -> tuple[list[Receipt], int]:
    """Join the patches at seams, and store and pay for all patches; return receipts and kept parts.

    The parts are joined once more whenever another upload of the order was stored in the meantime.
    """
    receipts: list[Receipt] | None = None
    while receipts is None:
        joined = join_parts_of(
            intake.database,
            folder_of(intake.blobs, caller.workspace_id),
            order.order.id,
            target,
            collected,
            accept_unlike=upload.read_as.accept_unlike,
        )
        ready = _judged(collected, joined, order, target)
        if not (ready or joined.new):
            receipts = []
        else:
            quoted = quote_new(intake.database, caller, upload, (at for at in ready if at not in order.files))
            named = {one.sha256 for one in ready.values()} | {one.part.sha256 for one in joined.new}
            with intake.database.sessions.begin() as session:
                check_stored(session, intake.blobs, caller.workspace_id, named)
                receipts = _store_all(session, caller, upload, order.checklist, ready, joined, quoted)
    joined.add_to(collected)
    if not (receipts or joined.new or collected.already or collected.partly):
        raise nothing_delivered(collected)
    return receipts, len(joined.new)


def _judged(
    collected: Collected, joined: Joined, order: OpenOrder, target: Target
) -> dict[Place, CheckedPatch]:
    """Return all accepted patches with the checks of judging them together and with those of the order."""
    checks = judge_together(collected.cuts | joined.cuts, order.earlier, target)
    ready = collected.ready | joined.ready
    return {place: replace(patch, checks=checks[place]) for place, patch in ready.items()}


def _store_all(
    session: Session,
    caller: Caller,
    upload: FileUpload,
    checklist: Checklist,
    ready: Mapping[Place, CheckedPatch],
    joined: Joined,
    quoted: LateCharge | None,
) -> list[Receipt] | None:
    """Store and pay for all patches, in plan order, under the order's lock; None if parts came meanwhile.

    What was checked before the decoding is checked again, so that racing uploads are paid once.
    """
    order = lock_order(session, caller, upload.order_id, accept_late=upload.accept_late)
    if (joined.ready or joined.new) and not is_current(session, order, joined):
        return None
    store_parts(session, caller, order, checklist, joined.new, accept_late=upload.accept_late)
    files = file_versions(session, order.id)
    late = hold_new(session, caller, order, upload, (at for at in ready if at not in files), quoted)
    receipts = [
        store_file(session, caller, order, checklist, patch, files.get(place, []), late=late)
        for place, patch in sorted(ready.items(), key=lambda one: one[0])
    ]
    advance(session, caller, order, late)
    return receipts
