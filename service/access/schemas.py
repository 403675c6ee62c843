"""API keys as JSON."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.access.ending import Rotation
from service.access.repository import Caller
from service.access.roles import RIGHTS, Right, Role
from service.access.tables import ApiKey, AuditEvent, Workspace
from service.web.values import BodyNumber, BodyYesOrNo, Line, Moment

MOST_OVERLAP_HOURS = 720
"""Most hours for which a key and its successor are both valid."""


class KeyIn(BaseModel):
    """A key to create."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(
        min_length=1,
        max_length=100,
        description="Name that says who uses the key.",
        examples=["field office"],
    )
    role: Role = Field(
        Role.VIEWER,
        description="Rights of the key: `viewer` reads; `planner` also plans; `buyer` also publishes "
        "prices, orders and delivers; `approver` reads and decides on orders, charges and terms of others; "
        "`finance` reads, publishes prices and keeps budgets, adjustments, invoices and closes; `admin` may "
        "do everything.",
        examples=["buyer"],
    )
    expires_at: Moment | None = Field(
        None,
        description="Time from which the key opens nothing. Default: it does not expire.",
        examples=["2030-01-01T00:00:00Z"],
    )


class RotationIn(BaseModel):
    """The differences between a key and its successor."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: BodyNumber = Field(
        0,
        ge=0,
        le=MOST_OVERLAP_HOURS,
        allow_inf_nan=False,
        description="Hours for which the replaced key stays valid. Default: it is revoked at once.",
    )
    role: Role | None = Field(None, description="Role of the new key. Default: the role of the replaced key.")
    expires_at: Moment | None = Field(
        None, description="Time from which the new key opens nothing. Default: that of the replaced key."
    )
    allow_last: BodyYesOrNo = Field(
        False, description="Change the role of the workspace's last admin key, so that it has none."
    )

    def rotation(self) -> Rotation:
        """Return the rotation that this asks for."""
        return Rotation(
            role=self.role,
            expires_at=self.expires_at,
            overlap=timedelta(hours=self.overlap_hours),
            allow_last=self.allow_last,
        )


class KeyOut(BaseModel):
    """An API key without its secret."""

    id: str = Field(description="The eight letters after `loupe_`; they open nothing.")
    name: str = Field(description="Name that says who uses the key.")
    holder: str = Field(
        description="Id of the key that this one descends from. Two keys with the same holder cannot approve "
        "each other's orders."
    )
    role: Role = Field(description="Role of the key, which sets its rights.")
    created_at: datetime = Field(description="Time of creation.")
    expires_at: datetime | None = Field(description="Time from which the key opens nothing, if it expires.")
    revoked_at: datetime | None = Field(
        description="Time from which the key opens nothing, because it was revoked or replaced. It is in the "
        "future while a replaced key is valid beside its successor."
    )
    last_used_at: datetime | None = Field(
        description="Time of the newest request with the key that is known; it is written twice a minute."
    )
    current: bool = Field(description="Whether this request was sent with the key.")
    issuer: str | None = Field(description="Issuer of the person whose key this is; none for other keys.")
    subject: str | None = Field(
        description="Id of that person at the issuer, whose tokens act with this key."
    )

    @classmethod
    def of(cls, row: ApiKey, caller: Caller) -> "KeyOut":
        """Write a key for JSON."""
        return cls(
            id=row.id,
            name=row.name,
            holder=row.holder,
            role=Role(row.role),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
            current=row.id == caller.key_id,
            issuer=row.issuer,
            subject=row.subject,
        )


class NewKeyOut(KeyOut):
    """A new API key with its secret."""

    key: str = Field(description="The key itself. It is shown this once: only its SHA-256 is kept.")


class WorkspaceOut(BaseModel):
    """A workspace."""

    id: UUID = Field(description="Id of the workspace.")
    name: str = Field(description="Name of the workspace.")


class MeOut(BaseModel):
    """The workspace that a request's key opens, and its rights there."""

    workspace: WorkspaceOut = Field(description="Workspace that the key opens.")
    key: KeyOut = Field(description="The key, without its secret.")
    rights: list[Right] = Field(description="Rights that the role of the key has.")

    @classmethod
    def of(cls, workspace: Workspace, row: ApiKey, caller: Caller) -> "MeOut":
        """Write a caller for JSON."""
        return cls(
            workspace=WorkspaceOut(id=workspace.id, name=workspace.name),
            key=KeyOut.of(row, caller),
            rights=[right for right in Right if right in RIGHTS[caller.role]],
        )


class AuditEventOut(BaseModel):
    """An event of the audit log."""

    id: UUID = Field(description="Id of the event.")
    at: datetime = Field(description="Time of the event, or of the newest of several.")
    kind: str = Field(description="Kind of the event.", examples=["key-revoked"])
    key: str | None = Field(description="Id of the key that did it; none on the server's machine.")
    subject: str | None = Field(description="Id or name of what the event is about.")
    address: str | None = Field(description="Address that the request came from.")
    detail: dict[str, str] = Field(description="Further facts by name.")
    times: int = Field(description="Number of alike events that this row counts.")

    @classmethod
    def of(cls, row: AuditEvent) -> "AuditEventOut":
        """Write an event for JSON."""
        return cls(
            id=row.id,
            at=row.created_at,
            kind=row.kind,
            key=row.key_id,
            subject=row.subject,
            address=row.address,
            detail=row.detail,
            times=row.times,
        )
