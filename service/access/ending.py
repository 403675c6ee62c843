"""Keys that end: replaced by a new one, or revoked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.events import EventKind, record_key
from service.access.keys import new_key
from service.access.refusals import KeyRevokedError, LastKeyError, PersonKeyError, check_authority
from service.access.repository import Caller, check_future, in_use, is_before, store_key
from service.access.roles import Right, Role, check_right
from service.access.tables import ApiKey
from service.errors import NotFoundError


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The differences between a key and the key that replaces it; None keeps role or expiry."""

    role: Role | None = None
    expires_at: datetime | None = None
    overlap: timedelta = timedelta()
    """How long the replaced key stays valid."""
    allow_last: bool = False


def replace_key(
    session: Session, workspace_id: UUID, key_id: str, caller: Caller | None, wanted: Rotation
) -> tuple[str, ApiKey]:
    """Replace a key by a new one of the same name and revoke it, now or after the overlap.

    The new key belongs to the caller's holder, and on the server's machine, without a caller, to the old
    key's.
    Any key may replace itself; an admin may replace every key. Returns the new key and its row.
    Errors: not-found, role-needed, key-of-person, key-revoked, key-authority, expiry-passed, last-key.
    """
    old = _lock_key(session, workspace_id, key_id, caller)
    role, expires_at = wanted.role or Role(old.role), wanted.expires_at or old.expires_at
    check_future(session, wanted.expires_at)
    _check_replaceable(session, old)
    if caller is not None:
        check_authority(caller.role, caller.expires_at, role, expires_at)
    if role != Role.ADMIN and not wanted.allow_last:
        check_not_last(session, old)
    key = new_key()
    row = store_key(
        session,
        workspace_id,
        old.name,
        key,
        holder=old.holder if caller is None else caller.holder,
        role=role,
        expires_at=expires_at,
        operator=old.operator,
    )
    revoke(session, old, wanted.overlap)
    until = "" if old.revoked_at is None else old.revoked_at.isoformat()
    record_key(session, EventKind.KEY_ROTATED, row, _id(caller), replaces=old.id, replaced_until=until)
    return key, row


def close_key(
    session: Session,
    workspace_id: UUID,
    key_id: str,
    caller: Caller | None,
    *,
    allow_last: bool = False,
) -> ApiKey:
    """Close a key for good, from the next request on; closing it again changes nothing.

    Any key may close itself; an admin, and the server's machine without a caller, may close every key.
    Errors: not-found, role-needed; last-key when no other admin key is in use, unless `allow_last`.
    """
    row = _lock_key(session, workspace_id, key_id, caller)
    ended = is_before(row.revoked_at, session.execute(select(func.clock_timestamp())).scalar_one())
    if ended:
        return row
    if not allow_last:
        check_not_last(session, row)
    revoke(session, row)
    record_key(session, EventKind.KEY_REVOKED, row, _id(caller))
    return row


def revoke(session: Session, row: ApiKey, overlap: timedelta = timedelta()) -> None:
    """Let a key open nothing from now on, or after an overlap."""
    row.revoked_at = func.now() + overlap  # the database's clock
    session.flush()
    session.refresh(row, ["revoked_at"])


def check_not_last(session: Session, row: ApiKey) -> None:
    """Raise LastKeyError if an admin key has no admin key of another person, or other key, beside it."""
    others = select(func.count()).where(
        ApiKey.workspace_id == row.workspace_id, ApiKey.role == Role.ADMIN, ApiKey.id != row.id, in_use()
    )
    if row.subject is not None:  # the keys that a person has made end with the person
        others = others.where(ApiKey.holder != row.holder)
    if row.role == Role.ADMIN and session.scalar(others) == 0:
        raise LastKeyError(
            "Without this key nobody can make or revoke keys of the workspace. Create another admin key "
            "first, or confirm with allow_last=true (`--last` on the command line).",
            key=row.id,
        )


def _check_replaceable(session: Session, row: ApiKey) -> None:
    """Raise PersonKeyError for the key of a person, and KeyRevokedError for one that is not in use."""
    if row.subject is not None:
        raise PersonKeyError(
            f"{row.name} signs in at {row.issuer} instead of sending a key. Change the role with POST "
            "/v1/people/{person_id}/role (`loupe people role`).",
            key=row.id,
        )
    if row.revoked_at is not None or not session.scalar(select(in_use()).where(ApiKey.id == row.id)):
        raise KeyRevokedError(
            "Only a key that is in use, and was not replaced, can be rotated. Create a new key.", key=row.id
        )


def _id(caller: Caller | None) -> str | None:
    return None if caller is None else caller.key_id


def _lock_key(session: Session, workspace_id: UUID, key_id: str, caller: Caller | None) -> ApiKey:
    """Return a key of the workspace, with all its keys locked: two requests cannot revoke the last two.

    RoleNeededError for the key of somebody else when the caller is no admin, whether it exists or not.
    """
    if caller is not None and caller.key_id != key_id:
        check_right(caller.role, Right.ADMINISTER)
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id).order_by(ApiKey.id)
    rows = session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()
    for row in rows:
        if row.id == key_id:
            return row
    raise NotFoundError(f"There is no key {key_id}.", key=key_id)
