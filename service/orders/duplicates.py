"""Refusals of orders that would pay twice for the same ground, or for a product that is too coarse."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from service.errors import ConflictError, LoupeWarning
from service.imagery.products import coarsest_pixel_m
from service.imagery.tile_grid import TileGrid
from service.orders.ground import newest_evidence, orders_after, read_ground
from service.planner.objectives import count_patches
from service.plans.arrays import PlanArrays
from service.plans.ground import BoughtGround, match_ground
from service.plans.products import BEYOND_LIMITS, TOO_COARSE
from service.plans.reading import grid_of
from service.plans.reuse import bought_again, describe_orders, plain_km2
from service.plans.tables import Plan, Scene
from service.pricing.areas import whole_cm2

_ORDERS_IN_A_SENTENCE = 3


class GroundAlreadyBoughtError(ConflictError):
    """An order of a plan whose ground the workspace came to own, or have on order, after it was planned."""

    code = "ground-already-bought"
    title = "This ground is bought already"


class ProductTooCoarseError(ConflictError):
    """An order of a product whose deliveries would all be refused."""

    code = TOO_COARSE
    title = "The product is too coarse for the bundle"


class OrderLimitsExceededError(ConflictError):
    """An order of a plan whose shapes the provider does not take in one order."""

    code = BEYOND_LIMITS
    title = "The provider does not take these shapes in one order"


class ReusedGroundLostError(ConflictError):
    """An order of a plan that reuses ground which is neither owned nor on order any more."""

    code = "reused-ground-lost"
    title = "Ground that the plan reuses is gone"


def check_product(plan: Plan) -> None:
    """Raise the error of what the plan warns of: every delivery, or the order itself, would be refused.

    Errors: ProductTooCoarseError, OrderLimitsExceededError.
    """
    for warning in plan.bill.get("warnings", ()):
        if warning["code"] == TOO_COARSE:
            raise ProductTooCoarseError(warning["detail"], plan=str(plan.id), **warning["figures"])
        if warning["code"] == BEYOND_LIMITS:
            raise OrderLimitsExceededError(warning["detail"], plan=str(plan.id), **warning["figures"])


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedGround:
    """The ground that a workspace had near a plan's scene when an order of the plan was checked."""

    plan: Plan
    grid: TileGrid
    bought: list[BoughtGround]
    newest: int  # number of the workspace's newest evidence before the ground was read
    warnings: list[LoupeWarning]


def check_ground(session: Session, plan: Plan) -> CheckedGround:
    """Check that a plan's patches are not owned or on order, and that those it reuses are.

    Takes long where a workspace has many orders, so no lock is held. `check_newer_ground` looks again.
    Warns if the plan was made with `reuse=none` and buys patches again.
    Errors: ground-already-bought, reused-ground-lost.
    """
    grid = grid_of(session.get_one(Scene, plan.scene_id))
    newest = newest_evidence(session, plan.workspace_id)
    bought = read_ground(session, plan.workspace_id, grid)
    warnings = _check(plan, grid, bought)
    return CheckedGround(plan=plan, grid=grid, bought=bought, newest=newest, warnings=warnings)


def check_newer_ground(session: Session, checked: CheckedGround, order_id: UUID) -> list[LoupeWarning]:
    """Check a plan's ground against the orders that came after `check_ground`, and return all warnings.

    The caller has stored the order `order_id` of the plan, which locked the workspace's chain: orders take
    turns from there to their commit, so that of two orders of the same ground the second finds the first.
    Errors: ground-already-bought, reused-ground-lost.
    """
    plan = checked.plan
    newer = orders_after(session, plan.workspace_id, checked.newest) - {order_id}
    newer -= {one.order_id for one in checked.bought}
    if not newer:
        return checked.warnings
    came = read_ground(session, plan.workspace_id, checked.grid, newer)
    return _check(plan, checked.grid, [*checked.bought, *came]) if came else checked.warnings


def _check(plan: Plan, grid: TileGrid, bought: Sequence[BoughtGround]) -> list[LoupeWarning]:
    arrays = PlanArrays.of(plan)
    ordered_m = plan.bill.get("ordered_pixel_m")  # absent in plans made before 0.3.0
    coarsest_m = math.inf if ordered_m is None else coarsest_pixel_m(ordered_m)
    reused = match_ground(grid, arrays.taken, bought, coarsest_m)
    if lost := int((arrays.taken & ~reused.taken).sum()):
        raise _lost(plan, lost)
    matched = match_ground(grid, arrays.selected, bought, coarsest_m)
    if not matched.taken.any():
        return []
    areas = whole_cm2(grid.patch_areas_m2())
    orders = describe_orders(matched.uses, areas)
    if plan.reuse is not None and plan.reuse["mode"] == "none":
        return [bought_again(matched, orders)]
    raise _bought_already(plan, int(matched.taken.sum()), int(areas[matched.taken].sum()), orders)


def _bought_already(
    plan: Plan, count: int, area_cm2: int, orders: list[dict[str, object]]
) -> GroundAlreadyBoughtError:
    area = plain_km2(area_cm2)
    return GroundAlreadyBoughtError(
        f"{count_patches(count)} of this plan, {area} km2, {'is' if count == 1 else 'are'} bought already: "
        f"{_named(orders)}. Re-plan with POST /v1/plans/{plan.id}/replan (`loupe replan {plan.id}`) to leave "
        "them out. To pay for them again, re-plan with reuse=none.",
        plan=str(plan.id),
        patches=count,
        area_km2=area,
        orders=orders,
    )


def _lost(plan: Plan, count: int) -> ReusedGroundLostError:
    return ReusedGroundLostError(
        f"{count_patches(count)} that this plan reuses {'is' if count == 1 else 'are'} neither owned nor on "
        f"order any more. Re-plan with POST /v1/plans/{plan.id}/replan (`loupe replan {plan.id}`) to choose "
        "again.",
        plan=str(plan.id),
        patches=count,
    )


def _named(orders: list[dict[str, object]]) -> str:
    """Name the orders that ground comes from, with their money."""
    names = [_name(order) for order in orders[:_ORDERS_IN_A_SENTENCE]]
    if more := len(orders) - len(names):
        names.append(f"{more} more")
    return "; ".join(names)


def _name(order: dict[str, object]) -> str:
    parts = [
        f"{order[count]} {word} for {money['amount']} {money['currency']}"
        for count, word, money in (
            ("owned", "delivered", order["paid"]),
            ("on_order", "on order", order["held"]),
        )
        if order[count] and isinstance(money, dict)
    ]
    return f"order {order['order']} ({', '.join(parts)})"
