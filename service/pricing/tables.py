"""Price lists: never changed once published; new prices are a new version."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class PriceList(Base):
    """A provider's product, its prices and its rules for orders."""

    __tablename__ = "price_list"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name", "version"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_iso"),
        CheckConstraint("mode IN ('archive', 'tasking')", name="mode"),
        CheckConstraint("price_per_km2 > 0", name="price_positive"),
        CheckConstraint("price_per_scene > 0", name="scene_price_positive"),
        CheckConstraint("(price_per_km2 IS NULL) <> (price_per_scene IS NULL)", name="one_price"),
        CheckConstraint("minimum_km2 >= 0", name="minimum_not_negative"),
        CheckConstraint("minimum_charge >= 0", name="charge_not_negative"),
        CheckConstraint("minimum_width_m >= 0", name="width_not_negative"),
        CheckConstraint("max_vertices >= 4", name="vertices_of_a_rectangle"),
        CheckConstraint("max_parts >= 1", name="parts_positive"),
        CheckConstraint("minimum_part_km2 > 0", name="smallest_part_positive"),
        CheckConstraint("maximum_part_km2 >= coalesce(minimum_part_km2, 0)", name="part_limits_ordered"),
        CheckConstraint("valid_to >= valid_from", name="valid_for_a_day"),
        CheckConstraint("delivery_bands ~ '^[1-9][0-9]?,[1-9][0-9]?,[1-9][0-9]?$'", name="delivery_bands"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str]
    version: Mapped[int]
    provider: Mapped[str]
    product: Mapped[str]
    mode: Mapped[str]
    gsd_m: Mapped[Decimal] = mapped_column(Numeric(8, 3))
    currency: Mapped[str]
    price_per_km2: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    price_per_scene: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    tiers: Mapped[list[dict[str, str]]] = mapped_column(JSONB)  # above_km2 and price_per_km2 as decimals
    minimum_km2: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    minimum_applies_to: Mapped[str]  # "order" or "shape"
    minimum_charge: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    areas_summed: Mapped[bool]
    minimum_width_m: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    convex: Mapped[bool]
    max_vertices: Mapped[int | None]
    holes: Mapped[bool]
    # What an order may hold. No figure rests on it, and a plan keeps it in its own evidence (`bill.terms`).
    max_parts: Mapped[int | None]
    minimum_part_km2: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    maximum_part_km2: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    cloud_guarantee_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    licence: Mapped[str | None]
    delivery_bands: Mapped[str | None]  # numbers of red, green and blue in deliveries, "3,2,1"
    source: Mapped[str]
    captured_at: Mapped[date]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    example: Mapped[bool]  # a shipped example, which is shown as not an offer
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
