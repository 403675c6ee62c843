"""A plan made again: by what is owned now, or as the later round that it was."""

import numpy as np

from models.grid import PATCHES
from service.bundles.registry import Bundles
from service.database.engine import Database
from service.errors import LoupeWarning
from service.imagery.products import coarsest_pixel_m
from service.plans import making
from service.plans.arrays import PlanArrays
from service.plans.counts import SceneCounts
from service.plans.ground import match_ground
from service.plans.inputs import PlanInputs
from service.plans.prior import Prior
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.rounds.making import make_round, read_order_again
from service.rounds.prior import read_prior


def replan(
    database: Database, old: Plan, scene: Scene, inputs: PlanInputs, bundles: Bundles, quote_days: int
) -> Plan:
    """Choose again what to buy of a planned scene; return a plan that is not stored.

    Owned patches are read, and what low resolution led to expect is revised by them, as for a new plan. A
    plan of a later round becomes one again, except with `reuse=none`: then it buys what is owned, and follows
    no order. No session is open while patches are read or the plan is chosen. Errors: bundle-changed,
    no-second-look, no-delivered-patch.
    """
    if old.follows is not None and inputs.reuse == "owned":
        with database.sessions() as session:
            followed = read_order_again(session, old, old.follows, scene, inputs, bundles)
        new = make_round(database, followed, quote_days)
        new.supersedes = old.id
        return new
    values = PlanArrays.of(old)
    if values.counts is None:
        return making.decide_replan(old, scene, inputs, quote_days)
    if not bundles.holds(old.provenance):
        doubts = _not_read(old, values, scene, inputs)
        return making.decide_replan(old, scene, inputs, quote_days, doubts=doubts)
    prior = read_prior(database, scene, values, inputs, bundles.of_plan(old.provenance))
    unread = Prior(counts=SceneCounts.unread(values.counts.first), described=None)
    return making.decide_replan(old, scene, inputs, quote_days, prior or unread)


def _not_read(old: Plan, values: PlanArrays, scene: Scene, inputs: PlanInputs) -> list[LoupeWarning]:
    """Warn of owned patches that the plan did not know and that nothing can read now."""
    eligible = np.repeat(values.eligible[:, None], PATCHES, axis=1)
    delivered = [one for one in inputs.bought if one.delivered]
    owned = match_ground(grid_of(scene), eligible, delivered, coarsest_pixel_m(inputs.ordered_m)).owned
    known = np.zeros_like(owned) if values.counts is None else values.counts.read
    count = int((owned & ~known).sum())
    if not count:
        return []
    bundle = old.provenance["bundle"]
    return [
        LoupeWarning(
            code="owned-not-read",
            detail=f"{count} owned patches of the scene were not read, because this server no longer holds "
            f"the bundle {bundle['name']} {bundle['version']}. The plan expects of the others what it "
            "expected before. Add the bundle again with `loupe bundles add FOLDER`, or plan the scene again.",
            figures={"patches": count},
        )
    ]
