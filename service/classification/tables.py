"""The table of classifications."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class Classification(Base):
    """The labels of an order's tiles at one time; a later classification never changes an earlier one."""

    __tablename__ = "classification"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"), index=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id", ondelete="RESTRICT"), index=True)
    complete: Mapped[bool]  # false when patches were still missing (`allow_partial`)
    # The members of `labels.LabelledTile` for each tile.
    tiles: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    provenance: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # The members of `schemas.CountedObjects`; None for a bundle that counts nothing.
    objects: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
