"""Keys and workspaces in the database, and the one place that decides who is calling."""

import hmac
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service.access.keys import digest, id_of, new_key
from service.access.tables import ApiKey, Workspace
from service.errors import UnauthenticatedError

FIRST_WORKSPACE = "default"


@dataclass(frozen=True)
class Caller:
    """Whose request this is."""

    workspace_id: UUID
    key_id: str


def authenticate(session: Session, key: str) -> Caller:
    """Return who holds `key`; UnauthenticatedError, always the same, when nobody does.

    The digest of an unknown id is compared too, so that the answer takes as long.
    """
    given = digest(key)
    row = session.get(ApiKey, id_of(key))
    kept = row.digest if row is not None else bytes(len(given))
    if not hmac.compare_digest(given, kept) or row is None or row.revoked_at is not None:
        raise UnauthenticatedError
    return Caller(row.workspace_id, row.id)


def create_workspace(session: Session, name: str) -> Workspace:
    """Add a workspace; names are unique."""
    workspace = Workspace(name=name)
    session.add(workspace)
    session.flush()
    return workspace


def create_key(session: Session, workspace: Workspace, name: str) -> str:
    """Make a key of `workspace` and return it: this is the only time it can be read."""
    key = new_key()
    _store(session, workspace, name, key)
    return key


def revoke_key(session: Session, key_id: str) -> None:
    """Close a key for good; closing it again changes nothing."""
    row = session.get(ApiKey, key_id)
    if row is not None and row.revoked_at is None:
        row.revoked_at = func.now()  # the database's clock, at flush


def ensure_first_key(session: Session, operator_key: str | None) -> str | None:
    """Make sure that somebody can call: the operator's key if given, else a new one if none exists.

    Returns a new key, to be printed once; None when there was a key or the operator chose it.
    """
    # Two processes starting together must not both find no key.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('loupe.first_key'))"))
    workspace = session.scalar(select(Workspace).where(Workspace.name == FIRST_WORKSPACE))
    workspace = workspace or create_workspace(session, FIRST_WORKSPACE)
    if operator_key is not None:
        if session.get(ApiKey, id_of(operator_key)) is None:
            _store(session, workspace, "operator", operator_key)
        return None
    if session.scalar(select(ApiKey.id).limit(1)) is not None:
        return None
    return create_key(session, workspace, "first")


def _store(session: Session, workspace: Workspace, name: str, key: str) -> None:
    session.add(ApiKey(id=id_of(key), workspace_id=workspace.id, name=name, digest=digest(key)))
    session.flush()
