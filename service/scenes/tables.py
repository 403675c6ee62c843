"""Scenes: the low-resolution rasters clients sent."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Base


class Scene(Base):
    """One uploaded raster as it was read; its bytes lie in the blob store under `sha256`."""

    __tablename__ = "scene"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"), index=True)
    sha256: Mapped[str]  # hex digest of the bytes as uploaded
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    # What was understood: grid (crs, transform, columns, rows, tile_px), gsd_m, bands, radiometry,
    # planned and left-out km2. The plan depends on nothing else of the file but its pixels.
    reading: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
