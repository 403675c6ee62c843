"""Sessions of the dashboard."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class DashboardSession(Base):
    """A browser that signed in with a key. It is as powerful as the key, and ends with it."""

    __tablename__ = "dashboard_session"

    digest: Mapped[bytes] = mapped_column(primary_key=True)  # SHA-256 of the cookie's token
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"), index=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # signed out
