"""Spending added up by group and step, from the ledger's own movements."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from service.ledger.book import Movement
from service.money import Money
from service.reports.filters import EVERYTHING, ReportFilter
from service.reports.group_schemas import ReportGroup, in_order
from service.reports.grouping import Grouping, GroupName
from service.reports.spend import of_charges
from service.web.money import MoneyOut
from service.web.tabular import Columns, Row

SPEND_GROUP_COLUMNS: Columns = {
    "first_day": "text", "last_day": "text", "group": "text", "currency": "text", "charges": "integer",
    "purchased": "money", "credited": "money", "adjusted": "money", "net": "money",
}  # fmt: skip
_LABELS: Mapping[GroupName, str] = {
    "budget": "b.name",
    "provider": "l.provider",
    "price_list": "l.name",
    "cost_center": "o.cost_center",
    "key": "(SELECT k.name FROM public.api_key k WHERE k.id = o.key_id)",
    "tag": "(n.tags || coalesce(o.tags, '{}')) ->> :tag_name",
}
"""The label of a charge in SQL, by the group that it belongs to."""


class SpendTotal(BaseModel):
    """Sums of charges in one currency."""

    charges: int = Field(description="Number of charges.")
    purchased: MoneyOut = Field(description="Payments for delivered patches.")
    credited: MoneyOut = Field(description="Refunds, as a positive amount.")
    adjusted: MoneyOut = Field(description="Later charges.")
    net: MoneyOut = Field(description="Purchased, minus credited, plus adjusted.")


class CurrencySpend(SpendTotal):
    """All charges of one currency."""

    currency: str = Field(description="ISO 4217 code.")


class SpendGroup(SpendTotal, ReportGroup):
    """The charges of one group, by their day."""

    @property
    def row(self) -> Row:
        """The group as a row of SPEND_GROUP_COLUMNS."""
        days = (day and day.isoformat() for day in (self.first_day, self.last_day))
        amounts = (self.purchased, self.credited, self.adjusted, self.net)
        figures = (Decimal(one.amount) for one in amounts)
        return (*days, self.group, self.currency, self.charges, *figures)


class SpendReport(BaseModel):
    """Spending per currency, and divided into groups that add up to it. Money is never converted."""

    currencies: list[CurrencySpend] = Field(description="Sums per currency, in alphabetical order.")
    groups: list[SpendGroup] = Field(description="The same sums by group and step, oldest first.")


class _Sums:
    """Amounts of one group by the kind of movement, in minor units."""

    def __init__(self, currency: str) -> None:
        self.currency, self.charges = currency, 0
        self.purchased = self.credited = self.adjusted = 0

    def add(self, kind: str, minor: int, charges: int) -> None:
        self.charges += charges
        match kind:
            case Movement.SETTLE:
                self.purchased += minor
            case Movement.REFUND:
                self.credited += minor
            case _:
                self.adjusted += minor

    def written(self) -> dict[str, Any]:
        amounts = {name: getattr(self, name) for name in ("purchased", "credited", "adjusted")}
        amounts["net"] = self.purchased - self.credited + self.adjusted
        money = {name: MoneyOut.of(Money(minor, self.currency)) for name, minor in amounts.items()}
        return {"currency": self.currency, "charges": self.charges, **money}


def spend_report(
    session: Session, workspace_id: UUID, grouping: Grouping, chosen: ReportFilter = EVERYTHING
) -> SpendReport:
    """Add up the chosen charges of a workspace, all together and by group, in one query."""
    label = "CAST(NULL AS text)" if grouping.name is None else _LABELS[grouping.name]
    query = of_charges(
        f"{label} AS label, CAST(t.at AT TIME ZONE 'UTC' AS date) AS day, t.currency, t.kind, "
        "sum(t.amount) AS minor, count(*) AS charges",
        "GROUP BY 1, 2, 3, 4",
    )
    values = {"workspace": workspace_id, **chosen.values(), "tag": chosen.tag and json.dumps(chosen.tag)}
    if grouping.name == "tag":
        values["tag_name"] = grouping.tag
    groups: dict[tuple[Any, ...], _Sums] = {}
    totals: dict[str, _Sums] = {}
    for row in session.execute(query, values):
        key = (grouping.days_of(row.day), row.label, row.currency)
        for sums in (
            groups.setdefault(key, _Sums(row.currency)),
            totals.setdefault(row.currency, _Sums(row.currency)),
        ):
            sums.add(row.kind, int(row.minor), row.charges)
    found = [
        SpendGroup(first_day=days[0], last_day=days[1], group=label, **sums.written())
        for (days, label, _), sums in groups.items()
    ]
    return SpendReport(
        currencies=[CurrencySpend(**totals[currency].written()) for currency in sorted(totals)],
        groups=sorted(found, key=in_order),
    )
