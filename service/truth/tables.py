"""The table of true labels."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class TrueLabels(Base):
    """The true labels that one request gave for tiles of an order. A later row counts for its tiles."""

    __tablename__ = "true_labels"
    __table_args__ = (
        Index("ix_true_labels_workspace", "workspace_id"),
        CheckConstraint("jsonb_typeof(labels) = 'array'", name="labels_array"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ... of an order
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    # Members `tile` and `true_label` each; a label of null takes an earlier one back.
    labels: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
