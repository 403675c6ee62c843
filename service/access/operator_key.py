"""The first key of a server: the operator's, from LOUPE_API_KEY, or one that is made and printed once."""

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.access.ending import revoke
from service.access.events import EventKind, record_key
from service.access.keys import id_of
from service.access.repository import create_key, first_workspace, store_key
from service.access.roles import Role
from service.access.tables import ApiKey, Workspace

OPERATOR = "operator"
"""Name of a key that was made from LOUPE_API_KEY."""


@dataclass(frozen=True, kw_only=True)
class FirstKey:
    """The changes of keys at a start."""

    made: str | None = None
    """A key to print once."""
    retired: tuple[str, ...] = ()
    """Ids of the operator's former keys, which were revoked."""
    closed: str | None = None
    """Id of the operator's key if it was revoked and opens nothing."""


def ensure_first_key(session: Session, operator_key: str | None) -> FirstKey:
    """Store the operator's key and revoke its former one; without it make a key if there is none."""
    # Two processes starting together must not both find no key.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('loupe.first_key'))"))
    workspace = first_workspace(session)
    if operator_key is not None:
        return _take_operator_key(session, workspace, operator_key)
    if session.scalar(select(ApiKey.id).limit(1)) is not None:
        return FirstKey()
    return FirstKey(made=create_key(session, workspace, "first", Role.ADMIN))


def _take_operator_key(session: Session, workspace: Workspace, key: str) -> FirstKey:
    """Let a key be the operator's only one. It has its predecessor's holder, as after a rotation.

    A key that was revoked, that is no admin's or that belongs to another workspace replaces nothing.
    """
    query = select(ApiKey).where(
        ApiKey.workspace_id == workspace.id, ApiKey.operator, ApiKey.revoked_at.is_(None)
    )
    former = session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id).with_for_update()).all()
    row = session.get(ApiKey, id_of(key))
    if row is None:
        holder = former[0].holder if former else id_of(key)
        row = store_key(session, workspace.id, OPERATOR, key, holder=holder, role=Role.ADMIN, operator=True)
        record_key(session, EventKind.KEY_CREATED, row)
    elif row.revoked_at is not None:
        return FirstKey(closed=row.id)
    elif row.workspace_id != workspace.id or row.role != Role.ADMIN:
        return FirstKey()
    else:
        row.operator = True
    retired = [one for one in former if one.id != id_of(key)]
    for one in retired:
        revoke(session, one)
        record_key(session, EventKind.KEY_REVOKED, one)
    return FirstKey(retired=tuple(one.id for one in retired))
