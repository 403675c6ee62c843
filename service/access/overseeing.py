"""The question who may see figures of a whole server: of its process, and of all its workspaces."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.access.roles import Right
from service.access.tables import ApiKey, Workspace


def oversees_server(session: Session, caller: Caller) -> bool:
    """Return whether a caller may see figures of the whole server. The session sees all workspaces.

    The operator's key (LOUPE_API_KEY) may, and so may the admins of a server's only workspace: there is
    nobody else whom the figures could be about.
    """
    if not caller.may(Right.ADMINISTER):
        return False
    if session.scalar(select(ApiKey.operator).where(ApiKey.id == caller.key_id)):
        return True
    return session.scalar(select(func.count()).select_from(Workspace)) == 1
