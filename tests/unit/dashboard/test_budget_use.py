"""Days left, pace and urgency of budgets."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from service.dashboard.budget_use import use_of
from service.ledger.repository import Budget
from service.ledger.terms import BudgetTerms, Enforcement, Period
from service.money import Money

TODAY = date(2026, 11, 10)


def budget(spent: int, held: int = 0, starts: date = date(2026, 11, 1), **terms: Any) -> Budget:
    """Make a budget of 100.00 USD; amounts are in cents."""
    chosen: dict[str, Any] = {
        "period": Period.NONE, "starts_on": None, "ends_on": None, "enforcement": Enforcement.BLOCK,
        "thresholds": (), "tags": {}, "approval_above": None,
    }  # fmt: skip
    return Budget(
        id=uuid4(),
        workspace_id=uuid4(),
        name="Harvest",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        version=1,
        terms=BudgetTerms(**chosen | terms),
        limit=Money(10_000, "USD"),
        period_starts_on=starts,
        available=Money(10_000 - spent - held, "USD"),
        held=Money(held, "USD"),
        spent=Money(spent, "USD"),
    )


@pytest.mark.parametrize(
    ("period", "starts", "end"),
    [
        (Period.MONTH, date(2026, 11, 1), date(2026, 11, 30)),
        (Period.QUARTER, date(2026, 11, 5), date(2026, 12, 31)),
        (Period.YEAR, date(2026, 3, 5), date(2026, 12, 31)),
        (Period.NONE, date(2026, 11, 1), None),
    ],
)
def test_period_ends_with_its_month_quarter_or_year(period: Period, starts: date, end: date | None) -> None:
    assert use_of(budget(0, starts=starts, period=period), TODAY).ends_on == end


def test_the_earlier_end_counts_and_today_is_left() -> None:
    use = use_of(budget(0, period=Period.MONTH, ends_on=TODAY), TODAY)
    assert (use.ends_on, use.days_left) == (TODAY, 1)
    assert use_of(budget(0, ends_on=date(2026, 11, 9)), TODAY).days_left == 0


def test_pace_counts_what_is_held_and_spent_since_the_period_began() -> None:
    assert use_of(budget(2_000, 3_000), TODAY).used_up_on == date(2026, 11, 20)  # half in ten days
    assert use_of(budget(2_000, 3_000, ends_on=date(2026, 11, 19)), TODAY).used_up_on is None
    assert use_of(budget(10_000), TODAY).used_up_on == TODAY
    assert use_of(budget(0), TODAY).used_up_on is None
    assert use_of(budget(1), TODAY).used_up_on is None  # not within ten years


def test_budgets_that_run_out_come_first_then_those_beyond_a_threshold() -> None:
    last_day = date(2026, 11, 12)
    calm = use_of(budget(4_000, ends_on=last_day), TODAY)
    warned = use_of(budget(3_000, ends_on=last_day, thresholds=(20, 90)), TODAY)
    short = use_of(budget(1_000), TODAY)
    assert warned.reached == (20,)
    assert sorted([calm, warned, short], key=lambda use: use.urgency) == [short, warned, calm]
