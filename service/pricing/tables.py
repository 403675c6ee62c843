"""Price lists: immutable once published; a new price is a new version."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Base


class PriceList(Base):
    """A provider's product and what a square kilometre of it costs."""

    __tablename__ = "price_list"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name", "version"),
        CheckConstraint("price_per_km2 > 0", name="price_positive"),
        CheckConstraint("minimum_km2 >= 0", name="minimum_not_negative"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_iso"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str]
    version: Mapped[int]
    provider: Mapped[str]
    product: Mapped[str]
    gsd_m: Mapped[Decimal] = mapped_column(Numeric(8, 3))
    currency: Mapped[str]
    price_per_km2: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    minimum_km2: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    minimum_applies_to: Mapped[str]  # "order" or "shape"
    source: Mapped[str]
    captured_at: Mapped[date]
    example: Mapped[bool]  # an example is not an offer, and is shown as such
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
