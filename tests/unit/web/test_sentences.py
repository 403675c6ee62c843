"""Refusals of whole requests: each is the sentence alone, without a word of the library that checks it."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from service.ledger.schemas import AdjustmentIn
from service.pricing.schemas import PriceListIn
from service.settings import Settings

PRICES = {
    "name": "acme", "provider": "Acme", "product": "archive", "gsd_m": "0.5", "currency": "USD",
    "price_per_km2": "10",
}  # fmt: skip
REFUND = {
    "kind": "refund", "order": str(UUID(int=1)), "amount": {"amount": "1", "currency": "USD"}, "reason": "r",
}  # fmt: skip
TIER = {"above_km2": "5", "price_per_km2": "1"}


@pytest.mark.parametrize(
    ("model", "usual", "change"),
    [
        (PriceListIn, PRICES, {"name": "example-mine"}),
        (PriceListIn, PRICES, {"name": str(UUID(int=1))}),
        (PriceListIn, PRICES, {"tiers": [TIER, TIER]}),
        (PriceListIn, PRICES, {"price_per_scene": "3"}),
        (PriceListIn, PRICES, {"price_per_km2": None, "price_per_scene": "3", "tiers": [TIER]}),
        (PriceListIn, PRICES, {"valid_from": "2028-02-29", "valid_to": "2028-02-28"}),
        (PriceListIn, PRICES, {"delivery_bands": "1,1,2"}),
        (AdjustmentIn, REFUND, {"tile": 1}),
        (AdjustmentIn, REFUND, {"kind": "charge", "tile": 1, "patch": 1}),
        (Settings, {}, {"api_key": "short"}),
        (Settings, {}, {"database_url": "sqlite:///loupe.db"}),
    ],
)
def test_refusal_is_a_sentence(model: type[BaseModel], usual: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model(**(usual | change))

    (fault,) = caught.value.errors()
    assert not fault["msg"].startswith("Value error")
    assert fault["msg"][0].isupper()
    assert fault["msg"].endswith(".")
