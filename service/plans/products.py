"""Whether a price list's product is fine enough for the patches of a plan."""

from service.errors import LoupeWarning
from service.imagery.placement import MAX_COARSENESS
from service.imagery.products import coarsest_pixel_m
from service.pricing.tables import PriceList

TOO_COARSE = "product-too-coarse"
"""Code of the warning of a plan whose deliveries would all be refused, and of the refusal of its order."""


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
