"""The marginal cost of each patch of a plan, and the reason why it is bought or not. Pure numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.planner.arranging import ARRANGEMENTS, NEWEST
from service.planner.objectives import Objective
from service.planner.scene_orders import SceneOrders, ShapeLayout, covered, scene_orders
from service.planner.tile_orders import BITS, order_choices
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, tariff_of

Mask = NDArray[np.bool_]  # (T, 16)
Floats = NDArray[np.float64]
_BIT = 1 << np.arange(PATCHES)

PATCH_REASONS = {
    "wanted": "Bought: the objective asks for it.",
    "free": "Bought: it adds nothing to the bill, because of a minimum, a shape rule or rounding.",
    "padding": "Not bought, but paid for: it lies in a shape that has to be ordered.",
    "already-owned": "Not bought: the workspace owns a delivered patch of this ground.",
    "already-on-order": "Not bought: an open order of the workspace awaits a patch of this ground.",
    "tile-not-eligible": "Not bought: its tile has too few valid pixels to be planned.",
    "below-threshold": "Not bought: its utility is below the threshold.",
    "beyond-limit": "Not bought: the allowed number of patches is used up by more useful ones.",
    "worthless": "Not bought: it has no utility.",
    "too-expensive": "Not bought: other patches are worth more for the money.",
}
"""The meaning of a patch's reason, by its code."""


@dataclass(frozen=True, kw_only=True)
class Margins:
    """The marginal cost of every patch of T tiles, beside the plan as it is."""

    minor: NDArray[np.int64]
    """(T, 16) minor units: the saving if a bought patch is left out, or the cost of adding another one."""
    padding: Mask
    """(T, 16): not bought, but inside an ordered shape."""


def patch_reasons(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    selected: Mask,
    filled: Mask,
    padding: Mask,
    objective: Objective,
) -> NDArray[np.str_]:
    """Return the reason code (T, 16) of every patch; eligible (T,), the other arrays (T, 16)."""
    reasons = [
        (filled, "free"),
        (selected, "wanted"),
        (padding, "padding"),
        (np.broadcast_to(~eligible[:, None], selected.shape), "tile-not-eligible"),
    ]
    conditions, codes = zip(*reasons, strict=True)
    return np.select(conditions, codes, default=objective.unbought_reasons(utilities))


def taken_reasons(reasons: NDArray[np.str_], owned: Mask, on_order: Mask) -> NDArray[np.str_]:
    """Return reasons (T, 16) in which patches that were bought before say so, unless they are paid again."""
    paid = np.isin(reasons, ("wanted", "free", "padding"))
    found: NDArray[np.str_] = np.select(
        [paid, owned, on_order], [reasons, "already-owned", "already-on-order"], default=reasons
    )
    return found


def margins(
    selected: Mask,
    areas_m2: Floats,
    columns: int,
    terms: PriceTerms,
    *,
    arranged: Mask | None = None,
    taken: Mask | None = None,
    arrangement: int = NEWEST,
) -> Margins:
    """Price a plan with and without each patch: selected (T, 16), areas (T, 16), tiles row by row.

    The shapes enclose `arranged` (T, 16) at least, and any patch of `taken` (T, 16) where that is cheaper.
    The `arrangement` of a stored plan is that of its bill.
    The margins are exact where prices depend on area and for one tile. For several tiles under prices of
    each shape, the other tiles' shapes stay as they are, and the patch's own tile is ordered separately.
    """
    if terms.by_area:
        return _by_area(selected, whole_cm2(areas_m2), terms)
    if len(selected) == 1:
        enclosed = np.zeros_like(selected) if arranged is None else arranged & ~selected
        return _by_shape(selected, areas_m2, terms, enclosed if taken is None else enclosed | taken)
    orders = scene_orders(areas_m2, columns, terms)
    arranged = selected if arranged is None else arranged
    return _by_tiles(selected, arranged, orders, ARRANGEMENTS[arrangement](orders, arranged))


def _by_area(selected: Mask, areas_cm2: NDArray[np.int64], terms: PriceTerms) -> Margins:
    total = areas_cm2[selected].sum()
    other = total + np.where(selected, -areas_cm2, areas_cm2)
    amounts = tariff_of(terms).amounts(np.append(other.ravel(), total))
    minor = np.abs(amounts[:-1] - amounts[-1]).reshape(selected.shape)
    return Margins(minor=minor, padding=np.zeros_like(selected))


def _by_shape(selected: Mask, areas_m2: Floats, terms: PriceTerms, padding: Mask) -> Margins:
    orders = order_choices(areas_m2, terms)
    amounts, around = orders.around(int(_BIT[padding[0]].sum()))
    choice = int(_BIT[selected[0]].sum())
    within = np.bitwise_or.reduce(np.array(orders.cover.shapes(int(around[choice])), dtype=np.int64))
    return Margins(
        minor=np.abs(amounts[choice ^ _BIT] - amounts[choice])[None],
        padding=BITS[within].astype(np.bool_)[None] & ~selected,
    )


def _by_tiles(selected: Mask, arranged: Mask, orders: SceneOrders, layout: ShapeLayout) -> Margins:
    tariff, within = tariff_of(orders.terms), covered(orders, layout)
    weights, choices = orders.tile.cover.weights, arranged @ _BIT
    change = weights[choices[:, None] ^ _BIT] - weights[choices][:, None]
    total = tariff.weights(layout.areas_cm2).sum()
    amounts = tariff.totals(np.append(np.maximum(total + change, 0), total))
    padding = within & ~selected
    minor = np.abs(amounts[:-1] - amounts[-1]).reshape(selected.shape)
    return Margins(minor=np.where(padding, 0, minor), padding=padding)
