"""Savings of a period for the first page: per currency, against the period before, and by group.

All orders are counted together, then those of a period are added up: no ground counts twice over two periods,
and the periods add up to all time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.dashboard.filter_fields import ANY
from service.dashboard.order_groups import GROUPS, TAG, group_of, query_of, shown_group, title_of
from service.dashboard.periods import DayRange, PeriodName, period_before
from service.dashboard.standing import IS_UNORDERED
from service.money import Money
from service.plans.tables import Plan
from service.reports.savings import CountedOrder
from service.reports.schemas import CurrencySavings, OrderSavings, SavingsReport
from service.web.days import EVERY_DAY, Days, read_days
from service.web.money import MoneyOut
from service.web.values import Day, SearchText


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Period and grouping in the address of the page."""

    name: PeriodName = PeriodName.MONTH
    first: date | None = None
    last: date | None = None
    by: str = "budget"

    @property
    def ignores_days(self) -> bool:
        """Whether days are given beside a period that has days of its own."""
        return self.name is not PeriodName.CUSTOM and bool(self.first or self.last)


def read_chosen(
    period: Annotated[PeriodName | None, ANY, Query()] = None,
    first: Annotated[Day | None, ANY, Query(alias="from")] = None,
    last: Annotated[Day | None, ANY, Query(alias="to")] = None,
    by: Annotated[SearchText, Query(max_length=120)] = "budget",
) -> Chosen:
    """Read what the address of the page asks for. Days without the name of a period are its own dates.

    InvalidInputError for days in the wrong order, and for an unknown grouping.
    """
    title_of(by)
    days = read_days(first, last)
    own = PeriodName.MONTH if days == EVERY_DAY else PeriodName.CUSTOM
    return Chosen(name=period or own, first=first, last=last, by=by)


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """The orders of one group in one currency."""

    name: str
    orders: int
    realised: MoneyOut | None
    """None while none of its orders has a realised saving."""
    ordered: MoneyOut
    paid: MoneyOut
    query: Mapping[str, str]
    """Filters of the list of orders that lead to the rows of the group."""


@dataclass(frozen=True, kw_only=True)
class CurrencyView:
    """One currency in the period."""

    report: CurrencySavings
    change: MoneyOut | None
    """Realised saving minus that of the period before; None without such a period."""
    groups: list[GroupRow]


@dataclass(frozen=True, kw_only=True)
class SavingsView:
    """The savings of a period."""

    period: DayRange
    before: DayRange | None
    currencies: list[CurrencyView]
    """The largest realised saving first."""
    orders: list[OrderSavings]
    """The newest orders of the period, newest first."""
    has_orders: bool
    """Whether the workspace has any order."""
    group_title: str
    """Title of the groups that are shown."""
    groups: Mapping[str, str]
    """Titles of the groups to choose from, by their names in the address."""


def read_planned(session: Session, workspace_id: UUID, period: DayRange) -> dict[str, Money]:
    """Return the planned saving of the period's plans without an order, by currency.

    Plans that another one supersedes are left out.
    """
    # One scan of an index that holds these columns: a period may hold a million plans.
    query = select(Plan.currency, func.sum(Plan.billable_saving_minor)).where(
        Plan.workspace_id == workspace_id,
        *Days(period.first, period.last).hold(Plan.created_at),
        IS_UNORDERED,
    )
    sums = session.execute(query.group_by(Plan.currency))
    return {currency: Money(int(minor), currency) for currency, minor in sums}


def view_savings(counted: Sequence[CountedOrder], chosen: Chosen, period: DayRange, most: int) -> SavingsView:
    """Return the savings of a period with its `most` newest orders, and the change against the one before."""
    before = period_before(chosen.name, period)
    shown = [one for one in counted if period.holds(one.order.created_at.date())]
    earlier = [] if before is None else [one for one in counted if before.holds(one.order.created_at.date())]
    tags = sorted({name for one in counted for name in one.order.tags})
    currencies = [
        CurrencyView(
            report=report,
            change=None if before is None else _change(report.currency, shown, earlier),
            groups=groups_of(report.currency, shown, chosen.by),
        )
        for report in SavingsReport.of(shown).currencies
    ]
    return SavingsView(
        period=period,
        before=before,
        currencies=sorted(currencies, key=lambda one: -_realised(one.report.currency, shown).minor),
        orders=[OrderSavings.of(one) for one in reversed(shown[-most:])],
        has_orders=bool(counted),
        group_title=title_of(chosen.by),
        groups={
            **GROUPS,
            **{f"{TAG}{name}": title_of(f"{TAG}{name}") for name in tags},
            chosen.by: title_of(chosen.by),
        },
    )


def _realised(currency: str, counted: Sequence[CountedOrder]) -> Money:
    return _total(currency, _known_savings(currency, counted))


def _known_savings(currency: str, counted: Sequence[CountedOrder]) -> list[Money]:
    known = [one.realised_saving for one in counted if one.realised_saving is not None]
    return [one for one in known if one.currency == currency]


def _change(currency: str, shown: Sequence[CountedOrder], earlier: Sequence[CountedOrder]) -> MoneyOut:
    return MoneyOut.of(_realised(currency, shown) - _realised(currency, earlier))


def groups_of(currency: str, counted: Sequence[CountedOrder], by: str) -> list[GroupRow]:
    """Return the groups of one currency, the largest realised saving first."""
    members: dict[str, list[CountedOrder]] = {}
    for one in counted:
        if one.order.currency == currency:
            members.setdefault(group_of(one.order, by), []).append(one)
    rows = [
        GroupRow(
            name=shown_group(orders[0].order, by),
            orders=len(orders),
            realised=MoneyOut.of(_realised(currency, orders)) if _known_savings(currency, orders) else None,
            ordered=MoneyOut.of(_total(currency, (one.ordered_saving for one in orders))),
            paid=MoneyOut.of(_total(currency, (one.order.net for one in orders))),
            query={**query_of(by, label), "currency": currency},
        )
        for label, orders in members.items()
    ]
    return sorted(rows, key=lambda row: (-float(row.realised.amount if row.realised else 0), row.name))


def _total(currency: str, amounts: Iterable[Money]) -> Money:
    return sum(amounts, start=Money(0, currency))
