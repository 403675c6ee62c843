"""The table of jobs."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class JobStatus(StrEnum):
    """The state of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Base):
    """Row of a request whose work is done after its answer. Its row in procrastinate's tables is its turn."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_workspace_created", "workspace_id", "created_at", "id"),
        Index("ix_job_unfinished", "workspace_id", postgresql_where=text("finished_at IS NULL")),
        CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status_known"
        ),
        CheckConstraint(
            "(finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled'))", name="finished"
        ),
        CheckConstraint("(result IS NOT NULL) = (status = 'succeeded')", name="result_of_success"),
        CheckConstraint("(problem IS NOT NULL) = (status = 'failed')", name="problem_of_failure"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))  # asked for it
    kind: Mapped[str]
    request: Mapped[dict[str, Any]] = mapped_column(JSONB)  # the options, as its kind reads them
    upload_sha256: Mapped[str | None]  # digest of the uploaded file, which lies beside the blobs
    queue_id: Mapped[int] = mapped_column(BigInteger)  # row of procrastinate_jobs while it is not finished
    status: Mapped[JobStatus] = mapped_column(String, server_default=text("'queued'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))  # begun, the present one included
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    tiles_done: Mapped[int] = mapped_column(server_default=text("0"))
    tiles: Mapped[int | None]  # None: not known yet
    progress_at: Mapped[datetime | None]  # when `tiles_done` was written
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # ids by link relation
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # RFC 9457
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]  # of the present attempt
    finished_at: Mapped[datetime | None]

    @property
    def is_finished(self) -> bool:
        """Whether nothing about the job changes any more."""
        return self.finished_at is not None
