"""Terms of price lists, named by what differs from the plainest, 10 USD per km2; and a patch to price."""

from decimal import Decimal

from service.pricing.billing import ANY_SHAPE, Scope, ShapeRules, Terms, Tier

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
) -> Terms:
    """`price` per km2, and `beyond` this many km2 that price."""
    limits = {"0": price} | (beyond or {})
    return Terms(
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


def scene_price(price: str, currency: str = "USD") -> Terms:
    """One price for whatever is taken of a scene."""
    return Terms(currency=currency, flat=Decimal(price))
