"""Savings are sums over orders, per currency, and a cancelled order saves nothing."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.reports.exports import COLUMNS, row_of
from service.reports.savings import OrderFigures, Savings, savings_by_currency
from service.reports.schemas import currency_savings
from service.web.tabular import to_csv


def make_figures(**overrides: Any) -> OrderFigures:
    """An order of 4 patches that costs 40 instead of 100 and has settled nothing."""
    values: dict[str, Any] = {
        "order_id": UUID(int=1), "plan_id": UUID(int=2), "created_at": datetime(2026, 11, 22, tzinfo=UTC),
        "status": "accepted", "currency": "USD", "patches_bought": 4, "baseline_minor": 100_00,
        "cost_minor": 40_00, "list_saving_minor": 75_00, "billable_saving_minor": 60_00, "settled_minor": 0,
    }  # fmt: skip
    return OrderFigures(**(values | overrides))


def test_an_order_that_is_complete_has_realised_its_saving() -> None:
    (total,) = savings_by_currency([make_figures(), make_figures(status="completed", settled_minor=40_00)])

    assert total == Savings(
        currency="USD", orders=2, completed=1, cancelled=0, baseline_minor=200_00, cost_minor=80_00,
        list_minor=150_00, billable_minor=120_00, realised_minor=60_00, completed_baseline_minor=100_00,
        settled_minor=40_00, settled_on_cancelled_minor=0,
    )  # fmt: skip


def test_a_cancelled_order_saves_nothing_and_what_it_settled_stays_spent() -> None:
    (total,) = savings_by_currency([make_figures(status="user_cancelled", settled_minor=10_00)])

    assert total == Savings(
        currency="USD", orders=1, completed=0, cancelled=1, baseline_minor=0, cost_minor=0, list_minor=0,
        billable_minor=0, realised_minor=0, completed_baseline_minor=0, settled_minor=10_00,
        settled_on_cancelled_minor=10_00,
    )  # fmt: skip


def test_currencies_are_never_added_up() -> None:
    totals = savings_by_currency([make_figures(), make_figures(currency="EUR"), make_figures()])

    assert [(total.currency, total.orders) for total in totals] == [("EUR", 1), ("USD", 2)]


def test_every_saving_names_its_baseline() -> None:
    (total,) = savings_by_currency([make_figures(status="completed", settled_minor=40_00)])
    savings = currency_savings(total).savings

    assert savings.realised is not None
    baselines = [savings.list.baseline, savings.billable.baseline, savings.realised.baseline]
    assert len(set(baselines)) == 3
    assert all("every patch" in baseline for baseline in baselines)


def test_a_saving_is_not_realised_before_an_order_is_complete() -> None:
    (total,) = savings_by_currency([make_figures(status="processing", settled_minor=10_00)])

    assert currency_savings(total).savings.realised is None


def test_writes_one_csv_row_per_order_and_leaves_the_unknown_empty() -> None:
    lines = to_csv(COLUMNS, map(row_of, [make_figures()])).splitlines()

    assert lines == [
        ",".join(COLUMNS),
        "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,"
        "2026-11-22T00:00:00+00:00,accepted,4,USD,100.00,40.00,75.00,60.00,0.00,",
    ]
