"""Ledger lines as JSON, and as rows of a file."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field

from service.ledger.book import ROUTES, Account, Movement
from service.ledger.transfers import LedgerLine
from service.web.money import MoneyOut
from service.web.tabular import Columns, Row


class LedgerLineOut(BaseModel):
    """One movement of money. Its hash covers the hash before it and all fields of the movement itself.

    Names, reason and documents are not among these.
    """

    seq: int = Field(description="Place in the workspace's ledger: 1, 2, 3 ... without gaps.")
    at: datetime = Field(description="Time of the movement.")
    kind: Movement = Field(description="Kind of the movement.")
    from_account: Account = Field(description="Account that the money left.")
    to_account: Account = Field(description="Account that the money entered.")
    from_account_id: int = Field(description="Id of the account that the money left.")
    to_account_id: int = Field(description="Id of the account that the money entered.")
    amount: MoneyOut = Field(description="Amount, always above zero.")
    workspace_id: UUID = Field(description="Id of the workspace.")
    budget_id: UUID = Field(description="Id of the budget.")
    budget: str = Field(description="Name of the budget.")
    hold_id: UUID | None = Field(description="Id of the hold, for `reserve`, `settle` and `release`.")
    reference: str = Field(
        description="Cause of the movement.", examples=["delivery:1b4e28ba-2fa1-11d2-883f-0016d3cca427/3/15"]
    )
    reason: str | None = Field(description="Reason of a refund or later charge; null for other movements.")
    documents: str | None = Field(
        description="Numbers of the invoices of the paid order; of a refund, of its credit notes. Null "
        "without any, and for movements that pay nothing."
    )
    closed_month: str | None = Field(
        description="Closed month of the payment that a refund or later charge changes, such as `2026-10`; "
        "null while that month is open."
    )
    id: UUID = Field(description="Id of the movement.")
    evidence: str | None = Field(
        description="Hash of the newest evidence when the movement was made, in hexadecimal. It covers the "
        "rows that the movement rests on: order, plan, price list, terms, delivery or reason. Null for "
        "movements from before there was evidence."
    )
    previous_hash: str = Field(description="Hash of the movement before, in hexadecimal.")
    hash: str = Field(description="SHA-256 of this movement, in hexadecimal.")

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
            reason=line.reason,
            documents=line.documents,
            closed_month=line.closed_month and f"{line.closed_month:%Y-%m}",
            id=transfer.id,
            evidence=None if transfer.evidence is None else transfer.evidence.hex(),
            previous_hash=transfer.previous_hash.hex(),
            hash=transfer.hash.hex(),
        )


COLUMNS: Columns = {
    "seq": "integer", "at": "time", "kind": "text", "from": "text", "to": "text", "amount": "money",
    "currency": "text", "budget_id": "text", "budget": "text", "hold_id": "text", "reference": "text",
    "reason": "text", "documents": "text", "closed_month": "text", "id": "text", "evidence": "text",
    "previous_hash": "text", "hash": "text",
}  # fmt: skip


def row_of(line: LedgerLine) -> Row:
    """Write a transfer as a row of COLUMNS."""
    transfer = line.transfer
    source, target = ROUTES[transfer.kind]
    money = transfer.amount
    return (
        transfer.seq, transfer.at, transfer.kind.value, source.value, target.value, Decimal(money.amount),
        money.currency, transfer.budget_id, line.budget, transfer.hold_id, transfer.reference,
        line.reason, line.documents, line.closed_month and f"{line.closed_month:%Y-%m}", transfer.id,
        transfer.evidence and transfer.evidence.hex(), transfer.previous_hash.hex(), transfer.hash.hex(),
    )  # fmt: skip
