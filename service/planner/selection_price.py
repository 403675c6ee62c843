"""The price of an order of any patches of a scene. Pure numpy."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.money import Money
from service.planner.arranging import Arrange, arrange_quickly, arrange_shapes
from service.planner.scene_orders import SceneOrders, covered, scene_orders
from service.planner.tile_orders import BITS, TileOrders, order_choices
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, tariff_of

Mask = NDArray[np.bool_]
"""Patches (T, 16) of a scene."""


class PricedSelection(NamedTuple):
    """The price of an order of some patches, and all patches that lie in the ordered shapes."""

    cost: Money
    covered: Mask


Pricer = Callable[[Mask], PricedSelection]


def selection_price(selected: Mask, areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms) -> Money:
    """Return the price of one order of chosen patches (T, 16), areas (T, 16), tiles row by row.

    Shapes are arranged as for a plan; nothing is added because it is free.
    """
    return pricer(areas_m2, columns, terms)(selected).cost


def pricer(
    areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms, *, quickly: bool = False
) -> Pricer:
    """Prepare to price orders of a scene: areas (T, 16), tiles row by row.

    With `quickly`, shapes of several tiles are arranged in less time, and may cost more.
    """
    if terms.by_area:
        return partial(_by_area, whole_cm2(areas_m2), terms)
    if len(areas_m2) == 1:
        return partial(_by_tile, order_choices(areas_m2, terms))
    arrange = arrange_quickly if quickly else arrange_shapes
    return partial(_by_shapes, scene_orders(areas_m2, columns, terms), arrange)


def _by_area(areas_cm2: NDArray[np.int64], terms: PriceTerms, selected: Mask) -> PricedSelection:
    amounts = tariff_of(terms).amounts(areas_cm2[selected].sum(keepdims=True))
    return PricedSelection(Money(int(amounts[0]), terms.currency), selected)


def _by_tile(orders: TileOrders, selected: Mask) -> PricedSelection:
    choice = int((1 << np.arange(PATCHES))[selected[0]].sum())
    within = np.bitwise_or.reduce(np.array(orders.cover.shapes(choice), dtype=np.int64))
    cost = Money(int(orders.amounts[choice]), orders.terms.currency)
    return PricedSelection(cost, np.asarray(BITS[within].astype(np.bool_)[None]))


def _by_shapes(orders: SceneOrders, arrange: Arrange, selected: Mask) -> PricedSelection:
    layout = arrange(orders, selected)
    return PricedSelection(layout.amount, covered(orders, layout))
