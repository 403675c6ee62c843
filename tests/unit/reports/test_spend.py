"""Movements of the ledger as charges of FOCUS."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from service.reports.spend import SPEND_COLUMNS, charge_of

ORDER = "7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11"
LAST_MOMENT = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def make_row(**overrides: Any) -> dict[str, Any]:
    """Make a payment of 1.00 USD whose order and plan are unknown."""
    unknown = dict.fromkeys(
        (
            "provenance",
            "order_id",
            "plan_id",
            "provider",
            "product",
            "price_list",
            "version",
            "reason",
            "order_tags",
            "cost_center",
        )
    )
    known = {
        "seq": 3, "kind": "settle", "is_cost": True, "amount": 100, "currency": "USD", "at": LAST_MOMENT,
        "reference": f"delivery:{ORDER}/0/13", "hash": b"\1" * 32, "workspace_id": UUID(int=1),
        "workspace": "default", "budget_id": UUID(int=2), "budget": "harvest", "budget_tags": {},
    }  # fmt: skip
    return unknown | known | overrides


@pytest.mark.parametrize(
    ("kind", "is_cost", "category", "cost"),
    [("settle", True, "Purchase", "1.00"), ("refund", False, "Credit", "-1.00")],
)
def test_charge_of_a_refund_is_a_credit_below_zero(
    kind: str, is_cost: bool, category: str, cost: str
) -> None:
    charge = charge_of(make_row(kind=kind, is_cost=is_cost))

    assert (charge.ChargeCategory, charge.BilledCost, charge.EffectiveCost) == (
        category, Decimal(cost), Decimal(cost),
    )  # fmt: skip


def test_charge_in_a_currency_without_cents_has_no_decimals() -> None:
    assert str(charge_of(make_row(currency="JPY")).BilledCost) == "100"


def test_charge_period_is_its_day_in_utc() -> None:
    charge = charge_of(make_row())

    assert charge.ChargePeriodStart == datetime(2026, 12, 31, tzinfo=UTC)
    assert charge.ChargePeriodEnd == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("reference", [f"delivery:{ORDER}/0/13", f"refund:{ORDER}/0/13#2"])
def test_charge_resource_is_what_a_trace_takes(reference: str) -> None:
    assert charge_of(make_row(reference=reference)).ResourceId == f"{ORDER}/0/13"


def test_charge_without_a_known_order_leaves_its_columns_empty() -> None:
    charge = charge_of(make_row())

    assert (charge.ProviderName, charge.ServiceName, charge.SkuPriceId, charge.Tags) == (None, None, None, {})
    assert len(charge.row) == len(SPEND_COLUMNS)
