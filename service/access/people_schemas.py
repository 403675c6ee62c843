"""People as JSON."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from service.access.events import LONGEST_NAME
from service.access.roles import Role
from service.access.tables import ApiKey
from service.access.tokens import MOST_SUBJECT
from service.web.values import BodyYesOrNo, Line


class PersonIn(BaseModel):
    """A person to let in, as the command line reads it."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        max_length=MOST_SUBJECT, pattern=r"^[\x21-\x7e]+$", description="Id of the person at the issuer."
    )
    name: Line = Field(min_length=1, max_length=LONGEST_NAME, description="Name of the person.")
    role: Role = Field(description="Role of the person, which sets their rights.")


class RoleIn(BaseModel):
    """Another role for a person."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Field(description="Role of the person from the next request on.", examples=["buyer"])
    allow_last: BodyYesOrNo = Field(
        False, description="Change the role of the workspace's last admin, so that it has none."
    )


class PersonOut(BaseModel):
    """Somebody whom an issuer knows, and what they may do here."""

    id: str = Field(description="Id of the person, the holder of their keys. It opens nothing.")
    name: str = Field(description="Name of the person.")
    issuer: str = Field(description="Issuer that knows the person.")
    subject: str = Field(description="Id of the person at the issuer.")
    role: Role = Field(description="Role of the person, which sets their rights.")
    role_from: str = Field(
        description="Who decided on the role: `issuer` by a claim of a token, or `server`.",
        examples=["issuer"],
    )
    key: str = Field(description="Id of the key by which ledger, orders and audit log name the person.")
    since: datetime = Field(description="Time since which the person has this role.")
    removed_at: datetime | None = Field(description="Time at which the person was removed, if so.")
    last_used_at: datetime | None = Field(
        description="Time of the newest request of the person that is known; it is written twice a minute."
    )

    @classmethod
    def of(cls, row: ApiKey) -> "PersonOut":
        """Write the newest key of a person for JSON."""
        return cls(
            id=row.holder,
            name=row.name,
            issuer=row.issuer or "",
            subject=row.subject or "",
            role=Role(row.role),
            role_from="server" if row.claimed_at is None else "issuer",
            key=row.id,
            since=row.created_at,
            removed_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )
