"""The tables of orders, of their status history, and of deliveries."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    case,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base
from service.money import Money


class OrderStatus(StrEnum):
    """Status of an order, in the words of STAPI."""

    HELD = "held"
    """The money is held and another key has to approve."""
    ACCEPTED = "accepted"
    """The money is held and nothing has been delivered."""
    PROCESSING = "processing"
    """Some patches are delivered and some are awaited."""
    COMPLETED = "completed"
    """Every patch is delivered and settled."""
    USER_CANCELLED = "user_cancelled"
    """The undelivered patches were cancelled and their money is released."""
    REJECTED = "rejected"
    """Another key refused and the money is released."""
    EXPIRED = "expired"
    """The undelivered patches are overdue and their money is released."""


OPEN = (OrderStatus.HELD, OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
"""Statuses in which patches are awaited and money is held."""
GIVEN_UP = (OrderStatus.USER_CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)
"""Statuses in which the undelivered patches are not bought and the plan may be ordered again."""
NOT_DELIVERED_IN_TIME = "not_delivered_in_time"
"""Reason of the step that ends an overdue order."""


class Order(Base):
    """The purchase of a plan's patches, with the hold that pays for them.

    A plan has one order at a time: a second is possible once the first was cancelled, rejected or expired.
    """

    __tablename__ = "order"
    __table_args__ = (
        Index("ix_order_workspace_created", "workspace_id", "created_at", "id"),
        Index("uq_order_hold", "hold_id", unique=True),
        Index(
            "uq_order_plan_open",
            "plan_id",
            unique=True,
            postgresql_where=text("status NOT IN ('user_cancelled', 'rejected', 'expired')"),
        ),
        Index(
            "ix_order_expires_at",
            "expires_at",
            postgresql_where=text("status IN ('held', 'accepted', 'processing')"),
        ),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("jsonb_typeof(tags) = 'object'", name="tags_object"),
        CheckConstraint("length(cost_center) BETWEEN 1 AND 100", name="cost_center_length"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name_length"),
        CheckConstraint("length(external_id) BETWEEN 1 AND 200", name="external_id_length"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))
    budget_id: Mapped[UUID]
    hold_id: Mapped[UUID | None]  # None when the plan costs nothing
    status: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(
        BigInteger
    )  # the plan's cost; see ledger.order_money for payments
    patches: Mapped[int]
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))  # placed it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    cost_center: Mapped[str | None]
    name: Mapped[str | None]  # this and the next may change: no figure rests on them
    external_id: Mapped[str | None]
    pixels_deleted_at: Mapped[datetime | None]  # of the files that were delivered until then; the newest time
    pixels_deleted_by: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))

    @property
    def planned(self) -> Money:
        """Cost of the plan, which was held when the order was placed."""
        return self.money(self.amount_minor)

    def money(self, minor: int) -> Money:
        """Return minor units of the order's currency as money."""
        return Money(minor, self.currency)


def overdue_at(moment: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition that an order awaits patches although its time was up at `moment`."""
    return Order.status.in_(OPEN) & (Order.expires_at <= moment)


STATUS_NOW: ColumnElement[str] = case((overdue_at(func.now()), OrderStatus.EXPIRED), else_=Order.status)
"""Status that every reader shows: an overdue order counts as expired before its hold is released.

`now()` is the time at which the reading transaction began, so that one answer never contradicts itself.
"""


class OrderStatusChange(Base):
    """One step of an order's history, which never changes."""

    __tablename__ = "order_status_change"
    __table_args__ = (CheckConstraint("seq >= 1", name="seq_from_1"),)

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ... without a gap
    status: Mapped[str]
    reason_code: Mapped[str]
    key_id: Mapped[str | None] = mapped_column(
        ForeignKey("api_key.id", ondelete="RESTRICT")
    )  # None: the clock
    note: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]  # deadline from this step on; None where it stays


class Delivery(Base):
    """One delivered patch. It is paid once, however many files are delivered for it."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("patch BETWEEN 0 AND 15", name="patch_index"),
        CheckConstraint("settled_minor >= 0", name="settled_not_negative"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    tile: Mapped[int] = mapped_column(primary_key=True)
    patch: Mapped[int] = mapped_column(primary_key=True)
    settled_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FinalBill(Base):
    """The provider's bill for what came of an order that ended early, and what was settled for it then."""

    __tablename__ = "final_bill"
    __table_args__ = (
        CheckConstraint("patches > 0", name="patches_positive"),
        CheckConstraint("settled_minor BETWEEN 0 AND billed_minor", name="settled_within_bill"),
        CheckConstraint("basis IN ('terms', 'prices')", name="basis"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    patches: Mapped[int]  # delivered ones
    billed_minor: Mapped[int] = mapped_column(BigInteger)
    settled_minor: Mapped[int] = mapped_column(BigInteger)  # beyond what the deliveries had settled
    basis: Mapped[str]  # of the bill: "terms" of the price list, or "prices" sent with the files
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LateBill(Base):
    """The provider's bill once more, after patches of an expired order came late. The newest one applies."""

    __tablename__ = "late_bill"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number_from_1"),
        CheckConstraint("patches > 0", name="patches_positive"),
        CheckConstraint("settled_minor BETWEEN 0 AND billed_minor", name="settled_within_bill"),
        CheckConstraint("basis IN ('terms', 'prices')", name="basis"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ...
    patches: Mapped[int]  # delivered ones, those of before included
    billed_minor: Mapped[int] = mapped_column(BigInteger)
    settled_minor: Mapped[int] = mapped_column(BigInteger)  # beyond deliveries and earlier bills
    basis: Mapped[str]  # as of the final bill
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeliveredFile(Base):
    """One file that was delivered for a patch, whose bytes lie in the blob store. The newest one is used.

    `created_at` is the clock's time under the order's lock, so that it grows with every file of an order.
    """

    __tablename__ = "delivered_file"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version_from_1"),
        ForeignKeyConstraint(
            ["order_id", "tile", "patch"],
            ["delivery.order_id", "delivery.tile", "delivery.patch"],
            ondelete="RESTRICT",
        ),
        UniqueConstraint("order_id", "tile", "patch", "sha256"),
        CheckConstraint("(pixels_sha256 IS NULL) = (pixels <> '')", name="pixels_or_digest"),
    )

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    tile: Mapped[int] = mapped_column(primary_key=True)
    patch: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ...
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    pixels: Mapped[bytes] = mapped_column(LargeBinary)  # uint8 (3, s, s) on the patch's own pixel grid
    pixels_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)  # of deleted pixels, which are empty
    checks: Mapped[dict[str, Any]] = mapped_column(JSONB)  # verified properties of the file, with the numbers
    key_id: Mapped[str | None] = mapped_column(
        ForeignKey("api_key.id", ondelete="RESTRICT")
    )  # None: before 0010
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeliveredPart(Base):
    """The part of a patch that one delivered file shows without covering the patch; nothing is paid for it.

    Parts of several files make up a patch. `created_at` grows with every row of an order, as in
    `DeliveredFile`.
    """

    __tablename__ = "delivered_part"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number_from_1"),
        CheckConstraint("patch BETWEEN 0 AND 15", name="patch_index"),
        CheckConstraint("(pixels_sha256 IS NULL) = (pixels <> '')", name="pixels_or_digest"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    tile: Mapped[int] = mapped_column(primary_key=True)
    patch: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ...
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    pixels: Mapped[bytes] = mapped_column(LargeBinary)  # uint8 (3, s, s) on the patch's own pixel grid
    pixels_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)  # of deleted pixels, which are empty
    weights: Mapped[bytes] = mapped_column(LargeBinary)  # uint8 (s, s), share of each pixel with data
    lacking: Mapped[bytes] = mapped_column(LargeBinary)  # one bit for each point that the file does not show
    checks: Mapped[dict[str, Any]] = mapped_column(JSONB)
    covered: Mapped[float]  # share of the patch that this and the earlier parts cover
    remainder: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )  # GeoJSON; None when they suffice
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
