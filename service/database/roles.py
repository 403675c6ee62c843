"""Roles of the database: which one serves, and the check of its privileges.

The migrations create two roles: `loupe_owner` owns the ledger, and members of `loupe_app` serve.
`service/ledger/schema.sql` has their grants.
"""

import logging

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Engine, make_url, text

from service.errors import UnavailableError
from service.settings import RoleCheck

logger = logging.getLogger(__name__)

APP = "loupe_app"
"""The role whose members serve: they read, add rows, and move money only by the ledger's functions."""
SERVER = "loupe_server"
"""The member that serves from the embedded database."""

_FAULTS = text("""
    WITH role AS (SELECT * FROM pg_roles WHERE rolname = coalesce(CAST(:role AS name), session_user)),
    ledger AS (
        SELECT pg_has_role(role.oid, c.relowner, 'MEMBER') AS owned, c.oid::regclass::text AS name,
            has_table_privilege(role.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER') AS written
        FROM pg_class c, role
        WHERE c.relnamespace = to_regnamespace('ledger') AND c.relkind IN ('r', 'v') AND NOT role.rolsuper
    )
    SELECT 'superuser', '' FROM role WHERE rolsuper
    UNION ALL SELECT 'bypasses-row-security', '' FROM role WHERE rolbypassrls AND NOT rolsuper
    UNION ALL SELECT 'creates-roles', '' FROM role WHERE rolcreaterole AND NOT rolsuper
    UNION ALL SELECT 'owns', string_agg(name, ', ' ORDER BY name) FROM ledger
        WHERE owned HAVING count(*) > 0
    UNION ALL SELECT 'writes', string_agg(name, ', ' ORDER BY name) FROM ledger
        WHERE written AND NOT owned HAVING count(*) > 0
""")
_PHRASES = {
    "superuser": "it is a superuser",
    "bypasses-row-security": "it may bypass row security",
    "creates-roles": "it may create roles",
    "owns": "it owns {}",
    "writes": "it may write {}",
}


def excess_privileges(engine: Engine, role: str | None = None) -> list[str]:
    """Return how `role`, by default the connected one, can bypass the ledger; empty if it cannot."""
    with engine.connect() as connection:
        found = connection.execute(_FAULTS, {"role": role}).all()
    return [_PHRASES[code].format(names) for code, names in found]


def check_role(engine: Engine, policy: RoleCheck) -> None:
    """Warn of a role that can bypass the ledger, or raise UnavailableError, as the setting says."""
    found = [] if policy == "off" else excess_privileges(engine)
    if not found:
        return
    said = (
        f"The database role of LOUPE_DATABASE_URL can bypass the ledger: {'; '.join(found)}. "
        "Create a role that cannot with `loupe db grant ROLE`, and connect as that role."
    )
    if policy == "refuse":
        raise UnavailableError(said)
    logger.warning("%s Set LOUPE_ROLE_CHECK=off to silence this warning.", said)


def cannot_migrate(refusal: InsufficientPrivilege) -> UnavailableError:
    """Write a refusal of a migration for the operator.

    `2026-11-24-2300_roles.sql` raises codes with the role as DETAIL; other refusals are PostgreSQL's own.
    """
    role = refusal.diag.message_detail
    match refusal.diag.message_primary:
        case "role-cannot-create-roles":
            reason = (
                f"the role {role} may not create roles. Give it CREATEROLE, or let a superuser run: "
                f"CREATE ROLE loupe_owner; CREATE ROLE {APP}; GRANT loupe_owner TO {role};"
            )
        case "role-too-powerful":
            reason = (
                f"the role {role} has too many privileges. Let a superuser run: "
                f"ALTER ROLE {role} NOLOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS;"
            )
        case "role-not-a-member":
            reason = (
                f"the role {role} is not a member of loupe_owner. Let a superuser run: "
                f"GRANT loupe_owner TO {role};"
            )
        case message:
            reason = f'the database refuses with "{message}". Migrate as the owner of the database.'
    return UnavailableError(f"Cannot migrate: {reason}")


def serve_as(url: str, role: str) -> str:
    """Return `url` with another role, which connects without a password: the embedded server trusts it."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def let_serve(url: str, role: str, password: str | None = None) -> None:
    """Create a login role if it does not exist, and make it a member of APP.

    A password is sent as its SCRAM hash. UnavailableError when the role of `url` may not do this.
    """
    name = sql.Identifier(role)
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        try:
            connection.execute(_MAKE.format(name=name, text=sql.Literal(role)))
            if password is not None:
                kept = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                change = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(change.format(name, sql.Literal(kept.decode())))
            if not _is_member(connection, role):
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP), name))
        except InsufficientPrivilege as error:
            raise UnavailableError(
                f"Cannot make {role} a serving role: the database refuses with "
                f'"{error.diag.message_primary}". '
                "Give the migrating role CREATEROLE, or let a superuser run: "
                f'CREATE ROLE "{role}" LOGIN; GRANT {APP} TO "{role}";'
            ) from error
        except psycopg.errors.UndefinedObject as error:
            raise UnavailableError(
                f"The database has no role {APP} yet. Run `loupe db upgrade` first."
            ) from error


def _is_member(connection: psycopg.Connection, role: str) -> bool:
    query = """SELECT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
        JOIN pg_roles member ON member.oid = m.member WHERE r.rolname = %s AND member.rolname = %s)"""
    return connection.execute(query, (APP, role)).fetchone() == (True,)


_MAKE = sql.SQL("""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) THEN
            CREATE ROLE {name} LOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another process was first
    END $$
""")
