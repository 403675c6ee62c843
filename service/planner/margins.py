"""What each patch of a plan costs at the margin, and which are paid for without being bought. Pure numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.planner.by_shape import order_amounts, order_choices, shape_weights
from service.planner.scene_orders import covered, lay_out, scene_orders
from service.planner.tile_shapes import BITS
from service.pricing.billing import Terms, tariff_of, whole_cm2

Mask = NDArray[np.bool_]  # (T, 16)
Floats = NDArray[np.float64]
_BIT = 1 << np.arange(PATCHES)


@dataclass(frozen=True, kw_only=True)
class Margins:
    """Of every patch of T tiles, beside the plan as it is."""

    minor: NDArray[np.int64]
    """(T, 16) minor units: what leaving out a bought patch would save, or adding another one would cost."""
    padding: Mask
    """(T, 16): not bought, but inside an ordered shape."""


def margins(selected: Mask, areas_m2: Floats, columns: int, terms: Terms) -> Margins:
    """Price a plan with and without each patch: selected (T, 16), areas (T, 16), tiles row by row.

    Exact by area and for one tile. Of several tiles under prices of each shape, the other tiles' shapes
    stay as they are and the patch's own tile is ordered apart from them.
    """
    if terms.by_area:
        return _by_area(selected, whole_cm2(areas_m2), terms)
    if len(selected) == 1:
        return _by_shape(selected, areas_m2, terms)
    return _by_tiles(selected, areas_m2, columns, terms)


def _by_area(selected: Mask, areas_cm2: NDArray[np.int64], terms: Terms) -> Margins:
    total = areas_cm2[selected].sum()
    other = total + np.where(selected, -areas_cm2, areas_cm2)
    amounts = tariff_of(terms).amounts(np.append(other.ravel(), total))
    minor = np.abs(amounts[:-1] - amounts[-1]).reshape(selected.shape)
    return Margins(minor=minor, padding=np.zeros_like(selected))


def _by_shape(selected: Mask, areas_m2: Floats, terms: Terms) -> Margins:
    orders = order_choices(areas_m2, terms)
    choice = int(_BIT[selected[0]].sum())
    within = np.bitwise_or.reduce(orders.cover.shapes(choice), initial=0)
    return Margins(
        minor=np.abs(orders.amounts[choice ^ _BIT] - orders.amounts[choice])[None],
        padding=BITS[within].astype(np.bool_)[None] & ~selected,
    )


def _by_tiles(selected: Mask, areas_m2: Floats, columns: int, terms: Terms) -> Margins:
    orders = scene_orders(areas_m2, columns, terms)
    layout = lay_out(orders, selected)
    within = covered(orders, layout)
    weights, choices = orders.tile.cover.weights, selected @ _BIT
    change = weights[choices[:, None] ^ _BIT] - weights[choices][:, None]
    total = shape_weights(layout.areas_cm2, terms).sum()
    amounts = order_amounts(np.append(np.maximum(total + change, 0), total), terms)
    padding = within & ~selected
    minor = np.abs(amounts[:-1] - amounts[-1]).reshape(selected.shape)
    return Margins(minor=np.where(padding, 0, minor), padding=padding)
