"""The workspace and the rights of a key."""

from datetime import datetime

from loupe.answers.base import Answer, Part


class Workspace(Part):
    """A workspace."""

    id: str
    """Id of the workspace."""
    name: str
    """Name of the workspace."""


class Key(Part):
    """An API key without its secret."""

    id: str
    """The eight letters after `loupe_`; they open nothing."""
    name: str
    """Name that says who uses the key."""
    holder: str
    """Id of the key that this one descends from.

    Two keys with the same holder cannot approve each other's orders.
    """
    role: str
    """Role of the key, which sets its rights."""
    created_at: datetime
    """Time of creation."""
    expires_at: datetime | None = None
    """Time from which the key opens nothing, if it expires."""
    revoked_at: datetime | None = None
    """Time from which the key opens nothing, because it was revoked or replaced.

    It is in the future while a replaced key is valid beside its successor.
    """
    last_used_at: datetime | None = None
    """Time of the newest request with the key that is known; it is written twice a minute."""
    current: bool
    """Whether this request was sent with the key."""
    issuer: str | None = None
    """Issuer of the person whose key this is; none for other keys."""
    subject: str | None = None
    """Id of that person at the issuer, whose tokens act with this key."""


class Caller(Answer):
    """The workspace that a request's key opens, and its rights there."""

    workspace: Workspace
    """Workspace that the key opens."""
    key: Key
    """The key, without its secret."""
    rights: tuple[str, ...]
    """Rights that the role of the key has."""
