"""People of a workspace, and keys of other holders."""

from uuid import UUID

from service.access.people import Person, add_person
from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import ApiKey, Workspace
from service.database.engine import Database
from tests.support.issuer import LocalIssuer


def let_in(
    database: Database,
    workspace_id: UUID,
    issuer: LocalIssuer,
    role: Role = Role.VIEWER,
    subject: str = "ada",
) -> ApiKey:
    """Add a person of the issuer to a workspace, as `loupe people add` does; return their key."""
    with database.sessions.begin() as session:
        workspace = session.get_one(Workspace, workspace_id)
        return add_person(session, workspace, Person(issuer.url, subject, "Ada Lovelace"), role)


def key_of(database: Database, workspace_id: UUID, role: Role) -> str:
    """Return a new key of another holder."""
    with database.sessions.begin() as session:
        return create_key(session, session.get_one(Workspace, workspace_id), f"the {role}", role)
