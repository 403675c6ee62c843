"""`loupe keys`: run on the server's machine, directly on its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from service.cli.connection import Commands, console
from service.cli.operating import opened_database

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# The server's code takes seconds to import (torch, GDAL): only the commands that need it pay for it.
# ruff: noqa: PLC0415

keys = typer.Typer(cls=Commands, no_args_is_help=True, help="Manage API keys (on the server's machine).")
KeyId = Annotated[
    str, typer.Argument(metavar="ID", help="The eight letters after loupe_, as `loupe keys list` shows them.")
]


@keys.command("list")
def print_keys() -> None:
    """List the API keys, without their secrets."""
    from service.access import repository

    table = Table("ID", "Name", "Holder", "Created", "Revoked", box=None)
    with _opened() as session:
        for row in repository.keys_of(session, repository.first_workspace(session).id):
            revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else "no"
            table.add_row(row.id, row.name, row.holder, f"{row.created_at:%Y-%m-%d %H:%M}", revoked)
    console().print(table)


@keys.command("create")
def print_new_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name that says who uses the key.")],
) -> None:
    """Make an API key for a new holder and print it, once: only its digest is kept."""
    from service.access import repository

    _check_name(name)
    with _opened() as session:
        key = repository.create_key(session, repository.first_workspace(session), name)
    typer.echo(key)


@keys.command("rotate")
def print_replacement(key_id: KeyId) -> None:
    """Replace a key: print a new one with the same name, once, and revoke the old one."""
    from service.access import repository

    with _opened() as session:
        workspace = repository.first_workspace(session)
        key, _ = repository.replace_key(session, workspace.id, key_id, holder=None)
    typer.echo(key)


@keys.command("revoke")
def revoke_for_good(
    key_id: KeyId,
    last: Annotated[
        bool, typer.Option("--last", help="Revoke the key even if it is the last one in use.")
    ] = False,
) -> None:
    """Close a key for good. Requests and dashboard sessions with it are refused from now on."""
    from service.access import repository

    with _opened() as session:
        workspace = repository.first_workspace(session)
        repository.close_key(session, workspace.id, key_id, allow_last=last)
    console().print(f"The key {key_id} is revoked.")


def _check_name(name: str) -> None:
    """Raise typer.BadParameter for a name that `POST /v1/keys` would refuse."""
    from pydantic import ValidationError

    from service.access.schemas import KeyIn

    try:
        KeyIn(name=name)
    except ValidationError as error:
        raise typer.BadParameter(
            "A name has 1 to 100 characters and no control characters.", param_hint="NAME"
        ) from error


@contextmanager
def _opened() -> "Iterator[Session]":
    """Open one transaction on the server's database."""
    with opened_database() as database, database.sessions.begin() as session:
        yield session
