"""Savings divided into groups and steps, as JSON and as rows of files."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from service.money import Money
from service.reports.grouping import Grouping
from service.reports.savings import CountedOrder, Savings, savings_by_currency
from service.reports.schemas import CountedAmounts, SavingsReport
from service.web.money import MoneyOut
from service.web.tabular import Columns, Row

SAVINGS_GROUP_COLUMNS: Columns = {
    "first_day": "text", "last_day": "text", "group": "text", "currency": "text", "orders": "integer",
    "realised_saving": "money", "example_saving": "money", "ordered_saving": "money", "held_saving": "money",
    "list_saving": "money", "reused_saving": "money", "settled": "money", "baseline": "money",
    "cost": "money", "held_baseline": "money", "held_cost": "money", "realised_baseline": "money",
    "realised_cost": "money",
}  # fmt: skip


class ReportGroup(BaseModel):
    """A group of a report in one currency."""

    first_day: date | None = Field(description="First day (UTC) of the step. Null without `step`.")
    last_day: date | None = Field(description="Last day (UTC) of the step, included. Null without `step`.")
    group: str | None = Field(
        description="Name of the group. Null without `group_by`, and for orders without such a label."
    )
    currency: str = Field(description="ISO 4217 code.")


class SavingsGroup(CountedAmounts, ReportGroup):
    """The savings of the orders of one group, by the day of placing."""

    orders: int = Field(description="Number of orders.")
    realised_saving: MoneyOut | None = Field(description="Realised saving. Null while no order has one.")
    example_saving: MoneyOut | None = Field(description="Realised saving on example price lists.")
    ordered_saving: MoneyOut = Field(description="Ordered saving on the provider's bill.")
    held_saving: MoneyOut = Field(description="Saving of the orders that await approval.")
    list_saving: MoneyOut = Field(description="Ordered saving at list prices.")
    reused_saving: MoneyOut = Field(description="Cost that plans avoided by reusing ground.")
    settled: MoneyOut = Field(description="Amount settled, minus refunds, plus later charges.")

    @classmethod
    def of(
        cls, savings: Savings, group: str | None, days: tuple[date, date] | tuple[None, None]
    ) -> "SavingsGroup":
        """Write the sums of a group for JSON."""
        amounts = {name: _written(getattr(savings, name)) for name in _AMOUNTS}
        return cls(
            first_day=days[0],
            last_day=days[1],
            group=group,
            currency=savings.currency,
            orders=savings.orders,
            **amounts,
            **cls.amounts_of(savings),
        )

    @property
    def row(self) -> Row:
        """The group as a row of SAVINGS_GROUP_COLUMNS."""
        cells = {name: getattr(self, name) for name in SAVINGS_GROUP_COLUMNS}
        return tuple(_cell(value) for value in cells.values())


_AMOUNTS = (
    "realised_saving",
    "example_saving",
    "ordered_saving",
    "held_saving",
    "list_saving",
    "reused_saving",
    "settled",
)


class GroupedSavings(SavingsReport):
    """Savings per currency, and divided into groups that add up to them."""

    groups: list[SavingsGroup] | None = Field(
        None,
        description="The same sums by group and step, oldest first. Null without `group_by` and `step`.",
    )

    @classmethod
    def divided(cls, counted: Sequence[CountedOrder], grouping: Grouping) -> "GroupedSavings":
        """Add up orders, all together and by group. A ground counts for its earliest order in both."""
        report = SavingsReport.of(counted)
        groups = groups_of(counted, grouping) if grouping else None
        return cls(**dict(report), groups=groups)


def groups_of(counted: Iterable[CountedOrder], grouping: Grouping) -> list[SavingsGroup]:
    """Add up the orders of each step, group and currency, in this order; orders without a label come last."""
    members: dict[tuple[Any, ...], list[CountedOrder]] = {}
    for one in counted:
        day = one.order.created_at.astimezone(UTC).date()
        key = (grouping.days_of(day), grouping.group_of(one.order))
        members.setdefault(key, []).append(one)
    found = [
        SavingsGroup.of(savings, group, days)
        for (days, group), orders in members.items()
        for savings in savings_by_currency(orders)
    ]
    return sorted(found, key=in_order)


def in_order(one: ReportGroup) -> tuple[date, bool, str, str]:
    """Return the place of a group in its report."""
    return (one.first_day or date.min, one.group is None, one.group or "", one.currency)


def _written(amount: Money | None) -> MoneyOut | None:
    return None if amount is None else MoneyOut.of(amount)


def _cell(value: object) -> object:
    if isinstance(value, MoneyOut):
        return Decimal(value.amount)
    return value.isoformat() if isinstance(value, date) else value
