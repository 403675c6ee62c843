"""Price terms for tests: 10 USD per km2 unless a test says otherwise; and the area of a patch."""

from decimal import Decimal

from service.pricing.billing import PriceTerms
from service.pricing.charge_rules import Scope, Tier
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules

PATCH_M2 = 313_600.0  # 56 x 56 pixels of 10 m


def terms(
    price: str = "10",
    *,
    beyond: dict[str, str] | None = None,
    minimum: str = "0",
    scope: Scope = "order",
    charge: str = "0",
    summed: bool = True,
    currency: str = "USD",
    rules: ShapeRules = ANY_SHAPE,
) -> PriceTerms:
    """Return terms of `price` per km2; `beyond` maps areas in km2 to the prices beyond them."""
    limits = {"0": price} | (beyond or {})
    return PriceTerms(
        currency=currency,
        tiers=tuple(
            Tier(above_km2=Decimal(limit), price_per_km2=Decimal(one)) for limit, one in limits.items()
        ),
        minimum_km2=Decimal(minimum),
        minimum_applies_to=scope,
        minimum_charge=Decimal(charge),
        areas_summed=summed,
        rules=rules,
    )


def scene_price(price: str, currency: str = "USD") -> PriceTerms:
    """Return terms of one price for a scene, whatever is bought of it."""
    return PriceTerms(currency=currency, flat=Decimal(price))
