"""Retention and deletions of pixels as JSON."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from service.retention.deleting import Deletion
from service.retention.policy import Retention
from service.web.values import BodyWholeNumber

MOST_DAYS = 36_500
"""A hundred years."""


class DeletedOut(BaseModel):
    """Pixels that are deleted."""

    deleted_at: datetime = Field(description="Time of the deletion.")
    deleted_by: str | None = Field(
        description="Id of the key that deleted them; null for the retention of the workspace."
    )
    files: list[str] = Field(
        description="SHA-256 of the files. One that the workspace also uses elsewhere stays there."
    )
    freed_bytes: int = Field(description="Bytes of the files that this request removed, 0 when repeated.")

    @classmethod
    def of(cls, deletion: Deletion, freed: int) -> "DeletedOut":
        """Write a deletion for JSON."""
        return cls(
            deleted_at=deletion.at, deleted_by=deletion.by, files=sorted(deletion.files), freed_bytes=freed
        )


class RetentionDays(BaseModel):
    """Days for which the workspace keeps pixels; null: until somebody deletes them."""

    model_config = ConfigDict(extra="forbid")

    scene_days: BodyWholeNumber | None = Field(
        ge=1, le=MOST_DAYS, description="Days for the pixels of a scene, after it was last planned."
    )
    delivery_days: BodyWholeNumber | None = Field(
        ge=1, le=MOST_DAYS, description="Days for what was delivered for an order, after its last file came."
    )

    @classmethod
    def of(cls, retention: Retention) -> "RetentionDays":
        """Write a retention for JSON."""
        return cls(scene_days=retention.scene_days, delivery_days=retention.delivery_days)
