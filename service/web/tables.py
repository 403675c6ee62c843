"""Tables of idempotency keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class IdempotentAnswer(Base):
    """The answer to the request that first used a key, written in the transaction of its effect."""

    __tablename__ = "idempotency"
    __table_args__ = (CheckConstraint("length(key) BETWEEN 8 AND 255", name="key_length"),)

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspace.id", ondelete="RESTRICT"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of the request
    status: Mapped[int | None]
    body: Mapped[Any | None] = mapped_column(JSON)  # text, so that a replay has the same order
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyClaim(Base):
    """A request that is still computing its answer; the claim lapses unless its server renews it."""

    __tablename__ = "idempotency_claim"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspace.id", ondelete="RESTRICT"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    claimed_until: Mapped[datetime]  # by the database's clock
