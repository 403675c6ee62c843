"""The price of an order of any patches of a scene. Pure numpy."""

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.money import Money
from service.planner.arranging import arrange_shapes
from service.planner.scene_orders import scene_orders
from service.planner.tile_orders import order_choices
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill


def selection_price(
    selected: NDArray[np.bool_], areas_m2: NDArray[np.float64], columns: int, terms: PriceTerms
) -> Money:
    """Return the price of one order of chosen patches (T, 16), areas (T, 16), tiles row by row.

    Shapes are arranged as for a plan; nothing is added because it is free.
    """
    if not selected.any():
        return Money(0, terms.currency)
    if terms.by_area:
        return bill([int(whole_cm2(areas_m2)[selected].sum())], terms).amount
    if len(selected) == 1:
        choice = int((1 << np.arange(PATCHES))[selected[0]].sum())
        return order_choices(areas_m2, terms).bill(choice).amount
    return arrange_shapes(scene_orders(areas_m2, columns, terms), selected).amount
