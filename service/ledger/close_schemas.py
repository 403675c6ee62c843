"""Closed months as JSON, and as rows of a file."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.ledger.closes import Balances, ClosedMonth, MonthOfBudget
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.tabular import Columns, Row
from service.web.values import invalid

MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")


def read_month(month: str) -> str:
    """Return a month of the calendar."""
    if not MONTH.fullmatch(month):
        raise invalid("month-invalid", 'A month is a text like "2026-10" (year-month).')
    return month


class CloseIn(BaseModel):
    """A month to close."""

    model_config = ConfigDict(extra="forbid")

    month: Annotated[str, AfterValidator(read_month)] = Field(
        description="Month (UTC).", examples=["2026-10"], json_schema_extra={"pattern": f"^{MONTH.pattern}$"}
    )

    @property
    def first_day(self) -> date:
        """First day of the month."""
        return date.fromisoformat(f"{self.month}-01")


class BalancesOut(BaseModel):
    """Balances of a budget at one moment: granted = available + held + spent."""

    granted: MoneyOut = Field(description="Everything that was ever granted and not taken back.")
    available: MoneyOut = Field(description="Money that orders could hold.")
    held: MoneyOut = Field(description="Money held for orders.")
    spent: MoneyOut = Field(description="Everything that was ever paid, minus refunds.")

    @classmethod
    def of(cls, balances: Balances) -> "BalancesOut":
        """Write balances for JSON."""
        return cls(**{name: MoneyOut.of(getattr(balances, name)) for name in cls.model_fields})


class MonthOfBudgetOut(BaseModel):
    """A budget's balances when the month began and when it ended."""

    budget: UUID = Field(description="Id of the budget.")
    name: str = Field(description="Name of the budget.")
    opening: BalancesOut = Field(description="Balances before the first entry of the month.")
    closing: BalancesOut = Field(description="Balances after the last entry of the month.")


class CloseOut(BaseModel):
    """A month in which no entry is made any more."""

    month: str = Field(description="Month (UTC), such as `2026-10`.")
    closed_at: datetime = Field(description="Time of the close.")
    by: str = Field(description="Id of the key that closed it.")
    seq: int = Field(description="Newest entry of the ledger when the month was closed.")
    budgets: list[MonthOfBudgetOut] = Field(
        description="Balances of the budgets that had an entry before the end of the month."
    )
    links: list[Link] = Field(description="The closed months and the ledger.")

    @classmethod
    def of(cls, closed: ClosedMonth) -> "CloseOut":
        """Write a closed month for JSON."""
        return cls(
            month=f"{closed.month:%Y-%m}",
            closed_at=closed.at,
            by=closed.key_id,
            seq=closed.seq,
            budgets=[
                MonthOfBudgetOut(
                    budget=one.budget_id,
                    name=one.budget,
                    opening=BalancesOut.of(one.opening),
                    closing=BalancesOut.of(one.closing),
                )
                for one in closed.budgets
            ],
            links=[
                Link(rel="collection", href="/v1/ledger/closes"),
                Link(rel="ledger", href="/v1/ledger"),
            ],
        )


_AMOUNTS = tuple(BalancesOut.model_fields)
CLOSE_COLUMNS: Columns = {
    "month": "text", "closed_at": "time", "by": "text", "seq": "integer", "budget_id": "text",
    "budget": "text", "currency": "text",
    **{f"{moment}_{name}": "money" for moment in ("opening", "closing") for name in _AMOUNTS},
}  # fmt: skip


def close_rows(closed: ClosedMonth) -> Iterator[Row]:
    """Yield a row of CLOSE_COLUMNS for each budget of a closed month."""
    for one in closed.budgets:
        yield (
            f"{closed.month:%Y-%m}", closed.at, closed.key_id, closed.seq, one.budget_id, one.budget,
            one.opening.available.currency, *_amounts(one),
        )  # fmt: skip


def _amounts(one: MonthOfBudget) -> Iterator[Decimal]:
    for balances in (one.opening, one.closing):
        yield from (Decimal(getattr(balances, name).amount) for name in _AMOUNTS)
