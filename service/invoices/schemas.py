"""Invoices, credit notes and differences as JSON."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.invoices.reconciling import LineState, Reconciled
from service.invoices.tables import Invoice
from service.money import Money
from service.web.money import CurrencyCode, MoneyOut
from service.web.paging import Link
from service.web.tabular import Columns, Row
from service.web.values import AmountText, Day, Line, Note

Text = Annotated[Line, Field(min_length=1, max_length=200)]
Kind = Literal["invoice", "credit-note"]
MOST_DOCUMENTS = 1_000
"""Most documents of an import."""


class InvoiceLineIn(BaseModel):
    """One line: a net amount and the reference that names the order."""

    model_config = ConfigDict(extra="forbid")

    reference: Text = Field(
        description="Text that contains the full id of the order, such as `ORDER` or `ORDER/TILE/PATCH`. A "
        "line whose reference names no order of the workspace is kept and listed as a difference."
    )
    amount: AmountText = Field(description="Net amount above zero, in the invoice's currency.")
    description: Text | None = Field(None, description="Text of the line.")


class InvoiceIn(BaseModel):
    """An invoice or credit note of a provider."""

    model_config = ConfigDict(extra="forbid")

    number: Text = Field(description="Number on the document, unique for each provider.")
    kind: Kind = Field("invoice", description="`invoice`, or `credit-note`, whose amounts come back.")
    provider: Text = Field(description="Name of the provider that issued it.")
    date: Day = Field(description="Day of issue.")
    currency: CurrencyCode = Field(description="Currency of all its amounts (ISO 4217).")
    tax: AmountText = Field("0", description="Tax on top of the lines. Orders are compared without tax.")
    reason: Note | None = Field(None, description="Reason of a credit note.")
    lines: Annotated[list[InvoiceLineIn], Field(min_length=1, max_length=10_000)] = Field(
        description="Lines of the document."
    )


def invoices_schema() -> dict[str, Any]:
    """Return the JSON schema of one document or an array of them, without references to others."""
    one = InvoiceIn.model_json_schema()
    one["properties"]["lines"]["items"] = one.pop("$defs")["InvoiceLineIn"]
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_DOCUMENTS}]}


class InvoiceLineOut(BaseModel):
    """One line of an invoice."""

    position: int = Field(description="Place of the line, from 1.")
    reference: str = Field(description="Reference as it was sent.")
    description: str | None = Field(description="Text of the line.")
    amount: MoneyOut = Field(description="Net amount.")


class InvoiceOut(BaseModel):
    """An invoice or credit note as it was imported."""

    id: UUID = Field(description="Id of the document.")
    number: str = Field(description="Number on the document.")
    kind: Kind = Field(description="`invoice` or `credit-note`.")
    provider: str = Field(description="Provider that issued it.")
    date: Day = Field(description="Day of issue.")
    net: MoneyOut = Field(description="Sum of the lines.")
    tax: MoneyOut = Field(description="Tax on top.")
    gross: MoneyOut = Field(description="Net amount and tax.")
    reason: str | None = Field(description="Reason of a credit note.")
    lines: list[InvoiceLineOut] = Field(description="Lines of the document.")
    imported_at: datetime = Field(description="Time of the import (UTC).")
    by: str = Field(description="Id of the key that imported it.")
    links: list[Link] = Field(description="The document and the differences.")

    @classmethod
    def of(cls, row: Invoice) -> "InvoiceOut":
        """Write a document for JSON."""
        net = sum(line.amount_minor for line in row.lines)
        return cls.model_validate(
            {name: getattr(row, name) for name in ("id", "number", "kind", "provider", "reason")}
            | {
                "date": row.issued_on,
                "net": MoneyOut.minor(net, row.currency),
                "tax": MoneyOut.minor(row.tax_minor, row.currency),
                "gross": MoneyOut.minor(net + row.tax_minor, row.currency),
                "lines": [
                    InvoiceLineOut(
                        position=line.position,
                        reference=line.reference,
                        description=line.description,
                        amount=MoneyOut.minor(line.amount_minor, row.currency),
                    )
                    for line in row.lines
                ],
                "imported_at": row.created_at,
                "by": row.key_id,
                "links": [
                    Link(rel="self", href=f"/v1/invoices/{row.id}"),
                    Link(rel="differences", href="/v1/invoices/differences"),
                ],
            }
        )


class InvoicesImported(BaseModel):
    """The documents of an import."""

    imported: int = Field(description="Number of documents that are new.")
    unchanged: int = Field(
        description="Number of documents that had been imported before, with the same content."
    )
    items: list[InvoiceOut] = Field(description="The documents of the file.")


class Difference(BaseModel):
    """An order, or an invoice's reference, whose invoices and payments differ."""

    order: UUID | None = Field(description="Id of the order; null for a reference that names none.")
    reference: str | None = Field(description="Reference that names no order.")
    state: LineState = Field(
        description="`not-invoiced`: paid, but on no invoice. `not-delivered`: invoiced, but nothing was "
        "paid. `amount-differs`: invoices or credit notes have another amount. `currency-differs`: they are "
        "in another currency. `order-unknown`: the reference names no order."
    )
    paid: MoneyOut | None = Field(description="Payments and later charges in the ledger.")
    invoiced: MoneyOut = Field(description="Sum of the invoice lines.")
    refunded: MoneyOut | None = Field(description="Refunds in the ledger.")
    credited: MoneyOut = Field(description="Sum of the credit notes' lines.")
    invoices: list[str] = Field(description="Numbers of the invoices.")
    credit_notes: list[str] = Field(description="Numbers of the credit notes.")
    reasons: list[str] = Field(description="Reasons of the order's refunds and later charges.")
    detail: str = Field(description="The difference in a sentence, and what to do.")

    @classmethod
    def of(cls, one: Reconciled) -> "Difference":
        """Write a difference for JSON."""

        def money(amount: Money | None) -> MoneyOut | None:
            return None if amount is None else MoneyOut.of(amount)

        return cls(
            order=one.order_id,
            reference=one.reference,
            state=one.state,
            paid=money(one.paid),
            invoiced=MoneyOut.of(one.invoiced),
            refunded=money(one.refunded),
            credited=MoneyOut.of(one.credited),
            invoices=list(one.invoices),
            credit_notes=list(one.credit_notes),
            reasons=list(one.reasons),
            detail=one.detail,
        )


DIFFERENCE_COLUMNS: Columns = {
    "order": "text", "reference": "text", "state": "text", "currency": "text", "paid": "money",
    "invoiced": "money", "refunded": "money", "credited": "money", "invoices": "text",
    "credit_notes": "text", "reasons": "text", "detail": "text",
}  # fmt: skip


def difference_row(one: Reconciled) -> Row:
    """Write a difference as a row of DIFFERENCE_COLUMNS."""
    amounts = (one.paid, one.invoiced, one.refunded, one.credited)
    return (
        one.order_id, one.reference, one.state, one.invoiced.currency,
        *(None if amount is None else Decimal(amount.amount) for amount in amounts),
        ", ".join(one.invoices) or None, ", ".join(one.credit_notes) or None,
        "; ".join(one.reasons) or None, one.detail,
    )  # fmt: skip
