"""The labelling of an order's tiles: read what there is, label without a session, write what is stored."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.bundles.classifying import ClassifyPredictor
from service.bundles.registry import Bundles
from service.classification.labels import label_tile, lay_patches
from service.classification.reused import ReusedGround, ReusedPatch, find_reused
from service.classification.tables import Classification
from service.database.engine import Database
from service.errors import ConflictError
from service.orders.checklist import Checklist
from service.orders.delivered import PatchPixels, delivered_patches, delivered_pixels, newest_file_at
from service.orders.repository import find_order, plan_of
from service.orders.tables import Order
from service.plans.arrays import PlanArrays
from service.plans.reading import cut_again, read_again
from service.plans.tables import Plan, Scene
from service.settings import Settings
from service.version import code_version

BATCH = 128
"""Tiles whose deliveries are in memory at once: 128 tiles of 224 x 224 pixels are 19 MB."""
MISSING_NAMED = 100
"""Missing patches that an error lists."""
FILES_NAMED = 4_096
"""Used files that a classification lists; its digest covers all of them."""


class DeliveryIncompleteError(ConflictError):
    """A classification of an order with missing patches that does not allow a partial one."""

    code = "delivery-incomplete"
    title = "Bought patches are missing"


@dataclass(frozen=True, kw_only=True)
class LabelJob:
    """An order to label, with its plan and scene as they were read."""

    order: Order
    plan: Plan
    scene: Scene
    arrays: PlanArrays
    predictor: ClassifyPredictor
    """The bundle that the plan was made with: another one may cut other tiles."""
    reused: ReusedGround
    """The patches that other orders bought and that the labels use at no cost."""
    until: datetime | None
    """Time of the newest delivered file that is used; None when nothing was delivered."""


@dataclass(frozen=True, kw_only=True)
class LabelledScene:
    """The labels of a scene's tiles as JSON, and the delivered files that they used, in plan order.

    `reused` holds the patches for which files of other orders were used, with these files.
    """

    tiles: list[dict[str, Any]]
    used: list[dict[str, Any]]
    reused: list[dict[str, Any]]


def label_order(database: Database, job: LabelJob, blobs: Path, settings: Settings) -> Classification:
    """Label every planned tile of an order's scene from its deliveries; return a row that is not stored.

    The LR stream labels tiles without a delivered patch. No session is open while the scene is decoded or
    a network runs; each batch of deliveries is read in a session of its own.
    Errors: scene-read-differently, and those of reading the stored scene.
    """
    labelled = _label(database, job, blobs, settings)
    return Classification(
        workspace_id=job.order.workspace_id,
        order_id=job.order.id,
        complete=len(labelled.used) == job.order.patches
        and len(labelled.reused) == int(job.arrays.taken.sum()),
        tiles=labelled.tiles,
        provenance=_provenance(job, labelled),
    )


def read_job(
    session: Session, workspace_id: UUID, order_id: UUID, bundles: Bundles, *, allow_partial: bool
) -> LabelJob:
    """Read an order with its plan and scene. Errors: not-found, bundle-changed, delivery-incomplete."""
    order = find_order(session, workspace_id, order_id)
    plan = plan_of(session, order)
    predictor = cast(ClassifyPredictor, bundles.of_plan(plan.provenance))  # the only kind
    arrays = PlanArrays.of(plan)
    if not allow_partial:
        _check_complete(session, order, arrays)
    scene = session.get_one(Scene, plan.scene_id)
    reused = find_reused(session, plan, scene, arrays)
    return LabelJob(
        order=order,
        plan=plan,
        scene=scene,
        arrays=arrays,
        predictor=predictor,
        reused=reused,
        until=newest_file_at(session, [order.id, *reused.order_ids]),
    )


def _check_complete(session: Session, order: Order, arrays: PlanArrays) -> None:
    came = ((one.tile, one.patch) for one in delivered_patches(session, order))
    missing = Checklist(selected=arrays.selected).awaited(came)
    if missing:
        raise DeliveryIncompleteError(
            f"{len(missing)} of {order.patches} bought patches have not been delivered. "
            "Deliver them, or classify with those that were: send allow_partial=true (`loupe classify ORDER "
            "--allow-partial`).",
            missing_count=len(missing),
            missing=[{"tile": tile, "patch": patch} for tile, patch in missing[:MISSING_NAMED]],
        )


def _label(database: Database, job: LabelJob, blobs: Path, settings: Settings) -> LabelledScene:
    """Label the eligible tiles batch by batch, in tile order."""
    predictor, hr_size = job.predictor, job.predictor.manifest.hr_size
    imagery = read_again(job.scene, blobs, settings)
    pixels = cut_again(imagery, job.scene, predictor.manifest).pixels  # uint8 (T, 3, lr, lr)
    eligible = np.flatnonzero(job.arrays.eligible)
    labelled = LabelledScene(tiles=[], used=[], reused=[])
    for start in range(0, len(eligible), BATCH):
        batch = eligible[start : start + BATCH]
        came, taken = _pixels_of(database, job, batch, hr_size)
        laid = lay_patches(
            batch.tolist(),
            [one[:3] for one in came] + [one[:3] for one in taken],
            hr_size,
        )
        labelled.tiles.extend(_label_batch(batch, pixels[batch], laid, job.arrays.selected[batch], predictor))
        labelled.reused.extend(one.to_json() for one in taken)
        labelled.used.extend(
            {"tile": one.tile, "patch": one.patch, "version": one.version, "sha256": one.sha256}
            | ({"joined_from": list(one.files)} if one.files else {})
            for one in came
        )
    return labelled


def _pixels_of(
    database: Database, job: LabelJob, batch: NDArray[np.intp], hr_size: int
) -> tuple[list[PatchPixels], list[ReusedPatch]]:
    """Read the deliveries of some tiles, and those of other orders that are reused there.

    They are read as they were when the job was read, whatever came since.
    """
    if job.until is None:
        return [], []
    first, last = int(batch[0]), int(batch[-1])
    with database.sessions() as session:
        came = delivered_pixels(session, job.order.id, first, last, job.until)
        stored = job.reused.read(session, first, last, job.until)
    return came, job.reused.resample(stored, hr_size)


def _label_batch(
    batch: NDArray[np.intp],
    lr: NDArray[np.uint8],
    laid: tuple[NDArray[np.uint8], NDArray[np.bool_]],
    bought: NDArray[np.bool_],
    predictor: ClassifyPredictor,
) -> Iterator[dict[str, Any]]:
    hr, came = laid
    fused, lr_only = predictor.classify(lr, hr, came)
    for index, tile in enumerate(batch):
        used = int((came[index] & bought[index]).sum())
        counts = used, int(bought[index].sum()), int(came[index].sum()) - used
        classes = predictor.manifest.classes
        yield label_tile(int(tile), fused[index], lr_only[index], classes, counts).to_json()


def _provenance(job: LabelJob, labelled: LabelledScene) -> dict[str, Any]:
    """Return the plan's provenance with the files that were used, and one digest over all of them."""
    used, reused = labelled.used, labelled.reused
    lines = [f"{one['tile']}/{one['patch']} {one['sha256']}" for one in used]
    return job.plan.provenance | {
        "code_version": code_version(),
        "order": str(job.order.id),
        "plan": str(job.plan.id),
        "deliveries": len(used),
        "deliveries_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "delivered_until": None if job.until is None else job.until.isoformat(),
        "delivered_files": used[:FILES_NAMED],
        "reused": len(reused),
        "reused_sha256": hashlib.sha256(json.dumps(reused, sort_keys=True).encode()).hexdigest(),
        "reused_orders": [str(order) for order in job.reused.order_ids],
        "reused_patches": reused[:FILES_NAMED],
    }
