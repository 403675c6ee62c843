"""`loupe serve`, `loupe worker`, `loupe orders` and `loupe db`: commands for the machine of the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from service.cli.connection import AsJson, Commands, UsageError, console, print_json
from service.terminal.blocks import plural
from service.terminal.wording import plainly

if TYPE_CHECKING:
    from service.database.engine import Database
    from service.settings import Settings

# The server code takes seconds to import (torch, GDAL), so each command imports only what it needs.
# ruff: noqa: PLC0415

db_commands = typer.Typer(cls=Commands, no_args_is_help=True, help="Upgrade the database and grant roles.")


def read_settings() -> "Settings":
    """Read the settings from the environment. UsageError that names the wrong variables."""
    from service.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"LOUPE_{str(fault['loc'][0]).upper()}: {plainly(fault['msg'])}" for fault in error.errors()
        ]
        raise UsageError(
            "\n".join(["Some settings are wrong. Correct these environment variables:", *faults])
        ) from error


def settings_of_a_server() -> "Settings":
    """Read the settings of a server that has a database. UsageError where one would have to be made.

    A command with other settings than the server's would otherwise make an empty database, and keys that the
    server does not know.
    """
    from service.database.embedded import has_data

    settings = read_settings()
    if settings.database_url is None and not has_data(settings.state):
        raise UsageError(
            f"There is no database in {settings.state}, and nothing was done.\n"
            "Run the command with the settings of the server: in the folder of its `.env`, or with its "
            "LOUPE_HOME or LOUPE_DATABASE_URL. `loupe serve` makes the database of a new server."
        )
    return settings


def place_of_database() -> str:
    """Return where the database of the server is, without what opens it."""
    from sqlalchemy import make_url

    settings = read_settings()
    if settings.database_url is None:
        return f"the database in {settings.state}"
    url = make_url(settings.database_url.get_secret_value())
    return f"the database {url.database} on {url.host or 'this machine'}"


@contextmanager
def opened_database() -> "Iterator[Database]":
    """Open the database of the server for one command.

    UnavailableError unless it answers and is upgraded; UsageError when there is none, and when it refuses
    what the command asks.
    """
    from sqlalchemy.exc import DBAPIError

    from service.database.engine import check_ready, open_database

    database = open_database(settings_of_a_server())
    try:
        check_ready(database)
        yield database.of_all()
    except DBAPIError as error:
        raise UsageError(
            "The database went away, or refused what the command asked; its log says which. Check that it "
            "runs, and that LOUPE_DATABASE_URL names the role of the server."
        ) from error
    finally:
        database.engine.dispose()


def answering_url() -> str:
    """Return the URL of a database that need not be upgraded.

    UsageError if there is none, UnavailableError unless it answers.
    """
    from service.database.engine import check_answers, connect, database_url

    url = database_url(settings_of_a_server())
    database = connect(url)
    try:
        check_answers(database)
    finally:
        database.engine.dispose()
    return url


def serve() -> None:
    """Start the server and print its address. The first start also prints an API key.

    Settings are environment variables that begin with LOUPE_; .env.example lists them.
    """
    from service.privacy import keep_private
    from service.serving import run

    settings = read_settings()
    keep_private()
    raise typer.Exit(run(settings))


def worker() -> None:
    """Run jobs in a process of its own, until Ctrl-C or SIGTERM. `loupe serve` runs some beside its requests.

    It needs the settings of the server, and its folder LOUPE_HOME: uploads and stored files are there.
    """
    from service.privacy import keep_private
    from service.working import run

    settings = settings_of_a_server()
    keep_private()
    raise typer.Exit(run(settings))


def expire_overdue_orders(as_json: AsJson = False) -> None:
    """Expire every overdue order and RELEASE its held money. A running server does this by itself.

    Run it on the machine of the server.
    """
    from service.orders.expiry import expire_orders

    with opened_database() as database:
        expired = expire_orders(database)
    if as_json:
        print_json({"expired": expired})
    else:
        console().print(f"{plural(expired, 'order')} expired.")


@db_commands.command("upgrade")
def upgrade_database(as_json: AsJson = False) -> None:
    """Upgrade the database schema to this version. `loupe serve` does so for the embedded database."""
    from service.database.engine import newest_revision, upgrade

    upgrade(answering_url())
    if as_json:
        print_json({"revision": newest_revision()})
        return
    console().print("The database is up to date.")
    if read_settings().database_url is not None:
        console().print("Next, create the role for the server: loupe db grant ROLE")


@db_commands.command("grant")
def grant_serving(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Login role; created if it does not exist.")],
    password: Annotated[
        str | None,
        typer.Option(envvar="LOUPE_SERVER_PASSWORD", help="New password of the role. Default: unchanged."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Grant a role what the server needs. Run it as the owner of the database.

    The role can read, and can move money only through the functions of the ledger.
    """
    from service.database.engine import connect
    from service.database.roles import excess_privileges, let_serve

    url = answering_url()
    let_serve(url, role, password or None)
    engine = connect(url).engine
    found = excess_privileges(engine, role)
    engine.dispose()
    if as_json:
        print_json({"role": role, "excess_privileges": found})
    if found:
        raise UsageError(
            f"{role} can serve now, but it can also bypass the ledger: {'; '.join(found)}. Use another role."
        )
    if not as_json:
        console().print(f"{role} can serve now. Use it in the LOUPE_DATABASE_URL of the server.")
