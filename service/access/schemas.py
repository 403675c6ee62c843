"""API keys as JSON."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from service.access.repository import Caller
from service.access.tables import ApiKey
from service.web.values import Line


class KeyIn(BaseModel):
    """A key to create."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(
        min_length=1,
        max_length=100,
        description="Name that says who uses the key.",
        examples=["field office"],
    )


class KeyOut(BaseModel):
    """An API key without its secret."""

    id: str = Field(description="The eight letters after `loupe_`; they open nothing.")
    name: str = Field(description="Name that says who uses the key.")
    holder: str = Field(
        description="Id of the key that this one descends from. Two keys with the same holder cannot approve "
        "each other's orders."
    )
    created_at: datetime = Field(description="Time of creation.")
    revoked_at: datetime | None = Field(description="Time since which the key opens nothing.")
    current: bool = Field(description="Whether this request was sent with the key.")

    @classmethod
    def of(cls, row: ApiKey, caller: Caller) -> "KeyOut":
        """Write a key for JSON."""
        return cls(
            id=row.id,
            name=row.name,
            holder=row.holder,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
            current=row.id == caller.key_id,
        )


class NewKeyOut(KeyOut):
    """A new API key with its secret."""

    key: str = Field(description="The key itself. It is shown this once: only its SHA-256 is kept.")
