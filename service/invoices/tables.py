"""The tables of providers' invoices and credit notes."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.database.tables import Base


class Invoice(Base):
    """An invoice or credit note as the provider wrote it. It never changes."""

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("workspace_id", "provider", "number"),
        Index("ix_invoice_workspace_created", "workspace_id", "created_at", "id"),
        CheckConstraint("kind IN ('invoice', 'credit-note')", name="kind"),
        CheckConstraint("tax_minor >= 0", name="tax_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    kind: Mapped[str]
    provider: Mapped[str]
    number: Mapped[str]
    issued_on: Mapped[date]
    currency: Mapped[str]
    tax_minor: Mapped[int] = mapped_column(BigInteger)  # on top of the lines, which are net
    reason: Mapped[str | None]  # of a credit note
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lines: Mapped[list["InvoiceLine"]] = relationship(order_by="InvoiceLine.position", lazy="selectin")


class InvoiceLine(Base):
    """One line of an invoice: a net amount, and the provider's reference that names an order."""

    __tablename__ = "invoice_line"
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount_positive"),)

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoice.id", ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ...
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    reference: Mapped[str]
    description: Mapped[str | None]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
