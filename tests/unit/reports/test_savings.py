"""Savings as sums over orders, per currency; a cancelled order saves nothing."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.money import Money
from service.reports.savings import OrderFigures, Savings, savings_by_currency
from service.reports.schemas import SAVINGS_COLUMNS, CurrencySavings, savings_row
from service.web.tabular import to_csv


def make_figures(currency: str = "USD", settled: int = 0, **overrides: Any) -> OrderFigures:
    """Make an order of 4 patches that costs 40 instead of 100 and has settled nothing."""
    minor = {"baseline": 100_00, "cost": 40_00, "list_saving": 75_00, "billable_saving": 60_00}
    minor |= {"settled": settled, "refunded": 0, "charged": 0}
    values: dict[str, Any] = {
        "order_id": UUID(int=1), "plan_id": UUID(int=2), "created_at": datetime(2026, 11, 22, tzinfo=UTC),
        "status": "accepted", "patches_bought": 4,
    }  # fmt: skip
    values |= {name: Money(amount, currency) for name, amount in minor.items()}
    return OrderFigures(**(values | overrides))


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def test_savings_realise_those_of_completed_orders() -> None:
    (total,) = savings_by_currency([make_figures(), make_figures(status="completed", settled=40_00)])

    assert total == Savings(
        orders=2, completed=1, cancelled=0, baseline=usd(200_00), cost=usd(80_00), list_saving=usd(150_00),
        billable_saving=usd(120_00), realised_saving=usd(60_00), settled=usd(40_00),
        settled_on_cancelled=usd(0),
    )  # fmt: skip


def test_savings_of_cancelled_orders_are_nothing_and_what_they_settled_stays_spent() -> None:
    (total,) = savings_by_currency([make_figures(status="user_cancelled", settled=10_00)])

    assert total == Savings(
        orders=1, completed=0, cancelled=1, baseline=usd(0), cost=usd(0), list_saving=usd(0),
        billable_saving=usd(0), realised_saving=None, settled=usd(10_00), settled_on_cancelled=usd(10_00),
    )  # fmt: skip


def test_savings_never_add_two_currencies() -> None:
    totals = savings_by_currency([make_figures(), make_figures(currency="EUR"), make_figures()])

    assert [(total.cost.currency, total.orders) for total in totals] == [("EUR", 1), ("USD", 2)]


def test_savings_name_three_baselines() -> None:
    (total,) = savings_by_currency([make_figures(status="completed", settled=40_00)])
    savings = CurrencySavings.of(total).savings

    assert savings.realised is not None
    baselines = [savings.list.baseline, savings.billable.baseline, savings.realised.baseline]
    assert len(set(baselines)) == 3
    assert all("every patch" in baseline for baseline in baselines)


def test_savings_are_not_realised_before_an_order_is_complete() -> None:
    (total,) = savings_by_currency([make_figures(status="processing", settled=10_00)])

    assert CurrencySavings.of(total).savings.realised is None


def test_savings_row_leaves_the_unknown_empty_in_csv() -> None:
    lines = to_csv(SAVINGS_COLUMNS, map(savings_row, [make_figures()])).splitlines()

    assert lines == [
        ",".join(SAVINGS_COLUMNS),
        "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,"
        "2026-11-22T00:00:00+00:00,accepted,4,USD,100.00,40.00,75.00,60.00,0.00,",
    ]
