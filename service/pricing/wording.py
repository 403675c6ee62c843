"""Price and rules of a price list as short phrases, for the command line and the dashboard."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_NUMBERS = (
    "minimum_km2", "minimum_charge", "minimum_width_m", "max_vertices", "max_parts", "minimum_part_km2",
    "maximum_part_km2",
)  # fmt: skip


def price_in_words(prices: Mapping[str, Any]) -> str:
    """Return the price of a scene, or of a km2 with the prices beyond area limits."""
    if prices["price_per_scene"]:
        return f"{_grouped(prices['price_per_scene'])} {prices['currency']} per scene"
    tiers = "".join(
        f", {_grouped(one['price_per_km2'])} beyond {_grouped(one['above_km2'])} km2"
        for one in prices["tiers"]
    )
    return f"{_grouped(prices['price_per_km2'])} {prices['currency']} per km2{tiers}"


def rules_in_words(prices: Mapping[str, Any]) -> list[str]:
    """Return the rules for bills, shapes and files as short phrases."""
    currency, bands, per = prices["currency"], prices.get("delivery_bands"), prices["minimum_applies_to"]
    said = {name: _grouped(prices.get(name)) for name in _NUMBERS}
    rules = {
        f"at least {said['minimum_km2']} km2 per {per}": prices["minimum_km2"] != "0",
        f"at least {said['minimum_charge']} {currency}": prices["minimum_charge"] != "0",
        "one order per shape": not prices["areas_summed"],
        f"at least {said['minimum_width_m']} m wide": prices["minimum_width_m"] != "0",
        "convex": prices["convex"],
        f"at most {said['max_vertices']} vertices": prices["max_vertices"],
        "no holes": not prices["holes"],
        f"at most {said['max_parts']} shapes": prices.get("max_parts"),
        f"shapes of at least {said['minimum_part_km2']} km2": prices.get("minimum_part_km2"),
        f"shapes of at most {said['maximum_part_km2']} km2": prices.get("maximum_part_km2"),
        f"red, green and blue delivered as bands {bands}": bands,
    }
    return [phrase for phrase, applies in rules.items() if applies]


def _grouped(number: str | int | None) -> str:
    """Write a number with commas between thousands; empty for None."""
    return "" if number is None else f"{Decimal(number):,f}"
