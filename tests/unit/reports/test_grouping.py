"""Groups and steps of reports: whatever the orders are, the groups add up to the report."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidInputError
from service.money import Money
from service.reports.figures import OrderFigures
from service.reports.group_schemas import SavingsGroup, groups_of
from service.reports.grouping import WHOLE, read_grouping
from service.reports.savings import count_orders, savings_by_currency
from service.reports.schemas import CountedAmounts
from tests.support.figures import STATUSES, make_ground, make_order

AMOUNTS = (
    "realised_saving", "example_saving", "ordered_saving", "held_saving", "list_saving", "reused_saving",
    "settled", *CountedAmounts.model_fields,
)  # fmt: skip
GROUPINGS = [
    read_grouping(group_by, step)
    for group_by in (None, "budget", "provider", "price_list", "cost_center", "key", "tag:team")
    for step in (None, "day", "week", "month")
]


@st.composite
def labelled_orders(draw: st.DrawFn) -> list[OrderFigures]:
    """Draw orders of two currencies and some months, with and without labels."""
    some = st.sampled_from([None, "a", "b"])
    return [
        make_order(
            number, draw(st.sampled_from(STATUSES)), currency=draw(st.sampled_from(["USD", "JPY"])),
            settled=draw(st.integers(0, 200_00)), cost=draw(st.integers(0, 100_00)),
            ground=make_ground(draw(st.integers(0, 2))), price_list=draw(st.sampled_from("ab")),
            created_at=datetime(2026, 1, 30, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 2_000))),
            tags={"team": team} if (team := draw(some)) else {}, cost_center=draw(some), key=draw(some),
            provider=draw(st.sampled_from("ab")), budget=draw(st.sampled_from("ab")),
            example=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 8)))
    ]  # fmt: skip


def added_up(groups: list[SavingsGroup], currency: str, name: str) -> Money | None:
    known = [getattr(one, name) for one in groups if one.currency == currency]
    amounts = [Money.parse(one.amount, currency) for one in known if one is not None]
    return sum(amounts, start=Money(0, currency)) if amounts else None


@settings(deadline=None)
@given(orders=labelled_orders())
def test_groups_add_up_to_the_report(orders: list[OrderFigures]) -> None:
    counted = count_orders(orders)
    for grouping in GROUPINGS:
        groups = groups_of(counted, grouping)
        places = [(one.first_day, one.group, one.currency) for one in groups]
        assert len(set(places)) == len(places)
        assert {one.currency for one in groups} == {one.order.currency for one in counted}
        for total in savings_by_currency(counted):
            own = [one for one in groups if one.currency == total.currency]
            assert sum(one.orders for one in own) == total.orders
            for name in AMOUNTS:
                assert added_up(own, total.currency, name) == getattr(total, name)


@given(day=st.dates(date(1, 1, 8), date(9999, 11, 30)))
def test_steps_hold_their_day_and_follow_without_a_gap(day: date) -> None:
    for step, shortest, longest in (("day", 1, 1), ("week", 7, 7), ("month", 28, 31)):
        grouping: Any = read_grouping(None, step)  # type: ignore[arg-type]
        first, last = grouping.days_of(day)
        assert first <= day <= last
        assert shortest <= (last - first).days + 1 <= longest
        assert grouping.days_of(first) == grouping.days_of(last) == (first, last)
        assert grouping.days_of(last + timedelta(days=1))[0] == last + timedelta(days=1)
    assert WHOLE.days_of(day) == (None, None)


@pytest.mark.parametrize("group_by", ["", "tag", "tag:", "tag:a=b", "user", "Budget", "id"])
def test_unknown_group_is_refused(group_by: str) -> None:
    with pytest.raises(InvalidInputError, match="There are no groups by"):
        read_grouping(group_by, None)
