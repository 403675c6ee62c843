"""People in a workspace's database."""

from uuid import UUID

from service.access.people import Person, add_person
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
