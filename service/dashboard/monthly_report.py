"""The report of a month, for the screen and for one or two pages of A4. Every figure leads to its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.dashboard.frame import show
from service.dashboard.month import Month
from service.dashboard.order_groups import GROUPS
from service.dashboard.order_rows import time_now
from service.dashboard.savings_view import GroupRow, groups_of
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.invoices.tables import Invoice, InvoiceLine
from service.ledger.months import MonthMoney, money_of_month, standing_of_month, totals
from service.money import Money
from service.reports.kept import KeptFiguresDep
from service.reports.savings import CountedOrder
from service.reports.schemas import CurrencySavings, OrderSavings, ReportedSaving, SavingsReport
from service.web.money import MoneyOut

router = APIRouter(prefix=f"{PATH}/reports", include_in_schema=False)
ORDERS = 25
"""Most orders in the report; a link leads to all of them."""
BUDGETS = 12
"""Most budgets in the report, those with the most spent and held first."""
GROUP_ROWS = 8
"""Most rows of a grouping in the report."""
MONTHS = 36
"""Most months in the list of reports."""


@dataclass(frozen=True, kw_only=True)
class BudgetMonth:
    """A budget in the report."""

    id: UUID
    name: str
    granted: MoneyOut
    spent: MoneyOut
    held: MoneyOut
    available: MoneyOut

    @classmethod
    def of(cls, one: MonthMoney) -> "BudgetMonth":
        """Write a budget's month."""
        amounts = {name: MoneyOut.of(getattr(one, name)) for name in MONEY}
        return cls(id=one.budget_id, name=one.budget, **amounts)


MONEY = ("granted", "spent", "held", "available")
"""Amounts of a budget's month."""
MOVED = ("spent", "held")
"""Amounts that show that a currency is used."""


@dataclass(frozen=True, kw_only=True)
class MonthGroups:
    """The orders of a month by provider, cost centre or one tag."""

    title: str
    rows: list[GroupRow]
    more: int
    """Rows that the report leaves out."""


@dataclass(frozen=True, kw_only=True)
class MonthOrders:
    """The orders that were placed in a month, as the report shows them."""

    savings: Mapping[str, CurrencySavings]
    """Sums by currency."""
    groupings: Mapping[str, list[MonthGroups]]
    """Groups by currency."""
    newest: list[OrderSavings]
    number: int
    unconfirmed: int
    """Number of orders with payments that invoices do not confirm."""

    @classmethod
    def of(cls, counted: Sequence[CountedOrder], month: Month) -> "MonthOrders":
        """Choose the orders of a month. All orders are counted before, so no ground counts in two months."""
        placed = [one for one in counted if Month.of(one.order.created_at.date()) == month]
        savings = {one.currency: one for one in SavingsReport.of(placed).currencies}
        return cls(
            savings=savings,
            groupings={currency: groupings_of(currency, placed) for currency in savings},
            newest=[OrderSavings.of(one) for one in reversed(placed[-ORDERS:])],
            number=len(placed),
            unconfirmed=sum(bool(one.order.net) and not one.order.confirmed for one in placed),
        )


@dataclass(frozen=True, kw_only=True)
class CurrencyMonth:
    """A currency in the report."""

    currency: str
    money: dict[str, MoneyOut]
    savings: CurrencySavings | None
    """Savings of the month's orders; None without an order in this currency."""
    groupings: list[MonthGroups]
    invoiced: MoneyOut
    """Net sum of the invoices that were issued in the month, minus credit notes."""
    documents: int
    is_active: bool
    """Whether anything was ordered, spent, held or invoiced in it."""


@router.get("", name="reports_page")
def list_reports(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """List the months that have a report, newest first."""
    with database.sessions() as session:
        today = time_now(session).date()
        first = standing_of_month(session, visitor.workspace_id, today).first
    months = [] if first is None else Month.of(today).since(Month.of(first))
    return show(request, visitor, "reports.html", months=months[:MONTHS], current=Month.of(today))


@router.get("/{month}", name="report_page")
def show_report(
    request: Request, visitor: VisitorDep, database: DatabaseDep, kept: KeptFiguresDep, month: str
) -> Response:
    """Show the report of a month, such as 2026-10; the present month until now."""
    workspace_id = visitor.workspace_id
    with database.sessions() as session:
        today = time_now(session).date()
        wanted = Month.read(month, today)
        standing = standing_of_month(session, workspace_id, wanted.first)
        documents = documents_of(session, workspace_id, wanted)
    counted = kept.counted(database, workspace_id)
    placed = counted.derived(wanted, lambda orders: MonthOrders.of(orders, wanted))
    budgets = counted.derived((wanted, "money"), lambda _: read_money(database, workspace_id, wanted), len)
    return show(
        request,
        visitor,
        "report.html",
        month=wanted,
        is_present=wanted == Month.of(today),
        today=today,
        earlier=wanted.before() if standing.first and standing.first < wanted.first else None,
        closed_at=standing.closed_at,
        currencies=currencies_of(placed, budgets, documents),
        budgets=[BudgetMonth.of(one) for one in most_used(budgets)[:BUDGETS]],
        budget_number=len(budgets),
        orders=placed.newest,
        number=placed.number,
        unconfirmed=placed.unconfirmed,
        has_losses=any(is_loss(one.savings.realised) for one in placed.newest),
        dates=f"from={wanted.first}&to={wanted.last}",
    )


def read_money(database: Database, workspace_id: UUID, month: Month) -> list[MonthMoney]:
    """Return the money of each budget in a month. It changes only with the ledger."""
    with database.sessions() as session:
        return money_of_month(session, workspace_id, month.days)


def is_loss(saving: ReportedSaving | None) -> bool:
    """Return whether a saving is negative."""
    return saving is not None and Decimal(saving.amount) < 0


def most_used(budgets: Sequence[MonthMoney]) -> list[MonthMoney]:
    """Return the budgets with the most spent in the month and held at its end first."""
    return sorted(budgets, key=lambda one: -(one.spent.minor + one.held.minor))


def currencies_of(
    placed: MonthOrders,
    budgets: Sequence[MonthMoney],
    documents: dict[str, tuple[Money, int]],
) -> list[CurrencyMonth]:
    """Return each currency of the month, the one in which most was spent first."""
    money = totals(budgets)
    found = [
        CurrencyMonth(
            currency=currency,
            money={name: MoneyOut.of(amount) for name, amount in money[currency].items()},
            savings=placed.savings.get(currency),
            groupings=placed.groupings.get(currency, []),
            invoiced=MoneyOut.of(invoiced),
            documents=number,
            is_active=currency in placed.savings
            or bool(number)
            or any(money[currency][one] for one in MOVED),
        )
        for currency in money
        for invoiced, number in (documents.get(currency, (Money(0, currency), 0)),)
    ]
    return sorted(found, key=lambda one: -money[one.currency]["spent"].minor)


def groupings_of(currency: str, placed: Sequence[CountedOrder]) -> list[MonthGroups]:
    """Return the orders of a currency by provider, by cost centre if any has one, and by each tag."""
    mine = [one for one in placed if one.order.currency == currency]
    titles = {"provider": GROUPS["provider"]}
    if any(one.order.cost_center for one in mine):
        titles["cost-centre"] = GROUPS["cost-centre"]
    titles |= {
        f"tag:{name}": f"Tag: {name}" for name in sorted({tag for one in mine for tag in one.order.tags})
    }
    found = [(title, groups_of(currency, mine, by)) for by, title in titles.items() if mine]
    return [
        MonthGroups(title=title, rows=rows[:GROUP_ROWS], more=max(0, len(rows) - GROUP_ROWS))
        for title, rows in found
    ]


def documents_of(session: Session, workspace_id: UUID, month: Month) -> dict[str, tuple[Money, int]]:
    """Return the net sum and the number of the documents that were issued in a month, by currency."""
    signed = func.sum(InvoiceLine.amount_minor).filter(Invoice.kind == "invoice")
    credited = func.sum(InvoiceLine.amount_minor).filter(Invoice.kind == "credit-note")
    query = (
        select(
            Invoice.currency,
            func.coalesce(signed, 0) - func.coalesce(credited, 0),
            func.count(Invoice.id.distinct()),
        )
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(
            Invoice.workspace_id == workspace_id,
            Invoice.issued_on.between(month.first, month.last),
        )
        .group_by(Invoice.currency)
    )
    return {
        currency: (Money(int(minor), currency), number) for currency, minor, number in session.execute(query)
    }
