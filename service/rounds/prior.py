"""Owned imagery as a prior of a plan."""

from typing import Any

import numpy as np

from service.bundles.counting import CountPredictor
from service.bundles.predictor import ExpectedCounts, Predictor
from service.bundles.revising import revise_counts
from service.database.engine import Database
from service.imagery.products import coarsest_pixel_m
from service.plans.arrays import TileValues
from service.plans.counts import SceneCounts
from service.plans.inputs import PlanInputs
from service.plans.objects import DIGITS
from service.plans.prior import PlanPrior, Prior
from service.plans.reading import grid_of
from service.plans.tables import Scene
from service.rounds.reading import OwnedReadings, owned_ground, read_owned


def read_prior(
    database: Database, scene: Scene, values: TileValues, inputs: PlanInputs, predictor: Predictor
) -> Prior | None:
    """Read the owned patches of a scene and revise what low resolution led to expect of all.

    None without such a patch, or if the bundle counts nothing or has no second look. No session is open while
    patches are read. With `reuse=none` patches are revised as well that were read: they are bought again.
    """
    if not isinstance(predictor, CountPredictor) or values.counts is None:
        return None
    look, first, grid = predictor.manifest.second_look, values.counts.first, grid_of(scene)
    ground = owned_ground(grid, values.eligible, inputs.bought, coarsest_pixel_m(inputs.ordered_m))
    if look is None or not ground.uses:
        return None
    owned = read_owned(database, ground, predictor, scene.sha256, first)
    now = revise_counts(first, owned.readings, owned.older, grid.columns, look)
    if inputs.reuse == "owned":
        counts = SceneCounts.after(first, owned.readings, now)
    else:
        nothing = np.full_like(first.mean, np.nan)
        unread = ExpectedCounts(mean=nothing, variance=nothing)
        counts = SceneCounts(expected=now, first=first, readings=unread)
    return Prior(counts=counts, described=_describe(owned, first))


def _describe(owned: OwnedReadings, first: ExpectedCounts) -> dict[str, Any]:
    objects, expected = (
        float(part.mean[owned.read].sum(dtype=np.float64)) for part in (owned.readings, first)
    )
    described = PlanPrior(
        patches=int(owned.read.sum()),
        older=int((owned.read & owned.older).sum()),
        objects=round(objects, DIGITS),
        expected=round(expected, DIGITS),
        orders=list(owned.of_order),
    )
    return described.model_dump(mode="json")
