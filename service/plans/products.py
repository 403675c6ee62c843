"""Whether a price list fits a scene: its product is fine enough, and its amounts stay in range."""

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError, LoupeWarning
from service.imagery.placement import MAX_COARSENESS
from service.imagery.products import coarsest_pixel_m
from service.money import LARGEST_MINOR, Money
from service.planner.decision import Decision
from service.planner.order_shapes import compile_order
from service.pricing.areas import whole_cm2
from service.pricing.billing import in_range
from service.pricing.repository import terms_of
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList

TOO_COARSE = "product-too-coarse"
"""Code of the warning of a plan whose deliveries would all be refused, and of the refusal of its order."""


BEYOND_LIMITS = "order-limits-exceeded"
"""Code of the warning of a plan whose shapes the provider does not take in one order, and of the refusal."""


class PriceTooLargeError(InvalidInputError):
    """A price list under which an order of the scene could cost more than an amount can be."""

    code = "price-too-large"
    title = "The scene is too dear for an amount"


def prices_fit(price_list: PriceList, areas_m2: NDArray[np.float64]) -> bool:
    """Say whether every order of these patches (T, 16) stays in the range of amounts."""
    return in_range(whole_cm2(areas_m2).ravel(), terms_of(price_list))


def check_prices(price_list: PriceList, areas_m2: NDArray[np.float64]) -> None:
    """Raise PriceTooLargeError unless `prices_fit`."""
    if prices_fit(price_list, areas_m2):
        return
    largest = Money(LARGEST_MINOR - 1, price_list.currency)
    raise PriceTooLargeError(
        f"With the price list {price_list.name}, {areas_m2.size:,} patches could cost more than {largest}. "
        "Plan a smaller part of the scene, or use lower prices and minimums.",
        price_list=price_list.name,
        patches=areas_m2.size,
        largest=largest.amount,
    )


def beyond_limits(
    price_list: PriceList, decision: Decision, areas_m2: NDArray[np.float64], columns: int
) -> LoupeWarning | None:
    """Return a warning if the provider does not take the shapes of a plan in one order; areas are (T, 16)."""
    terms = PriceListTerms.model_validate(price_list, from_attributes=True)
    limits = terms.limits()
    if not limits:
        return None
    shapes = compile_order(decision.selected, areas_m2, columns, terms.terms(), decision.arranged)
    areas_km2 = [shape.area_m2 / 1e6 for shape in shapes]
    exceeded = limits.exceeded(areas_km2)
    if not exceeded:
        return None
    return LoupeWarning(
        code=BEYOND_LIMITS,
        detail=f"{price_list.provider} takes {'; '.join(exceeded)}. This plan cannot be ordered. Plan for "
        "fewer patches with max_patches or max_cost, cut the scene into parts, or use a price list whose "
        "minimum area applies to each shape: neighbours are then joined.",
        figures=limits.figures(areas_km2) | {"price_list": price_list.name},
    )


def too_coarse(price_list: PriceList, ordered_m: float) -> LoupeWarning | None:
    """Return a warning if every delivery of the product would be refused; `ordered_m` is a pixel's side."""
    product_m, coarsest_m = float(price_list.gsd_m), coarsest_pixel_m(ordered_m)
    if product_m <= coarsest_m:
        return None
    return LoupeWarning(
        code=TOO_COARSE,
        detail=f"The product of the price list {price_list.name} has pixels of {product_m:.3g} m. The bundle "
        f"reads {ordered_m:.3g} m, and a delivery may be at most {MAX_COARSENESS:g} times as coarse. Every "
        "delivery would be refused, so this plan cannot be ordered. Plan with the price list of a product "
        f"of at most {coarsest_m:.3g} m.",
        figures={
            "product_m": product_m,
            "ordered_m": round(ordered_m, 4),
            "coarsest_m": round(coarsest_m, 4),
            "price_list": price_list.name,
        },
    )
