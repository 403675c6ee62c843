"""Keys and workspaces in the database, and the check of a caller's key."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from service.access.events import Event, EventKind, record, record_key
from service.access.keys import digest, id_of, new_key
from service.access.refusals import (
    ExpiryPassedError,
    KeyExpiredError,
    KeyRefusedError,
    check_authority,
)
from service.access.roles import RIGHTS, Right, Role, check_right
from service.access.tables import ApiKey, Workspace
from service.errors import ConflictError, NotFoundError

FIRST_WORKSPACE = "default"


@dataclass(frozen=True)
class Caller:
    """The workspace and the key of a request, with the key's holder, role and end."""

    workspace_id: UUID
    key_id: str
    holder: str
    role: Role
    expires_at: datetime | None = None

    def may(self, right: Right) -> bool:
        """Return whether the role has a right."""
        return right in RIGHTS[self.role]


def authenticate(session: Session, key: str) -> Caller:
    """Return the caller that `key` belongs to.

    KeyRefusedError, always the same, for any other key; KeyExpiredError for one whose time is up. The digest
    of an unknown id is compared too, so that the answer takes as long.
    """
    given = digest(key)
    row, now = _key_and_time(session, id_of(key))
    same = hmac.compare_digest(given, row.digest if row is not None else bytes(len(given)))
    if row is None or now is None:
        raise KeyRefusedError("unknown")
    if not same or is_before(row.revoked_at, now):
        raise KeyRefusedError("revoked" if same else "wrong", row.id, row.workspace_id)
    if row.expires_at is not None and row.expires_at <= now:
        raise KeyExpiredError(row.id, row.workspace_id, row.expires_at)
    return caller_of_row(row)


def caller_of_key(session: Session, key_id: str) -> Caller | None:
    """Return the caller of a key whose holder was recognised before; None if it is no longer in use."""
    row, now = _key_and_time(session, key_id)
    if row is None or now is None or is_before(row.revoked_at, now) or is_before(row.expires_at, now):
        return None
    return caller_of_row(row)


def _key_and_time(session: Session, key_id: str) -> tuple[ApiKey, datetime] | tuple[None, None]:
    query = select(ApiKey, func.clock_timestamp()).where(ApiKey.id == key_id)
    found = session.execute(query).one_or_none()
    return (None, None) if found is None else (found[0], found[1])


def caller_of_row(row: ApiKey) -> Caller:
    """Return who acts with a key. One that was replaced ends with its overlap at the latest."""
    ends = min((one for one in (row.expires_at, row.revoked_at) if one is not None), default=None)
    return Caller(row.workspace_id, row.id, row.holder, Role(row.role), ends)


def is_before(moment: datetime | None, now: datetime) -> bool:
    """Return whether a moment, if there is one, has come."""
    return moment is not None and moment <= now


def create_workspace(session: Session, name: str) -> Workspace:
    """Add a workspace. ConflictError when another one has the name."""
    if session.scalar(select(Workspace.id).where(Workspace.name == name)) is not None:
        raise ConflictError(f"There is a workspace {name} already. Choose another name.", name=name)
    workspace = Workspace(name=name)
    session.add(workspace)
    session.flush()
    record(session, Event(EventKind.WORKSPACE_CREATED, workspace.id, subject=name))
    return workspace


def first_workspace(session: Session) -> Workspace:
    """Return the workspace that a server starts with, adding it if there is none."""
    found = session.scalar(select(Workspace).where(Workspace.name == FIRST_WORKSPACE))
    return found or create_workspace(session, FIRST_WORKSPACE)


def find_workspace(session: Session, name: str) -> Workspace:
    """Return the workspace of this name; NotFoundError without one."""
    found = session.scalar(select(Workspace).where(Workspace.name == name))
    if found is None:
        raise NotFoundError(f"There is no workspace {name}. `loupe workspaces list` lists them.")
    return found


def workspaces(session: Session) -> Sequence[tuple[Workspace, int]]:
    """Return every workspace by name, with the number of its keys in use."""
    used = select(func.count()).where(ApiKey.workspace_id == Workspace.id, in_use()).scalar_subquery()
    return [(row, count) for row, count in session.execute(select(Workspace, used).order_by(Workspace.name))]


def create_key(
    session: Session,
    workspace: Workspace,
    name: str,
    role: Role = Role.ADMIN,
    expires_at: datetime | None = None,
) -> str:
    """Make a key of `workspace` for a new holder and return it: this is the only time it can be read.

    Errors: expiry-passed.
    """
    check_future(session, expires_at)
    key = new_key()
    row = store_key(session, workspace.id, name, key, holder=id_of(key), role=role, expires_at=expires_at)
    record_key(session, EventKind.KEY_CREATED, row)
    return key


def issue_key(
    session: Session, caller: Caller, name: str, role: Role, expires_at: datetime | None
) -> tuple[str, ApiKey]:
    """Make a further key for the caller's holder; returns the key, readable only now, and its row.

    Errors: role-needed, key-authority, expiry-passed.
    """
    check_right(caller.role, Right.ADMINISTER)
    check_future(session, expires_at)
    check_authority(caller.role, caller.expires_at, role, expires_at)
    key = new_key()
    row = store_key(
        session, caller.workspace_id, name, key, holder=caller.holder, role=role, expires_at=expires_at
    )
    record_key(session, EventKind.KEY_CREATED, row, caller.key_id)
    return key, row


def keys_of(session: Session, workspace_id: UUID) -> Sequence[ApiKey]:
    """Return the workspace's keys, revoked ones included, newest first."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    return session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id)).all()


def holder_of(session: Session, key_id: str) -> str:
    """Return the holder of a stored key."""
    return session.get_one(ApiKey, key_id).holder


def store_key(
    session: Session,
    workspace_id: UUID,
    name: str,
    key: str,
    *,
    holder: str,
    role: Role,
    expires_at: datetime | None = None,
    operator: bool = False,
) -> ApiKey:
    """Store the digest of a key."""
    row = ApiKey(
        id=id_of(key),
        workspace_id=workspace_id,
        name=name,
        digest=digest(key),
        holder=holder,
        role=role,
        expires_at=expires_at,
        operator=operator,
    )
    session.add(row)
    session.flush()
    return row


def in_use() -> ColumnElement[bool]:
    """Return the condition of keys that open something and that nobody has replaced."""
    return and_(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))


def check_future(session: Session, expires_at: datetime | None) -> None:
    """Raise ExpiryPassedError for a time of expiry that has come."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    if is_before(expires_at, now):
        raise ExpiryPassedError(
            f"It is {now:%Y-%m-%d %H:%M} UTC. Send a later time, or none for a key that does not expire."
        )
