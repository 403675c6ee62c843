"""Refusals of keys: of requests with one, and of making, rotating and revoking them."""

from datetime import datetime
from uuid import UUID

from service.access.roles import RIGHTS, Role
from service.errors import ConflictError, InvalidInputError, LoupeError, UnauthenticatedError


class LastKeyError(ConflictError):
    """The workspace has no other admin key, so nobody could make or revoke keys any more."""

    code = "last-key"
    title = "This is the last admin key of the workspace"


class KeyRevokedError(ConflictError):
    """The key was revoked or replaced, or has expired; it is not replaced."""

    code = "key-revoked"
    title = "The key is not in use"


class PersonKeyError(ConflictError):
    """The key of a person, which has no text that could be shown."""

    code = "key-of-person"
    title = "The key belongs to a person"


class KeyRefusedError(UnauthenticatedError):
    """A request with a key that opens nothing. The caller learns no more than that.

    `reason` (unknown, wrong, revoked or expired), `key_id` and `workspace_id` are for the audit log; without
    a key of that id the last two are None.
    """

    def __init__(self, reason: str, key_id: str | None = None, workspace_id: UUID | None = None) -> None:
        super().__init__()
        self.reason, self.key_id, self.workspace_id = reason, key_id, workspace_id


class KeyExpiredError(KeyRefusedError):
    """A request with a key whose time is up, which only somebody learns who has the whole key."""

    code = "key-expired"
    title = "The API key has expired"

    def __init__(self, key_id: str, workspace_id: UUID, expires_at: datetime) -> None:
        super().__init__("expired", key_id, workspace_id)
        self.detail = (
            f"The key {key_id} expired at {expires_at:%Y-%m-%d %H:%M} UTC. Ask an admin of the workspace for "
            "another one."
        )
        self.extra = {"key": key_id}


class KeyAuthorityError(LoupeError):
    """A key that would be more powerful, or live longer, than the key that makes it."""

    status = 403
    code = "key-authority"
    title = "A key cannot make a more powerful one"


class ExpiryPassedError(InvalidInputError):
    """A key that would expire before it is made."""

    code = "expiry-passed"
    title = "The time of expiry has passed"


def check_authority(
    maker: Role, maker_expires_at: datetime | None, role: Role, expires_at: datetime | None
) -> None:
    """Raise KeyAuthorityError for a key with a right that its maker lacks, or that outlives its maker."""
    if not RIGHTS[role] <= RIGHTS[maker]:
        raise KeyAuthorityError(
            f"Your key is for the role {maker} and cannot make a key for the role {role}.", role=role
        )
    if maker_expires_at is not None and (expires_at is None or expires_at > maker_expires_at):
        raise KeyAuthorityError(
            f"Your key ends at {maker_expires_at:%Y-%m-%d %H:%M} UTC, so a key that it makes expires by "
            "then. Send such a time as expires_at.",
            expires_at=maker_expires_at.isoformat(),
        )
