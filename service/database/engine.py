"""The database: embedded PostgreSQL or the operator's, its engine, and sessions for requests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from fastapi import Depends, Request
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from service.database.durability import make_durable
from service.database.embedded import embedded_url
from service.database.roles import SERVER, cannot_migrate, let_serve, serve_as
from service.errors import UnavailableError
from service.settings import Settings

MIGRATIONS = Path(__file__).parents[2] / "migrations"


ALL = "*"
"""The setting loupe.workspace of work that serves no workspace alone."""


@dataclass(frozen=True)
class Database:
    """An engine and the factory of its sessions.

    The server's role sees rows of the workspace for which a session works, and fails in a session that works
    for none (decision record 40).
    """

    engine: Engine
    sessions: sessionmaker[Session]

    def of(self, workspace: UUID) -> "Database":
        """Return the same database with sessions that work for one workspace."""
        return self._working_for(lambda: str(workspace))

    def of_all(self) -> "Database":
        """Return the same database with sessions that see all workspaces: never for a caller's request."""
        return self._working_for(lambda: ALL)

    def of_caller(self, request: Request) -> "Database":
        """Return the same database with sessions for the workspace of the request's caller.

        It may be called before the caller is known, as long as no session is used.
        """
        return self._working_for(lambda: getattr(request.state, "workspace_id", None))

    def _working_for(self, workspace: Callable[[], object]) -> "Database":
        return Database(self.engine, _sessions(self.engine, info={"workspace": workspace}))


class WorkspaceSession(Session):
    """A session whose transactions name the workspace for which they work."""


@event.listens_for(WorkspaceSession, "after_begin")
def _name_workspace(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    workspace = session.info["workspace"]() if "workspace" in session.info else None
    if workspace is not None:  # otherwise nothing is seen
        # SET takes no parameters; unlike SELECT set_config() it leaves the isolation level open to change.
        named = ALL if workspace == ALL else UUID(str(workspace))
        connection.exec_driver_sql(f"SET LOCAL loupe.workspace = '{named}'")


def _sessions(engine: Engine, info: dict[str, Any] | None = None) -> sessionmaker[Session]:
    return sessionmaker(engine, class_=WorkspaceSession, expire_on_commit=False, info=info)


def database_url(settings: Settings) -> str:
    """Return the operator's URL with the psycopg driver, or start the embedded server."""
    if settings.database_url is None:
        return embedded_url(settings.state)
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def connect(url: str) -> Database:
    """Build the engine; every session has the time-outs of `docs/ledger.md` and ends durably.

    Its sessions name no workspace: `Database.of` and its kin make those that the server's role needs.
    """
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=3,
        connect_args={
            "connect_timeout": 5,
            "options": "-c lock_timeout=2000 -c statement_timeout=30000"
            " -c idle_in_transaction_session_timeout=300000 -c timezone=UTC",
        },
    )
    make_durable(engine)
    return Database(engine, _sessions(engine))


def open_database(settings: Settings) -> Database:
    """Connect to the operator's database, or start and migrate the embedded one.

    The embedded database is migrated as its owner and served by a role that cannot bypass the ledger.
    An operator's database is migrated only by the operator, with `loupe db upgrade`.
    """
    url = database_url(settings)
    if settings.database_url is None:
        upgrade(url)
        let_serve(url, SERVER)
        url = serve_as(url, SERVER)
    return connect(url)


def upgrade(url: str) -> None:
    """Bring the schema to the newest migration; safe to call when it is there already.

    UnavailableError when the role of `url` lacks a privilege that a migration needs, and when a migration
    refuses what the database holds.
    """
    try:
        command.upgrade(alembic_config(url), "head")
    except CommandError as error:
        raise UnavailableError(f"The database was not upgraded. {str(error).rstrip('.')}.") from error
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise cannot_migrate(error.orig) from error
        raise


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def is_migrated(database: Database) -> bool:
    """Return whether the schema is at the newest migration."""
    return schema_revision(database) == newest_revision()


def newest_revision() -> str | None:
    """Return the revision of the schema that this version needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def schema_revision(database: Database) -> str | None:
    """Return the revision of the database's schema; None before the first migration."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_ready(database: Database) -> None:
    """Raise UnavailableError unless the database answers and has this version's schema."""
    check_answers(database)
    if not is_migrated(database):
        raise UnavailableError(
            "The database has the schema of another version. Run `loupe db upgrade` first."
        )


def check_answers(database: Database) -> None:
    """Raise UnavailableError unless the database answers a query."""
    try:
        is_alive(database)
    except OperationalError as error:
        raise UnavailableError("The database does not answer. Check LOUPE_DATABASE_URL.") from error


def is_alive(database: Database) -> bool:
    """Return whether the database answers a query."""
    with database.engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)


def get_database(request: Request) -> Database:
    """Return the running app's database as the caller's workspace sees it, for short sessions of a route."""
    return cast(Database, request.state.database).of_caller(request)


DatabaseDep = Annotated[Database, Depends(get_database)]


def get_session(database: DatabaseDep) -> Iterator[Session]:
    """Open one transaction for a request; commit it when the route returns, roll it back on any error."""
    with database.sessions.begin() as session:
        yield session


# scope="function": with FastAPI's default a failing commit would already have answered 201.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
"""One transaction for a route that only asks the database. A route that computes uses DatabaseDep instead."""
