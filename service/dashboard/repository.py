"""Sessions of the dashboard in the database."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service.access.repository import Caller, caller_of_key
from service.access.tables import ApiKey, Workspace
from service.dashboard.tables import DashboardSession

LIFE = timedelta(hours=12)
"""Longest time for which a browser stays signed in."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names that the frame of a page shows."""

    key: str
    workspace: str


def begin_session(session: Session, caller: Caller, life: timedelta) -> str:
    """Start a session of the caller's key and return its token: only its SHA-256 is kept."""
    token = secrets.token_urlsafe(32)
    session.add(
        DashboardSession(
            digest=_digest(token),
            workspace_id=caller.workspace_id,
            key_id=caller.key_id,
            expires_at=func.now() + life,
        )
    )
    return token


def caller_of_session(session: Session, token: str) -> tuple[Caller, Names] | None:
    """Return the caller of a session; None if it has ended, or its key was revoked or has expired."""
    query = (
        select(DashboardSession.key_id, ApiKey.name, Workspace.name)
        .join(ApiKey, ApiKey.id == DashboardSession.key_id)
        .join(Workspace, Workspace.id == DashboardSession.workspace_id)
        .where(
            DashboardSession.digest == _digest(token),
            DashboardSession.ended_at.is_(None),
            DashboardSession.expires_at > func.now(),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    key_id, key, workspace = found
    caller = caller_of_key(session, key_id)
    return None if caller is None else (caller, Names(key=key, workspace=workspace))


def end_session(session: Session, token: str) -> None:
    """End a session for good; one that has ended stays as it is."""
    query = update(DashboardSession).where(
        DashboardSession.digest == _digest(token), DashboardSession.ended_at.is_(None)
    )
    session.execute(query.values(ended_at=func.now()))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
