"""Roles of the database: which one serves, and whether it could get round the ledger.

`migrations/rights.sql` makes the two roles and says what they may do.
"""

import logging

import psycopg
from psycopg import sql
from sqlalchemy import Engine, make_url, text

from service.errors import UnavailableError
from service.settings import RoleCheck

logger = logging.getLogger(__name__)

APP = "loupe_app"
"""The role whose members serve: they read, add rows, and move money by the ledger's functions alone."""
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
    SELECT 'it is a superuser' FROM role WHERE rolsuper
    UNION ALL SELECT 'it may bypass row security' FROM role WHERE rolbypassrls AND NOT rolsuper
    UNION ALL SELECT 'it may make roles' FROM role WHERE rolcreaterole AND NOT rolsuper
    UNION ALL SELECT 'it owns ' || string_agg(name, ', ' ORDER BY name) FROM ledger
        WHERE owned HAVING count(*) > 0
    UNION ALL SELECT 'it may write ' || string_agg(name, ', ' ORDER BY name) FROM ledger
        WHERE written AND NOT owned HAVING count(*) > 0
""")


def ways_round(engine: Engine, role: str | None = None) -> list[str]:
    """Say how `role`, or else the one that is logged in, could get round the ledger; empty if it cannot."""
    with engine.connect() as connection:
        return list(connection.execute(_FAULTS, {"role": role}).scalars())


def check_role(engine: Engine, policy: RoleCheck) -> None:
    """Warn of a role that could get round the ledger, or raise UnavailableError, as the setting says."""
    found = [] if policy == "off" else ways_round(engine)
    if not found:
        return
    said = (
        f"The role of LOUPE_DATABASE_URL can get round the ledger: {'; '.join(found)}. "
        "Serve as another, made by `loupe db grant ROLE`."
    )
    if policy == "refuse":
        raise UnavailableError(said)
    logger.warning("%s LOUPE_ROLE_CHECK=off keeps this quiet.", said)


def serve_as(url: str, role: str) -> str:
    """Return `url` with another role, which logs in without a password (the embedded server trusts it)."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def let_serve(url: str, role: str, password: str | None = None) -> None:
    """Make a login role, unless it is there, and a member of APP; a password is sent as its SCRAM hash.

    Raises UnavailableError, in words, when the role of `url` may not.
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
        except psycopg.errors.InsufficientPrivilege as error:
            raise UnavailableError(
                f"Cannot let {role} serve: {error.diag.message_primary}. Give the migrating role CREATEROLE, "
                f'or let a superuser run: CREATE ROLE "{role}" LOGIN; GRANT {APP} TO "{role}";'
            ) from error
        except psycopg.errors.UndefinedObject as error:
            raise UnavailableError(
                "The database has no role for it yet. Run `loupe db upgrade` first."
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
