"""The inputs of a decision beside the scene: prices, objective, task, and the ground that is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from models.grid import patch_side
from models.manifest import CountManifest, Manifest
from models.tasks import Task
from service.bundles.registry import Bundles
from service.imagery.products import ordered_pixel_m
from service.imagery.tile_grid import TileGrid
from service.planner.objectives import Objective, objective_from_json
from service.plans.ground import BoughtGround, GroundReader, ReuseMode
from service.plans.objective_options import ObjectiveError, for_task
from service.plans.options import PlanOptions, ReplanIn
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.plans.tasks import task_in
from service.pricing.repository import resolve_price_list
from service.pricing.tables import PriceList


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """The inputs of a decision beside the scene and its utilities."""

    task: Task
    revalued_by: CountManifest | None = None
    """The bundle by which utilities are computed again, because the task is another one, or because patches
    are known or come anyway; None: they stay."""
    price_list: PriceList
    objective: Objective
    reuse: ReuseMode
    bought: Sequence[BoughtGround]
    """The ground near the scene that the workspace owns or has on order."""
    ordered_m: float
    """The side in metres of a pixel of an ordered patch."""


def find_inputs(
    session: Session,
    workspace_id: UUID,
    scene: Scene,
    options: PlanOptions,
    manifest: Manifest,
    read_ground: GroundReader,
) -> PlanInputs:
    """Return the inputs that a new plan is made with; commit afterwards.

    Errors: task-unknown, price-list-unknown, price-list-not-valid, objective-unclear, accuracy-unreachable,
    guarantee-not-certified.
    """
    price_list, grid = resolve_price_list(session, workspace_id, options.price_list), grid_of(scene)
    task = options.task_of(manifest)
    bought = read_ground(session, workspace_id, grid)
    return PlanInputs(
        task=task,
        revalued_by=manifest if bought and isinstance(manifest, CountManifest) else None,
        price_list=price_list,
        objective=options.objective_in(price_list.currency, manifest, task),
        reuse=options.reuse,
        bought=bought,
        ordered_m=_ordered_m(grid, manifest),
    )


def find_new_inputs(
    session: Session,
    old: Plan,
    scene: Scene,
    wanted: ReplanIn,
    bundles: Bundles,
    read_ground: GroundReader,
) -> PlanInputs:
    """Return the inputs that a plan is made again with; commit afterwards.

    Errors: bundle-changed, task-unknown, price-list-unknown, price-list-not-valid, objective-unclear,
    accuracy-unreachable, guarantee-not-certified.
    """
    task = _new_task(old, wanted, bundles)
    name = wanted.price_list or old.provenance["price_list"]["name"]
    price_list, grid = resolve_price_list(session, old.workspace_id, name), grid_of(scene)
    before: ReuseMode = "owned" if old.reuse is None else old.reuse["mode"]
    ordered_m = old.bill.get("ordered_pixel_m") or _ordered_m(grid, bundles.of_plan(old.provenance).manifest)
    bought = read_ground(session, old.workspace_id, grid)
    return PlanInputs(
        task=task,
        revalued_by=_revaluing(old, wanted, task, bundles, is_known=bool(bought)),
        price_list=price_list,
        objective=_new_objective(old, wanted, task, price_list.currency, bundles),
        reuse=wanted.reuse or before,
        bought=bought,
        ordered_m=ordered_m,
    )


def _new_task(old: Plan, wanted: ReplanIn, bundles: Bundles) -> Task:
    """Return the task that is wanted or that follows from the guarantee, else the former one."""
    if not wanted.asks_guarantee:  # other objectives also re-plan under a bundle that is no longer held
        return wanted.task or old.task
    return wanted.task_for(bundles.of_plan(old.provenance).manifest, wanted.task) or old.task


def _revaluing(
    old: Plan, wanted: ReplanIn, task: Task, bundles: Bundles, *, is_known: bool
) -> CountManifest | None:
    """Return the plan's bundle if utilities are computed again, else None.

    They are for another task, and from or to a guarantee, whose utilities no owned patch revises. If ground
    near the scene `is_known`, or was when the plan was made, they are as far as the bundle is held.
    """
    guaranteed = old.objective["kind"] == "guarantee" and wanted.has_objective
    is_needed = task != old.task or guaranteed or wanted.asks_guarantee
    if not is_needed and not is_known and old.readings is None:
        return None
    if not is_needed and not bundles.holds(old.provenance):
        return None
    manifest = bundles.of_plan(old.provenance).manifest
    task_in(manifest, task)
    return manifest if isinstance(manifest, CountManifest) else None  # others have one task


def _new_objective(old: Plan, wanted: ReplanIn, task: Task, currency: str, bundles: Bundles) -> Objective:
    if wanted.has_objective:
        # Other objectives depend on no bundle: they also re-plan under one that is no longer held.
        own = bundles.of_plan(old.provenance) if wanted.needs_evaluation else bundles.default
        return wanted.objective_in(currency, own.manifest, task)
    objective = objective_from_json(old.objective)
    limit = objective.money
    if limit is not None and limit.currency != currency:
        raise ObjectiveError(
            f"The plan's limit is in {limit.currency}, the price list in {currency}. "
            "Give a max_cost, or another objective.",
            max_cost={"amount": limit.amount, "currency": limit.currency},
            currency=currency,
        )
    if task == old.task:
        return objective
    return for_task(objective, bundles.of_plan(old.provenance).manifest, task)


def _ordered_m(grid: TileGrid, manifest: Manifest) -> float:
    return ordered_pixel_m(grid, patch_side(manifest.hr_size))
