"""`loupe serve`, `loupe orders`, `loupe db`: run on the server's machine."""

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from service.cli.connection import Commands, UsageError, console
from service.terminal.blocks import plural

if TYPE_CHECKING:
    from service.settings import Settings

# The server's code takes seconds to import (torch, GDAL): only the commands that need it pay for it.
# ruff: noqa: PLC0415

orders = typer.Typer(cls=Commands, no_args_is_help=True, help="Look after orders (on the server's machine).")
db = typer.Typer(cls=Commands, no_args_is_help=True, help="Look after the database.")


def read_settings() -> "Settings":
    """Settings of the environment. UsageError that names the variables when some are wrong."""
    from service.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        faults = [f"LOUPE_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise UsageError("\n".join(["Settings are wrong.", *faults])) from error


def serve() -> None:
    """Start the server. Prints its address and, the first time, an API key. Settings: LOUPE_*."""
    from service.serving import run

    raise typer.Exit(run(read_settings()))


@orders.command("expire")
def expire_overdue_orders() -> None:
    """End every order whose time is up and RELEASE what it holds. Worth running every day."""
    from service.database.engine import open_database
    from service.orders.expiry import expire_orders

    database = open_database(read_settings())
    try:
        expired = expire_orders(database)
    finally:
        database.engine.dispose()
    console().print(f"{plural(expired, 'order')} expired.")


@db.command("upgrade")
def upgrade_database() -> None:
    """Bring the database's schema to this version. `loupe serve` does it itself for the embedded one."""
    from service.database.engine import database_url, upgrade

    settings = read_settings()
    upgrade(database_url(settings))
    console().print("The database is up to date.")
    if settings.database_url is not None:
        console().print("Serve as a role that cannot get round the ledger: loupe db grant ROLE")


@db.command("grant")
def grant_serving(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Login role; made if there is none.")],
    password: Annotated[
        str | None,
        typer.Option(
            envvar="LOUPE_SERVER_PASSWORD", help="Its password from now on. Default: left as it is."
        ),
    ] = None,
) -> None:
    """Let a role serve: it reads, and moves money by the ledger's functions alone. Run as the owner."""
    from service.database.engine import connect, database_url
    from service.database.roles import let_serve, ways_round

    url = database_url(read_settings())
    let_serve(url, role, password or None)
    engine = connect(url).engine
    found = ways_round(engine, role)
    engine.dispose()
    if found:
        raise UsageError(f"{role} may serve now, but can get round the ledger: {'; '.join(found)}.")
    console().print(f"{role} may serve: put it into the server's LOUPE_DATABASE_URL.")
