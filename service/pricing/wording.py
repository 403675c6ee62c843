"""Price and rules of a price list as short phrases, for the command line and the dashboard."""

from collections.abc import Mapping
from typing import Any


def price_in_words(prices: Mapping[str, Any]) -> str:
    """Return the price of a scene, or of a km2 with the prices beyond area limits."""
    if prices["price_per_scene"]:
        return f"{prices['price_per_scene']} {prices['currency']} per scene"
    tiers = "".join(f", {one['price_per_km2']} beyond {one['above_km2']} km2" for one in prices["tiers"])
    return f"{prices['price_per_km2']} {prices['currency']} per km2{tiers}"


def rules_in_words(prices: Mapping[str, Any]) -> list[str]:
    """Return the rules for bills, shapes and files as short phrases."""
    currency, bands = prices["currency"], prices.get("delivery_bands")
    rules = {
        f"at least {prices['minimum_km2']} km2 per {prices['minimum_applies_to']}": prices["minimum_km2"]
        != "0",
        f"at least {prices['minimum_charge']} {currency}": prices["minimum_charge"] != "0",
        "one order per shape": not prices["areas_summed"],
        f"at least {prices['minimum_width_m']} m wide": prices["minimum_width_m"] != "0",
        "convex": prices["convex"],
        f"at most {prices['max_vertices']} vertices": prices["max_vertices"],
        "no holes": not prices["holes"],
        f"at most {prices.get('max_parts')} shapes": prices.get("max_parts"),
        f"shapes of at least {prices.get('minimum_part_km2')} km2": prices.get("minimum_part_km2"),
        f"shapes of at most {prices.get('maximum_part_km2')} km2": prices.get("maximum_part_km2"),
        f"red, green and blue delivered as bands {bands}": bands,
    }
    return [phrase for phrase, applies in rules.items() if applies]
