"""Workspaces and the keys that open them."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables import Base


class Workspace(Base):
    """The owner of money, scenes and plans: every other row belongs to one workspace."""

    __tablename__ = "workspace"
    __table_args__ = (
        CheckConstraint("scene_days >= 1", name="scene_days_positive"),
        CheckConstraint("delivery_days >= 1", name="delivery_days_positive"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Days for which pixels are kept, of scenes and of deliveries; None: until somebody deletes them.
    scene_days: Mapped[int | None]
    delivery_days: Mapped[int | None]


class ApiKey(Base):
    """A bearer key, of which only the SHA-256 is kept, so it can be shown just once; or the key of a person.

    A person is known by an issuer, whose tokens act with the person's key. Nobody has the text of that key.
    """

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(primary_key=True)  # the eight letters after "loupe_", public
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)  # SHA-256 of the whole key
    # Id of the key that this one descends from: a key made with another key has the same holder, and two keys
    # of one holder cannot approve each other's orders. A key made on the server's machine is its own holder.
    holder: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    # From this time on it opens nothing: in the future while a rotated key stays valid beside its successor.
    revoked_at: Mapped[datetime | None]
    # Written from time to time by `service.access.notes`, never by a request.
    last_used_at: Mapped[datetime | None]
    operator: Mapped[bool] = mapped_column(server_default=false())  # LOUPE_API_KEY named it last
    # Of a person's key: the issuer, the person's id there, and when the issuer stated the role, if it does.
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    claimed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "(issuer IS NULL) = (subject IS NULL) AND (claimed_at IS NULL OR subject IS NOT NULL)",
            name="person",
        ),
        # A person is in one workspace at a time, with one role.
        Index(
            "ix_api_key_person",
            "issuer",
            "subject",
            unique=True,
            postgresql_where=text("revoked_at IS NULL AND subject IS NOT NULL"),
        ),
        CheckConstraint(
            "role IN ('viewer', 'planner', 'buyer', 'approver', 'finance', 'admin')", name="role"
        ),
    )


class AuditEvent(Base):
    """An event of the audit log, or `times` alike ones. Rows are only added, and hold no secret."""

    __tablename__ = "audit_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    # None for keys that nobody knows, which are refused in no workspace.
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    kind: Mapped[str]
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))
    subject: Mapped[str | None]
    address: Mapped[str | None]
    detail: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    times: Mapped[int]

    __table_args__ = (
        CheckConstraint("times > 0", name="times"),
        CheckConstraint("length(kind) BETWEEN 1 AND 50", name="kind"),
        CheckConstraint("jsonb_typeof(detail) = 'object'", name="detail"),
        Index("ix_audit_event_workspace_created", "workspace_id", "created_at", "id"),
        Index("ix_audit_event_created", "created_at", "id"),
    )


class Delegation(Base):
    """Approval that one holder lends to another until a time; the newest row of two holders applies."""

    __tablename__ = "delegation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    lender: Mapped[str]
    borrower: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ends_at: Mapped[datetime]
    note: Mapped[str | None]
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))

    __table_args__ = (
        CheckConstraint("lender <> borrower", name="two_holders"),
        Index("ix_delegation_borrower", "workspace_id", "borrower", "created_at"),
    )
