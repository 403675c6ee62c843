"""Workspaces and the keys that open them."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class Workspace(Base):
    """The owner of money, scenes and plans: every other row belongs to one workspace."""

    __tablename__ = "workspace"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A bearer key; only its SHA-256 is kept, so it can be shown just once."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(primary_key=True)  # the eight letters after "loupe_", public
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)  # SHA-256 of the whole key
    # Id of the key that this one descends from: a key made with another key has the same holder, and two keys
    # of one holder cannot approve each other's orders. A key made on the server's machine is its own holder.
    holder: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
