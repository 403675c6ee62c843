"""From an uploaded scene to a stored plan: read, cut, predict, decide, keep."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from models.grid import PATCHES
from service.errors import InvalidInputError
from service.inference import Predictor
from service.plans import repository
from service.plans.objectives import Objective, objective_to_json
from service.plans.options import PlanOptions
from service.plans.planner import Decision, plan_purchases
from service.plans.reading import MIN_VALID_SHARE, cut_scene, describe_reading, read_scene
from service.plans.tables import Plan
from service.pricing.billing import Bill
from service.pricing.repository import resolve_price_list, terms_of
from service.pricing.tables import PriceList
from service.scenes import storage
from service.scenes.tables import Scene
from service.scenes.tiling import Tiles
from service.settings import Settings
from service.version import code_version


class BundleUnknownError(InvalidInputError):
    """The request insists on a bundle that this server does not serve."""

    code = "bundle-unknown"
    title = "This bundle is not served here"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A scene cut into T tiles, with what each patch is worth."""

    tiles: Tiles
    reading: dict[str, Any]
    eligible: NDArray[np.bool_]  # (T,)
    utilities: NDArray[np.float32]  # (T, 16); 0 where not eligible


def judge_scene(body: bytes, options: PlanOptions, predictor: Predictor, settings: Settings) -> Judged:
    """Read a scene and ask the policy; touches no database. 4xx in words when it cannot be planned."""
    _check_bundle(options.bundle, predictor)
    imagery = read_scene(body, options.bands, options.radiometry, settings)
    tiles = cut_scene(imagery, predictor.manifest)
    eligible = tiles.valid_share >= MIN_VALID_SHARE
    utilities = np.zeros((len(eligible), PATCHES), dtype=np.float32)
    utilities[eligible] = predictor.utilities(tiles.pixels[eligible])
    reading = describe_reading(imagery, tiles, options, predictor.manifest)
    return Judged(tiles=tiles, reading=reading, eligible=eligible, utilities=utilities)


def make_plan(
    session: Session,
    workspace_id: UUID,
    body: bytes,
    options: PlanOptions,
    predictor: Predictor,
    settings: Settings,
    blobs: Path,
) -> tuple[Plan, Scene]:
    """Plan a scene and keep scene, bytes and plan; nothing is kept when anything is refused."""
    # Before the first query: no connection waits while the networks work.
    judged = judge_scene(body, options, predictor, settings)
    price_list = resolve_price_list(session, workspace_id, options.price_list)
    objective = options.objective_in(price_list.currency, predictor.manifest)
    areas = judged.tiles.grid.patch_areas_m2()
    decision = plan_purchases(judged.utilities, judged.eligible, areas, terms_of(price_list), objective)
    sha256 = storage.put(blobs, body)
    scene = repository.keep_scene(session, workspace_id, sha256, len(body), judged.reading)
    plan = _freeze(judged, decision, objective, price_list, scene, predictor)
    session.add(plan)
    session.flush()
    session.refresh(plan, ["created_at"])
    return plan, scene


def _check_bundle(wanted: str | None, predictor: Predictor) -> None:
    manifest = predictor.manifest
    served = (manifest.name, f"{manifest.name}@{manifest.version}", predictor.sha256)
    if wanted is not None and wanted not in served:
        raise BundleUnknownError(
            f"bundle {wanted!r} was asked for; this server serves {served[1]}",
            bundle=wanted,
            served={"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256},
        )


def _freeze(
    judged: Judged,
    decision: Decision,
    objective: Objective,
    price_list: PriceList,
    scene: Scene,
    predictor: Predictor,
) -> Plan:
    return Plan(
        workspace_id=scene.workspace_id,
        scene_id=scene.id,
        price_list_id=price_list.id,
        objective=objective_to_json(objective),
        provenance=_provenance(price_list, scene, predictor),
        tiles=judged.tiles.grid.tile_count,
        utilities=judged.utilities.astype("<f4").tobytes(),
        selected=decision.selected.astype(np.uint8).tobytes(),
        filled=decision.filled.astype(np.uint8).tobytes(),
        valid_share=judged.tiles.valid_share.astype("<f4").tobytes(),
        patches_bought=int(decision.selected.sum()),
        currency=price_list.currency,
        cost_minor=decision.bill.amount.minor,
        baseline_minor=decision.everything.amount.minor,
        list_saving_minor=decision.list_saving.minor,
        billable_saving_minor=decision.billable_saving.minor,
        bill=_bill(judged, decision),
    )


def _provenance(price_list: PriceList, scene: Scene, predictor: Predictor) -> dict[str, Any]:
    manifest = predictor.manifest
    return {
        "bundle": {"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256},
        "price_list": {
            "id": str(price_list.id),
            "name": price_list.name,
            "version": price_list.version,
            "example": price_list.example,
        },
        "input_sha256": scene.sha256,
        "code_version": code_version(),
    }


def _bill(judged: Judged, decision: Decision) -> dict[str, Any]:
    return {
        "reason": decision.reason,
        "wanted": decision.wanted,
        "eligible_tiles": int(judged.eligible.sum()),
        "chosen": _bill_json(decision.bill),
        "everything": _bill_json(decision.everything),
    }


def _bill_json(bill: Bill) -> dict[str, Any]:
    return {
        "area_km2": _plain(bill.area_km2),
        "billable_km2": _plain(bill.billable_km2),
        "lines": [
            {"area_km2": _plain(line.area_km2), "billable_km2": _plain(line.billable_km2)}
            for line in bill.lines
        ],
    }


def _plain(number: Decimal) -> str:
    """Without exponent or trailing zeros."""
    return f"{number.normalize():f}"
