"""Budgets and ledger lines as JSON, and as rows of a file."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.ledger.book import ROUTES, Account, Movement
from service.ledger.repository import Budget, LedgerLine
from service.ledger.terms import Enforcement, Period
from service.web.money import MoneyIn, MoneyOut
from service.web.paging import Link
from service.web.tabular import Columns, Row

Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class TermsIn(BaseModel):
    """What a budget allows beside its limit; what is null or not given is as of a new budget."""

    model_config = ConfigDict(extra="forbid")

    period: Period | None = Field(None, description="how often the limit is granted anew; none: never")
    starts_on: date | None = Field(None, description="first day (UTC) on which it pays")
    ends_on: date | None = Field(None, description="last day (UTC) on which it pays")
    enforcement: Enforcement | None = Field(
        None,
        description="an order beyond the limit is refused (block, the default), told (warn) or let be (off)",
    )
    thresholds: list[Annotated[int, Field(ge=1, le=200)]] | None = Field(
        None, max_length=10, description="percent of the limit; an order that reaches one is told so"
    )
    tags: dict[Tag, Tag | None] | None = Field(None, max_length=50)
    approval_above: MoneyIn | None = Field(None, description="dearer orders wait for a second key")


class BudgetIn(TermsIn):
    """A new budget: a name of one's own, how much may be spent, and on which terms."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$", examples=["Harvest 2026"])
    limit: MoneyIn


class BudgetChange(TermsIn):
    """A JSON merge patch (RFC 7396) of a budget: what is given changes, null takes away."""

    limit: MoneyIn | None = Field(None, description="never below what is held and spent")


class TermsOut(BaseModel):
    """The terms of a budget in force."""

    period: Period
    starts_on: date | None
    ends_on: date | None
    enforcement: Enforcement
    thresholds: list[int]
    tags: dict[str, str]
    approval_above: MoneyOut | None


class BudgetOut(TermsOut):
    """A budget."""

    id: UUID
    name: str
    version: int = Field(description="of its terms; the ETag")
    limit: MoneyOut
    available: MoneyOut
    created_at: datetime
    links: list[Link]

    @classmethod
    def of(cls, budget: Budget) -> "BudgetOut":
        """Write a budget for JSON."""
        path = f"/v1/budgets/{budget.id}"
        terms, above = budget.terms, budget.terms.approval_above
        return cls(
            id=budget.id,
            name=budget.name,
            version=budget.version,
            limit=MoneyOut.of(budget.limit),
            available=MoneyOut.of(budget.available),
            period=terms.period,
            starts_on=terms.starts_on,
            ends_on=terms.ends_on,
            enforcement=terms.enforcement,
            thresholds=list(terms.thresholds),
            tags=dict(terms.tags),
            approval_above=None if above is None else MoneyOut.of(above),
            created_at=budget.created_at,
            links=[
                Link(rel="self", href=path),
                Link(rel="usage", href=f"{path}/usage"),
                Link(rel="ledger", href=f"/v1/ledger?budget={budget.id}"),
            ],
        )


class ThresholdOut(BaseModel):
    """A share of the limit that somebody wants to hear of."""

    percent: int
    reached: bool


class UsageOut(BaseModel):
    """Where a budget's money is in this period: limit + beyond = held + spent + available."""

    limit: MoneyOut
    beyond: MoneyOut = Field(description="let through beyond the limit, by the enforcement warn or off")
    held: MoneyOut
    spent: MoneyOut
    available: MoneyOut
    percent: float = Field(description="share of the limit that is held or spent")
    thresholds: list[ThresholdOut]
    period_starts_on: date = Field(description="spending counts from here; a period begins at its first use")

    @classmethod
    def of(cls, budget: Budget) -> "UsageOut":
        """Write a budget's balances for JSON."""
        return cls(
            limit=MoneyOut.of(budget.limit),
            beyond=MoneyOut.of(budget.beyond),
            held=MoneyOut.of(budget.held),
            spent=MoneyOut.of(budget.spent),
            available=MoneyOut.of(budget.available),
            percent=budget.used_percent,
            thresholds=[
                ThresholdOut(percent=percent, reached=budget.reaches(percent))
                for percent in budget.terms.thresholds
            ],
            period_starts_on=budget.period_starts_on,
        )


class LedgerLineOut(BaseModel):
    """One movement of money. `hash` covers every field but the names, and every movement before it."""

    seq: int
    at: datetime
    kind: Movement
    from_account: Account
    to_account: Account
    from_account_id: int
    to_account_id: int
    amount: MoneyOut
    workspace_id: UUID
    budget_id: UUID
    budget: str
    hold_id: UUID | None
    reference: str
    id: UUID
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, line: LedgerLine) -> "LedgerLineOut":
        """Write a transfer for JSON."""
        transfer = line.transfer
        source, target = ROUTES[transfer.kind]
        return cls(
            seq=transfer.seq,
            at=transfer.at,
            kind=transfer.kind,
            from_account=source,
            to_account=target,
            from_account_id=transfer.from_account,
            to_account_id=transfer.to_account,
            workspace_id=transfer.workspace_id,
            amount=MoneyOut.of(transfer.amount),
            budget_id=transfer.budget_id,
            budget=line.budget,
            hold_id=transfer.hold_id,
            reference=transfer.reference,
            id=transfer.id,
            previous_hash=transfer.previous_hash.hex(),
            hash=transfer.hash.hex(),
        )


COLUMNS: Columns = {
    "seq": "integer", "at": "time", "kind": "text", "from": "text", "to": "text", "amount": "money",
    "currency": "text", "budget_id": "text", "budget": "text", "hold_id": "text", "reference": "text",
    "id": "text", "previous_hash": "text", "hash": "text",
}  # fmt: skip


def row_of(line: LedgerLine) -> Row:
    """Write a transfer as a row of COLUMNS."""
    transfer = line.transfer
    source, target = ROUTES[transfer.kind]
    money = transfer.amount
    return (
        transfer.seq, transfer.at, transfer.kind.value, source.value, target.value, Decimal(money.amount),
        money.currency, transfer.budget_id, line.budget, transfer.hold_id, transfer.reference, transfer.id,
        transfer.previous_hash.hex(), transfer.hash.hex(),
    )  # fmt: skip
