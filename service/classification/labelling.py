"""Labels for an order: its scene read again, its deliveries laid in, both streams asked, the answer kept."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.bundles.card import BundleChangedError
from service.bundles.predictor import Predictor
from service.classification.labels import label_tile
from service.classification.mosaic import lay_out
from service.classification.tables import Classification
from service.errors import ConflictError
from service.orders.checklist import Checklist
from service.orders.repository import delivered_patches, delivered_pixels, plan_of
from service.orders.tables import Order
from service.plans.arrays import PlanArrays
from service.plans.reading import cut_scene, read_again
from service.plans.tables import Plan, Scene
from service.settings import Settings
from service.version import code_version

BATCH = 128
"""Tiles whose deliveries are in memory at once: 128 tiles of 224 x 224 pixels are 19 MB."""
MISSING_NAMED = 100


class DeliveryIncompleteError(ConflictError):
    """Bought patches have not come, and the client did not allow a partial classification."""

    code = "delivery-incomplete"
    title = "Bought patches are missing"


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Where classifications are made: the networks, the stored files, the limits of reading."""

    predictor: Predictor
    blobs: Path
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Some tiles with their labels, and the digests of the deliveries that were used."""

    tiles: list[dict[str, Any]]
    used: list[str]


def classify_order(session: Session, order: Order, studio: Studio, *, allow_partial: bool) -> Classification:
    """Label every planned tile of an order's scene from what was delivered so far, and keep the labels.

    Tiles of which nothing was bought, or nothing came, are labelled by the LR stream.
    Errors: delivery-incomplete, bundle-changed, and those of reading the stored scene.
    """
    plan = plan_of(session, order)
    _check_bundle(plan, studio.predictor)
    arrays = PlanArrays.of(plan)
    if not allow_partial:
        _check_complete(session, order, arrays)
    labelled = _label(session, order, session.get_one(Scene, plan.scene_id), arrays, studio)
    classification = Classification(
        workspace_id=order.workspace_id,
        order_id=order.id,
        complete=len(labelled.used) == order.patches,
        tiles=labelled.tiles,
        provenance=_provenance(plan, order, labelled.used),
    )
    session.add(classification)
    session.flush()
    return classification


def _check_bundle(plan: Plan, predictor: Predictor) -> None:
    """Another bundle may cut other tiles, so what was bought for one cannot be labelled by another."""
    bundle = plan.provenance["bundle"]
    if bundle["sha256"] != predictor.sha256:
        raise BundleChangedError(
            f"The plan was made with {bundle['name']} {bundle['version']}; serve that bundle to classify.",
            bundle=bundle,
        )


def _check_complete(session: Session, order: Order, arrays: PlanArrays) -> None:
    came = ((one.tile, one.patch) for one in delivered_patches(session, order.id))
    missing = Checklist(selected=arrays.selected).awaited(came)
    if missing:
        raise DeliveryIncompleteError(
            f"{len(missing)} of {order.patches} bought patches have not been delivered; deliver them or "
            "send allow_partial.",
            missing_count=len(missing),
            missing=[{"tile": tile, "patch": patch} for tile, patch in missing[:MISSING_NAMED]],
        )


def _label(session: Session, order: Order, scene: Scene, arrays: PlanArrays, studio: Studio) -> Labelled:
    """Label the eligible tiles batch by batch, in tile order."""
    imagery = read_again(scene, studio.blobs, studio.settings)
    pixels = cut_scene(imagery, studio.predictor.manifest).pixels
    eligible = np.flatnonzero(arrays.eligible)
    labelled = Labelled(tiles=[], used=[])
    for start in range(0, len(eligible), BATCH):
        batch = eligible[start : start + BATCH]
        came = delivered_pixels(session, order.id, int(batch[0]), int(batch[-1]))
        laid = lay_out(batch.tolist(), (one[:3] for one in came), studio.predictor.manifest.hr_size)
        labelled.tiles.extend(_name(batch, pixels[batch], laid, arrays.selected[batch], studio.predictor))
        labelled.used.extend(f"{tile}/{patch} {sha256}" for tile, patch, _, sha256 in came)
    return labelled


def _name(
    batch: NDArray[np.intp],
    lr: NDArray[np.uint8],
    laid: tuple[NDArray[np.uint8], NDArray[np.bool_]],
    bought: NDArray[np.bool_],
    predictor: Predictor,
) -> Iterator[dict[str, Any]]:
    hr, came = laid
    both, alone = predictor.classify(lr, hr, came)
    for index, tile in enumerate(batch):
        counts = int(came[index].sum()), int(bought[index].sum())
        classes = predictor.manifest.classes
        yield label_tile(int(tile), both[index], alone[index], classes, counts).to_json()


def _provenance(plan: Plan, order: Order, used: list[str]) -> dict[str, Any]:
    """What the plan was made from, and the deliveries: their number and one digest over all of theirs."""
    return plan.provenance | {
        "code_version": code_version(),
        "order": str(order.id),
        "plan": str(plan.id),
        "deliveries": len(used),
        "deliveries_sha256": hashlib.sha256("\n".join(used).encode()).hexdigest(),
    }
