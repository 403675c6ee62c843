"""Keys and workspaces in the database, and the check of a caller's key."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service.access.keys import digest, id_of, new_key
from service.access.tables import ApiKey, Workspace
from service.errors import ConflictError, NotFoundError, UnauthenticatedError

FIRST_WORKSPACE = "default"
OPERATOR = "operator"
"""Name of a key that was made from LOUPE_API_KEY."""


class LastKeyError(ConflictError):
    """The workspace has no other key, so nobody could call any more."""

    code = "last-key"
    title = "This is the last key of the workspace"


class KeyRevokedError(ConflictError):
    """The key was revoked; it is not replaced."""

    code = "key-revoked"
    title = "The key is revoked"


@dataclass(frozen=True)
class Caller:
    """The workspace and the key of a request, and the key's holder."""

    workspace_id: UUID
    key_id: str
    holder: str


def authenticate(session: Session, key: str) -> Caller:
    """Return the caller that `key` belongs to; UnauthenticatedError, always the same, for any other key.

    The digest of an unknown id is compared too, so that the answer takes as long.
    """
    given = digest(key)
    row = session.get(ApiKey, id_of(key))
    kept = row.digest if row is not None else bytes(len(given))
    if not hmac.compare_digest(given, kept) or row is None or row.revoked_at is not None:
        raise UnauthenticatedError
    return Caller(row.workspace_id, row.id, row.holder)


def create_workspace(session: Session, name: str) -> Workspace:
    """Add a workspace; names are unique."""
    workspace = Workspace(name=name)
    session.add(workspace)
    session.flush()
    return workspace


def first_workspace(session: Session) -> Workspace:
    """Return the workspace that a server starts with, adding it if there is none."""
    found = session.scalar(select(Workspace).where(Workspace.name == FIRST_WORKSPACE))
    return found or create_workspace(session, FIRST_WORKSPACE)


def create_key(session: Session, workspace: Workspace, name: str) -> str:
    """Make a key of `workspace` for a new holder and return it: this is the only time it can be read."""
    key = new_key()
    _store(session, workspace.id, name, key, holder=id_of(key))
    return key


def issue_key(session: Session, caller: Caller, name: str) -> tuple[str, ApiKey]:
    """Make a further key for the caller; returns the key, readable only now, and its row."""
    key = new_key()
    return key, _store(session, caller.workspace_id, name, key, holder=caller.holder)


def replace_key(session: Session, workspace_id: UUID, key_id: str, holder: str | None) -> tuple[str, ApiKey]:
    """Replace a key by a new one of the same name and revoke it; returns the new key and its row.

    The new key is `holder`'s, or without one the old key's holder's.
    Errors: not-found, key-revoked.
    """
    old = _lock_key(session, workspace_id, key_id)
    if old.revoked_at is not None:
        raise KeyRevokedError("Only a key that is in use can be rotated; create a new key.", key=key_id)
    key = new_key()
    row = _store(session, workspace_id, old.name, key, holder=holder or old.holder)
    _revoke(session, old)
    return key, row


def close_key(session: Session, workspace_id: UUID, key_id: str, *, allow_last: bool = False) -> ApiKey:
    """Close a key for good, from the next request on; closing it again changes nothing.

    Errors: not-found; last-key when no other key of the workspace is in use, unless `allow_last`.
    """
    row = _lock_key(session, workspace_id, key_id)
    if row.revoked_at is not None:
        return row
    query = select(func.count()).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    if not allow_last and session.scalar(query) == 1:
        raise LastKeyError(
            "Without this key nobody can use the workspace. Rotate the key, create another one first, or "
            "confirm with allow_last=true (`loupe keys revoke ID --last`).",
            key=key_id,
        )
    _revoke(session, row)
    return row


def keys_of(session: Session, workspace_id: UUID) -> Sequence[ApiKey]:
    """Return the workspace's keys, revoked ones included, newest first."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    return session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id)).all()


def holder_of(session: Session, key_id: str) -> str:
    """Return the holder of a stored key."""
    return session.get_one(ApiKey, key_id).holder


def ensure_first_key(session: Session, operator_key: str | None) -> str | None:
    """Store the operator's key if it is given; otherwise make a key if there is none.

    Returns a key that was made, to be printed once, else None.
    """
    # Two processes starting together must not both find no key.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('loupe.first_key'))"))
    workspace = first_workspace(session)
    if operator_key is not None:
        key_id = id_of(operator_key)
        if session.get(ApiKey, key_id) is None:
            _store(session, workspace.id, OPERATOR, operator_key, holder=key_id)
        return None
    if session.scalar(select(ApiKey.id).limit(1)) is not None:
        return None
    return create_key(session, workspace, "first")


def former_operator_keys(session: Session, operator_key: str) -> Sequence[str]:
    """Return the ids of keys in use that look like earlier keys of the operator: same name, own holder."""
    query = select(ApiKey.id).where(
        ApiKey.workspace_id == first_workspace(session).id,
        ApiKey.name == OPERATOR,
        ApiKey.holder == ApiKey.id,
        ApiKey.id != id_of(operator_key),
        ApiKey.revoked_at.is_(None),
    )
    return session.scalars(query.order_by(ApiKey.created_at, ApiKey.id)).all()


def _store(session: Session, workspace_id: UUID, name: str, key: str, *, holder: str) -> ApiKey:
    row = ApiKey(id=id_of(key), workspace_id=workspace_id, name=name, digest=digest(key), holder=holder)
    session.add(row)
    session.flush()
    return row


def _lock_key(session: Session, workspace_id: UUID, key_id: str) -> ApiKey:
    """Return a key of the workspace, with all its keys locked: two requests cannot revoke the last two."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id).order_by(ApiKey.id)
    rows = session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()
    for row in rows:
        if row.id == key_id:
            return row
    raise NotFoundError(f"There is no key {key_id}.", key=key_id)


def _revoke(session: Session, row: ApiKey) -> None:
    row.revoked_at = func.now()  # the database's clock
    session.flush()
    session.refresh(row, ["revoked_at"])
