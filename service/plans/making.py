"""From an uploaded scene to a stored plan: read, cut, predict, decide, keep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from models.grid import PATCHES
from service import blobs as storage
from service.bundles.predictor import Predictor
from service.errors import InvalidInputError
from service.imagery.tiling import Tiles
from service.planner import plan_purchases
from service.plans import repository
from service.plans.freezing import Values, bundle_served, freeze
from service.plans.options import PlanOptions
from service.plans.reading import MIN_VALID_SHARE, cut_scene, describe_reading, read_scene
from service.plans.tables import Plan, Scene
from service.pricing.repository import resolve_price_list, terms_of
from service.settings import Settings


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
    grid = judged.tiles.grid
    decision = plan_purchases(
        judged.utilities,
        judged.eligible,
        grid.patch_areas_m2(),
        terms_of(price_list),
        objective,
        grid.columns,
    )
    sha256 = storage.put(blobs, body)
    scene = repository.keep_scene(session, workspace_id, sha256, len(body), judged.reading)
    values = Values(utilities=judged.utilities, valid_share=judged.tiles.valid_share)
    bundle = bundle_served(predictor)
    plan = freeze(values, decision, objective, price_list, scene, bundle, quote_days=settings.quote_days)
    return repository.keep_plan(session, plan), scene


def _check_bundle(wanted: str | None, predictor: Predictor) -> None:
    manifest = predictor.manifest
    served = (manifest.name, f"{manifest.name}@{manifest.version}", predictor.sha256)
    if wanted is not None and wanted not in served:
        raise BundleUnknownError(
            f"bundle {wanted!r} was asked for; this server serves {served[1]}",
            bundle=wanted,
            served={"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256},
        )
