"""Prices and rules of a price list as phrases."""

from typing import Any

from service.pricing.wording import price_in_words, rules_in_words

TERMS: dict[str, Any] = {
    "currency": "USD", "price_per_scene": None, "price_per_km2": "10000", "tiers": [],
    "minimum_km2": "0", "minimum_applies_to": "order", "minimum_charge": "0", "areas_summed": True,
    "minimum_width_m": "0", "convex": False, "max_vertices": None, "holes": True,
}  # fmt: skip


def test_thousands_of_prices_and_areas_have_commas() -> None:
    assert price_in_words(TERMS) == "10,000 USD per km2"
    assert price_in_words(TERMS | {"price_per_scene": "1130.5"}) == "1,130.5 USD per scene"
    tier = {"price_per_km2": "0.0039", "above_km2": "2500"}
    assert price_in_words(TERMS | {"tiers": [tier]}) == "10,000 USD per km2, 0.0039 beyond 2,500 km2"


def test_rules_that_do_not_apply_are_left_out() -> None:
    assert rules_in_words(TERMS) == []
    limits = {"minimum_km2": "0.25", "minimum_width_m": "2000", "max_vertices": 1500, "minimum_part_km2": "5"}
    assert rules_in_words(TERMS | limits) == [
        "at least 0.25 km2 per order",
        "at least 2,000 m wide",
        "at most 1,500 vertices",
        "shapes of at least 5 km2",
    ]
