"""The reuse of a plan as its row keeps it: what is owned or on order, from which orders, what it saves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from service.errors import LoupeWarning
from service.imagery.products import coarsest_pixel_m
from service.money import Money
from service.planner.objectives import count_patches
from service.plans.arrays import PlanArrays
from service.plans.ground import BoughtGround, GroundUse, Ints, MatchedGround, ReuseMode, match_ground
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.areas import to_km2

ORDERS_NAMED = 100
"""Orders that a plan or an error lists, those with the most patches first."""


def describe_reuse(
    mode: ReuseMode, matched: MatchedGround, areas_cm2: Ints, spared: int, saved: Money
) -> dict[str, Any]:
    """Write `plan.reuse`: areas (T, 16) of the scene's patches, patches and money that reuse spares."""
    return {
        "mode": mode,
        "owned": int(matched.owned.sum()),
        "on_order": int(matched.on_order.sum()),
        "area_km2": plain_km2(int(areas_cm2[matched.taken].sum())),
        "orders": describe_orders(matched.uses, areas_cm2),
        "spared": spared,
        "saved": money_json(saved),
    }


def describe_orders(uses: Sequence[GroundUse], areas_cm2: Ints) -> list[dict[str, Any]]:
    """Write the orders that ground comes from, those with the most patches first."""
    by_order: dict[str, list[GroundUse]] = {}
    for use in uses:
        by_order.setdefault(str(use.bought.order_id), []).append(use)
    rows = [_order_json(order, some, areas_cm2) for order, some in by_order.items()]
    rows.sort(key=lambda row: (-row["owned"] - row["on_order"], row["order"]))
    return rows[:ORDERS_NAMED]


def _order_json(order: str, uses: Sequence[GroundUse], areas_cm2: Ints) -> dict[str, Any]:
    bought = uses[0].bought
    owned, awaited = ([use for use in uses if use.bought.delivered is kind] for kind in (True, False))
    none = Money(0, bought.currency)
    return {
        "order": order,
        "status": bought.order_status,
        "owned": _count(owned),
        "on_order": _count(awaited),
        "area_km2": plain_km2(sum(use.cm2(areas_cm2) for use in uses)),
        "paid": money_json(sum((use.paid() for use in owned), start=none)),
        "held": money_json(sum((use.paid() for use in awaited), start=none)),
    }


def taken_since(plan: Plan, scene: Scene, bought: Sequence[BoughtGround]) -> int:
    """Return how many patches a plan could have bought that came to be owned or on order after it was made.

    `bought` is the ground near the scene now. Returns 0 for plans that buy owned ground again, and for old
    ones, which do not state the size of a pixel.
    """
    arrays, ordered_m = PlanArrays.of(plan), plan.bill.get("ordered_pixel_m")
    if not arrays.reuses or ordered_m is None:
        return 0
    could_buy = arrays.eligible[:, None] & ~arrays.taken
    return int(match_ground(grid_of(scene), could_buy, bought, coarsest_pixel_m(ordered_m)).taken.sum())


def bought_again(matched: MatchedGround, orders: Sequence[dict[str, Any]]) -> LoupeWarning:
    """Return the warning about a plan with `reuse=none` that buys owned ground again."""
    count = int(matched.taken.sum())
    return LoupeWarning(
        code="ground-bought-again",
        detail=f"{count_patches(count)} of this plan {'is' if count == 1 else 'are'} owned or on order "
        "already and will be paid again, because the plan was made with reuse=none.",
        figures={"patches": count, "orders": list(orders)},
    )


def _count(uses: Sequence[GroundUse]) -> int:
    return len(np.unique(np.concatenate([use.ours for use in uses]))) if uses else 0


def plain_km2(area_cm2: int) -> str:
    """Write an area in square kilometres without exponent or trailing zeros."""
    return f"{to_km2(area_cm2).normalize():f}"


def money_json(money: Money) -> dict[str, str]:
    """Write an amount as the API does."""
    return {"amount": money.amount, "currency": money.currency}
