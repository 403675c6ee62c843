"""Plans made and replaced: decided without a session from their inputs, then stored as rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import SQLColumnExpression, func
from sqlalchemy.orm import Session

from models.grid import PATCHES
from service.bundles.counting import values_of
from service.errors import LoupeWarning
from service.imagery.products import coarsest_pixel_m
from service.planner import plan_purchases
from service.planner.arranging import NEWEST
from service.planner.bounds import Bound
from service.planner.decision import Decision
from service.planner.objectives import GuaranteedLoss, objective_to_json
from service.plans import repository
from service.plans.arrays import ENCLOSED, ON_ORDER, OWNED, PlanArrays, TileValues
from service.plans.ground import Ints, MatchedGround, match_ground
from service.plans.inputs import PlanInputs
from service.plans.naming import named_like
from service.plans.objects import describe_objects
from service.plans.prior import Prior
from service.plans.products import beyond_limits, check_prices, too_coarse
from service.plans.reading import JudgedScene, grid_of
from service.plans.reuse import bought_again, describe_orders, describe_reuse
from service.plans.tables import Plan, Scene
from service.pricing.areas import whole_cm2
from service.pricing.charge_rules import Bill
from service.pricing.repository import terms_of
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from service.stopping import checkpoint
from service.version import code_version


def decide_plan(judged: JudgedScene, inputs: PlanInputs, quote_days: int, prior: Prior | None = None) -> Plan:
    """Choose what to buy of a new scene; return the plan's row, not yet stored. Opens no session."""
    if prior is None:
        return _decide(judged.scene, judged.values, judged.bundle, inputs, quote_days)
    values = replace(judged.values, counts=prior.counts)
    plan = _decide(judged.scene, values, judged.bundle, inputs, quote_days)
    plan.bill = plan.bill | {"prior": prior.described}
    return plan


def store_plan(session: Session, plan: Plan, scene: Scene) -> tuple[Plan, Scene]:
    """Store a new plan with its scene, unless the workspace has that scene; return both as stored."""
    (stored,) = store_plans(session, [(plan, scene)])
    return stored


def store_plans(session: Session, made: Sequence[tuple[Plan, Scene]]) -> list[tuple[Plan, Scene]]:
    """Store new plans of one workspace as `store_plan` does, in a few statements for all of them."""
    plans = [plan for plan, _ in made]
    scenes = repository.keep_scenes(session, plans[0].workspace_id, [scene for _, scene in made])
    for plan, scene in zip(plans, scenes, strict=True):
        plan.scene_id = scene.id
    return list(zip(repository.keep_plans(session, plans), scenes, strict=True))


def decide_replan(
    old: Plan,
    scene: Scene,
    inputs: PlanInputs,
    quote_days: int,
    prior: Prior | None = None,
    doubts: Sequence[LoupeWarning] = (),
) -> Plan:
    """Choose again what to buy of a planned scene; return the new plan's row. Opens no session.

    The counts of `prior`, or else the plan's own, give the utilities if the inputs ask for it; otherwise the
    plan's own utilities are used. The policy does not run again. `doubts` become warnings of the plan.
    """
    values: TileValues = PlanArrays.of(old)
    if prior is not None:
        values = replace(values, counts=prior.counts)
    new = _decide(scene, values, old.provenance["bundle"], inputs, quote_days)
    new.scene_id, new.supersedes, new.naming = old.scene_id, old.id, named_like(old)
    described = old.bill.get("prior") if prior is None else prior.described
    if described is not None:
        new.bill = new.bill | {"prior": described}
    new.bill = new.bill | {"warnings": [*new.bill["warnings"], *(one.to_json() for one in doubts)]}
    return new


def decide_round(
    old: Plan, scene: Scene, order_id: UUID, values: TileValues, inputs: PlanInputs, quote_days: int
) -> Plan:
    """Choose what else to buy of a planned scene after patches of an order were read; return the new row.

    `values` hold the readings; `inputs.revalued_by` computes the utilities from them. Opens no session.
    """
    new = _decide(scene, values, old.provenance["bundle"], inputs, quote_days)
    new.scene_id, new.follows, new.naming = old.scene_id, order_id, named_like(old)
    return new


def store_replan(session: Session, new: Plan, old: Plan) -> Plan:
    """Store the plan that supersedes `old`. Ordering `old` and superseding it take turns on its row."""
    repository.lock_plan(session, old.workspace_id, old.id)
    # now() is the start of the transaction, possibly before that of an order that was placed first.
    new.created_at = func.clock_timestamp()
    return repository.keep_plan(session, new)


def _revalue(values: TileValues, inputs: PlanInputs, taken: NDArray[np.bool_]) -> TileValues:
    """Compute the utilities again if the inputs ask for it.

    Patches (T, 16) that are `taken` keep the utility that they had before any was read: it says what the
    objective would buy if none were taken, and so what reuse saves. A guarantee's patches all keep it.
    """
    if inputs.revalued_by is None or values.counts is None:
        return values
    bins, task, counts = inputs.revalued_by.bins, inputs.task, values.counts
    if isinstance(inputs.objective, GuaranteedLoss):  # certified for values from low resolution only
        utilities = values_of(counts.first, task, bins)
    else:
        utilities = values_of(counts.expected, task, bins, counts.seen(taken))
        if taken.any():
            utilities = np.where(taken, values_of(counts.first, task, bins), utilities)
    return replace(values, utilities=utilities * values.eligible[:, None])


def _decide(
    scene: Scene, values: TileValues, bundle: dict[str, Any], inputs: PlanInputs, quote_days: int
) -> Plan:
    """Return a plan's row; it may be ordered for `quote_days`, but no longer than its price list applies."""
    grid, price_list, coarsest_m = grid_of(scene), inputs.price_list, coarsest_pixel_m(inputs.ordered_m)
    areas = grid.patch_areas_m2()
    check_prices(price_list, areas)
    eligible = np.repeat(values.eligible[:, None], PATCHES, axis=1)
    matched = match_ground(grid, eligible, inputs.bought, coarsest_m)
    taken = matched.taken & (inputs.reuse == "owned")
    values = _revalue(values, inputs, taken)
    decision = plan_purchases(
        values.utilities,
        values.eligible,
        areas,
        terms_of(price_list),
        inputs.objective,
        grid.columns,
        taken,
        checkpoint,
    )
    again = match_ground(grid, decision.selected, inputs.bought, coarsest_m)
    limits = beyond_limits(price_list, decision, areas, grid.columns)
    return Plan(
        expires_at=_expiry(price_list, quote_days),
        workspace_id=price_list.workspace_id,
        price_list_id=price_list.id,
        task=inputs.task,
        objective=objective_to_json(inputs.objective),
        provenance=_provenance(price_list, scene, bundle),
        tiles=len(values.utilities),
        utilities=values.utilities.astype("<f4").tobytes(),
        **({} if values.counts is None else values.counts.columns()),
        selected=decision.selected.astype(np.uint8).tobytes(),
        filled=decision.filled.astype(np.uint8).tobytes(),
        valid_share=values.valid_share.astype("<f4").tobytes(),
        ground=_ground_flags(matched, decision).tobytes(),
        reuse=describe_reuse(inputs.reuse, matched, whole_cm2(areas), decision.spared, decision.reuse_saving),
        patches_bought=int(decision.selected.sum()),
        currency=price_list.currency,
        cost_minor=decision.bill.amount.minor,
        baseline_minor=decision.everything.amount.minor,
        list_saving_minor=decision.list_saving.minor,
        billable_saving_minor=decision.billable_saving.minor,
        bill=_bill(values, decision, inputs)
        | {"warnings": _warnings(again, whole_cm2(areas), inputs, limits)}
        | _objects(values, bundle, decision, taken),
    )


def _objects(
    values: TileValues, bundle: dict[str, Any], decision: Decision, taken: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the objects that the plan expects, as its row keeps them; nothing without expected counts."""
    if values.counts is None:
        return {}
    return {"objects": describe_objects(bundle["objects"], values.counts, decision.selected, taken)}


def _ground_flags(matched: MatchedGround, decision: Decision) -> NDArray[np.uint8]:
    enclosed = decision.arranged & ~decision.selected
    flags = matched.owned * OWNED + matched.on_order * ON_ORDER + enclosed * ENCLOSED
    return np.asarray(flags, dtype=np.uint8)


def _warnings(
    again: MatchedGround, areas_cm2: Ints, inputs: PlanInputs, limits: LoupeWarning | None
) -> list[dict[str, Any]]:
    """Return the doubts about what the plan buys, as its row keeps them."""
    found = [too_coarse(inputs.price_list, inputs.ordered_m), limits]
    if again.taken.any():
        found.append(bought_again(again, describe_orders(again.uses, areas_cm2)))
    return [warning.to_json() for warning in found if warning is not None]


def _expiry(price_list: PriceList, quote_days: int) -> SQLColumnExpression[datetime]:
    """Return a moment by the database's clock, computed when the row is written."""
    ends = func.now() + timedelta(days=quote_days)
    if price_list.valid_to is None:
        return ends
    after = datetime.combine(price_list.valid_to, time(), UTC) + timedelta(days=1)
    return func.least(ends, after)


def _provenance(price_list: PriceList, scene: Scene, bundle: dict[str, Any]) -> dict[str, Any]:
    return {
        "bundle": bundle,
        "price_list": {
            "id": str(price_list.id),
            "name": price_list.name,
            "version": price_list.version,
            "example": price_list.example,
        },
        "input_sha256": scene.sha256,
        "code_version": code_version(),
    }


def _bill(values: TileValues, decision: Decision, inputs: PlanInputs) -> dict[str, Any]:
    terms = PriceListTerms.model_validate(inputs.price_list, from_attributes=True)
    reused = {"without_reuse": _bill_json(decision.without_reuse)} if decision.spared else {}
    return {
        "reason": decision.reason,
        "wanted": decision.wanted,
        "eligible_tiles": int(values.eligible.sum()),
        "chosen": _bill_json(decision.bill),
        **reused,
        "everything": _bill_json(decision.everything),
        "bound": _bound_json(decision.bound),
        "ordered_pixel_m": inputs.ordered_m,
        "terms": terms.model_dump(mode="json"),  # so that the row's own values say what it costs
        "arrangement": NEWEST,
    }


def _bound_json(bound: Bound) -> dict[str, Any]:
    numbers = {"reached": bound.reached, "bound": bound.bound, "gap": bound.gap}
    return {"measure": bound.measure} | {name: round(number, 6) for name, number in numbers.items()}


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
    """Write a number without exponent or trailing zeros."""
    return f"{number.normalize():f}"
