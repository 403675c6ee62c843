"""Price lists in the OpenAPI document: examples, and the rules that no field has by itself."""

from pydantic.config import JsonDict, JsonValue

EXAMPLE: JsonDict = {
    "name": "acme-30cm",
    "provider": "Acme Imagery",
    "product": "30 cm archive",
    "gsd_m": "0.3",
    "currency": "EUR",
    "price_per_km2": "19.50",
    "tiers": [{"above_km2": "500", "price_per_km2": "17"}],
    "minimum_km2": "2",
    "minimum_applies_to": "order",
    "source": "contract 2026-117",
    "captured_at": "2026-11-02",
}

CSV_EXAMPLE = """name,provider,product,gsd_m,currency,price_per_km2,tiers,minimum_km2,source
acme-30cm,Acme Imagery,30 cm archive,0.3,EUR,19.50,500:17; 1000:15,2,contract 2026-117
"""

NAME_PATTERN = r"^(?!example-)(?!-*(?:[0-9a-f]-*){32}$)[a-z0-9][a-z0-9._-]{0,63}$"
"""Names that may be given: neither one reserved for an example nor a UUID, with or without hyphens."""

ONE_PRICE: list[JsonValue] = [
    {
        "title": "Price per km2",
        "properties": {"price_per_km2": {"not": {"type": "null"}}, "price_per_scene": {"type": "null"}},
        "required": ["price_per_km2"],
    },
    {
        "title": "Price per scene",
        "properties": {
            "price_per_scene": {"not": {"type": "null"}},
            "price_per_km2": {"type": "null"},
            "tiers": {"maxItems": 0},
        },
        "required": ["price_per_scene"],
    },
]
"""A price list has one of the two prices. A price per scene has no tiers."""
