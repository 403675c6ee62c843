"""The labelling of an order's tiles: read what there is, label without a session, write what is stored."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.bundles.classifying import ClassifyPredictor
from service.bundles.counting import CountPredictor
from service.bundles.predictor import Predictor
from service.bundles.registry import Bundles
from service.classification.classifying import ClassLabeller
from service.classification.counting import CountLabeller
from service.classification.reused import ReusedGround, ReusedPatch, find_reused
from service.classification.tables import Classification
from service.database.engine import Database
from service.errors import ConflictError
from service.orders.checklist import Checklist
from service.orders.delivered import (
    PatchPixels,
    check_delivered_pixels,
    delivered_patches,
    delivered_pixels,
    newest_file_at,
)
from service.orders.repository import find_order, plan_of
from service.orders.tables import Order
from service.plans.arrays import PlanArrays
from service.plans.pixels import check_scene_pixels, reading_scene
from service.plans.reading import cut_again, read_again
from service.plans.tables import Plan, Scene
from service.progress import advance
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
class OrderToLabel:
    """An order to label, with its plan and scene as they were read."""

    order: Order
    plan: Plan
    scene: Scene
    arrays: PlanArrays
    predictor: Predictor
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
    objects: dict[str, Any] | None
    """The objects in all tiles; None for a bundle that counts nothing."""


def label_order(database: Database, asked: OrderToLabel, blobs: Path, settings: Settings) -> Classification:
    """Label every planned tile of an order's scene from its deliveries; return a row that is not stored.

    Tiles without a delivered patch are labelled from low resolution only. No session is open while the scene
    is decoded or a network runs; each batch of deliveries is read in a session of its own.
    Errors: scene-read-differently, and those of reading the stored scene.
    """
    labelled = _label(database, asked, blobs, settings)
    return Classification(
        workspace_id=asked.order.workspace_id,
        order_id=asked.order.id,
        complete=len(labelled.used) == asked.order.patches
        and len(labelled.reused) == int(asked.arrays.taken.sum()),
        tiles=labelled.tiles,
        objects=labelled.objects,
        provenance=_provenance(asked, labelled),
    )


def read_order(
    session: Session, workspace_id: UUID, order_id: UUID, bundles: Bundles, *, allow_partial: bool
) -> OrderToLabel:
    """Read an order with its plan and scene.

    Errors: not-found, bundle-changed, delivery-incomplete, pixels-deleted.
    """
    order = find_order(session, workspace_id, order_id)
    plan = plan_of(session, order)
    predictor = bundles.of_plan(plan.provenance)
    arrays = PlanArrays.of(plan)
    if not allow_partial:
        _check_complete(session, order, arrays)
    scene = session.get_one(Scene, plan.scene_id)
    reused = find_reused(session, plan, scene, arrays)
    check_scene_pixels(scene)
    for one in (order, *(session.get_one(Order, one) for one in reused.order_ids)):
        check_delivered_pixels(session, one)
    return OrderToLabel(
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


def _label(database: Database, asked: OrderToLabel, blobs: Path, settings: Settings) -> LabelledScene:
    """Label the eligible tiles batch by batch, in tile order."""
    with reading_scene(database, asked.scene):
        labeller = _labeller(asked, blobs, settings)
    eligible = np.flatnonzero(asked.arrays.eligible)
    tiles: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    reused: list[dict[str, Any]] = []
    for start in range(0, len(eligible), BATCH):
        batch = eligible[start : start + BATCH]
        came, taken = _pixels_of(database, asked, batch, asked.predictor.manifest.hr_size)
        tiles.extend(labeller.label(batch, [one[:3] for one in came] + [one[:3] for one in taken]))
        reused.extend(one.to_json() for one in taken)
        used.extend(
            {"tile": one.tile, "patch": one.patch, "version": one.version, "sha256": one.sha256}
            | ({"joined_from": list(one.files)} if one.files else {})
            for one in came
        )
        advance(min(start + BATCH, len(eligible)), len(eligible))
    return LabelledScene(tiles=tiles, used=used, reused=reused, objects=labeller.total())


def _labeller(asked: OrderToLabel, blobs: Path, settings: Settings) -> ClassLabeller | CountLabeller:
    """Return the labeller of the bundle's kind. One that classifies also needs the scene's pixels."""
    predictor, arrays = asked.predictor, asked.arrays
    if isinstance(predictor, CountPredictor) and arrays.counts is not None:
        return CountLabeller(predictor=predictor, arrays=arrays, counts=arrays.counts)
    if isinstance(predictor, ClassifyPredictor):
        imagery = read_again(asked.scene, blobs, settings)
        pixels = cut_again(imagery, asked.scene, predictor.manifest).pixels
        return ClassLabeller(predictor=predictor, arrays=arrays, pixels=pixels)
    raise TypeError(f"no labeller uses {type(predictor).__name__}")


def _pixels_of(
    database: Database, asked: OrderToLabel, batch: NDArray[np.intp], hr_size: int
) -> tuple[list[PatchPixels], list[ReusedPatch]]:
    """Read the deliveries of some tiles, and those of other orders that are reused there.

    They are read as they were when the order was read, whatever came since.
    """
    if asked.until is None:
        return [], []
    first, last = int(batch[0]), int(batch[-1])
    with database.sessions() as session:
        came = delivered_pixels(session, asked.order.id, first, last, asked.until)
        stored = asked.reused.read(session, first, last, asked.until)
    return came, asked.reused.resample(stored, hr_size)


def _provenance(asked: OrderToLabel, labelled: LabelledScene) -> dict[str, Any]:
    """Return the plan's provenance with the files that were used, and one digest over all of them."""
    used, reused = labelled.used, labelled.reused
    lines = [f"{one['tile']}/{one['patch']} {one['sha256']}" for one in used]
    return asked.plan.provenance | {
        "code_version": code_version(),
        "order": str(asked.order.id),
        "plan": str(asked.plan.id),
        "deliveries": len(used),
        "deliveries_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "delivered_until": None if asked.until is None else asked.until.isoformat(),
        "delivered_files": used[:FILES_NAMED],
        "reused": len(reused),
        "reused_sha256": hashlib.sha256(json.dumps(reused, sort_keys=True).encode()).hexdigest(),
        "reused_orders": [str(order) for order in asked.reused.order_ids],
        "reused_patches": reused[:FILES_NAMED],
    }
