"""`loupe keys` and `loupe workspaces`, on the server's database, and `loupe me`, over HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    Url,
    console,
    open_client,
    print_json,
)
from service.cli.operating import opened_database, place_of_database
from service.cli.short_ids import only_one
from service.terminal.keys import KEY, WORKSPACE, as_document, key_view, keys_view, workspaces_view

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.access.schemas import KeyIn

# The server's code takes seconds to import (torch, GDAL): only the commands that need it pay for it.
# ruff: noqa: PLC0415

keys = typer.Typer(cls=Commands, no_args_is_help=True, help="Manage API keys (on the server's machine).")
workspaces = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Create and list workspaces (on the server's machine)."
)
KeyId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The eight letters after loupe_, as `loupe keys list` shows them, or their beginning.",
    ),
]
InWorkspace = Annotated[str, typer.Option("--workspace", metavar="NAME", help="Workspace of the key.")]
ROLES = "Rights of the key: viewer, planner, buyer, approver, finance or admin."
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        metavar="WHEN",
        help="Day (UTC) or time from which the key opens nothing: 2030-01-01 or 2030-01-01T08:00:00Z.",
    ),
]
DEFAULT = "default"
SHORT = range(4, 8)
"""Lengths at which the beginning of an id of a key or a person is looked up."""


@keys.command("list")
def print_keys(workspace: InWorkspace = DEFAULT, as_json: AsJson = False) -> None:
    """List the API keys of a workspace, without their secrets."""
    from service.access import repository

    with opened() as session:
        found = repository.find_workspace(session, workspace)
        rows = repository.keys_of(session, found.id)
        if as_json:
            print_json([as_document(row, KEY) for row in rows])
        else:
            console().print(keys_view(rows))


@keys.command("create")
def print_new_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name that says who uses the key.")],
    role: Annotated[str, typer.Option("--role", help=ROLES)] = "viewer",
    expires: Expires = None,
    workspace: InWorkspace = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Make an API key for a new holder and print it, once: only its digest is kept."""
    from service.access import repository

    wanted = _read(name, role, expires)
    with opened() as session:
        found = repository.find_workspace(session, workspace)
        key = repository.create_key(session, found, wanted.name, wanted.role, wanted.expires_at)
    _print_key(key, workspace, as_json=as_json)


@keys.command("rotate")
def print_replacement(
    key_id: KeyId,
    overlap: Annotated[
        float, typer.Option(min=0, max=720, help="Hours for which the old key stays valid.")
    ] = 0,
    role: Annotated[str | None, typer.Option("--role", help=ROLES)] = None,
    expires: Expires = None,
    last: Annotated[
        bool, typer.Option("--last", help="Change the role even if the key is the last admin key.")
    ] = False,
    workspace: InWorkspace = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Replace a key: print a new one with the same name, once, and revoke the old one.

    Role and expiry stay as they are unless they are given.
    """
    from service.access import ending, repository

    wanted = _read("rotated", role or "viewer", expires)
    rotation = ending.Rotation(
        role=wanted.role if role else None,
        expires_at=wanted.expires_at,
        overlap=timedelta(hours=overlap),
        allow_last=last,
    )
    with opened() as session:
        found = repository.find_workspace(session, workspace)
        key_id = full_key_id(key_id, [row.id for row in repository.keys_of(session, found.id)])
        key, _ = ending.replace_key(session, found.id, key_id, None, rotation)
    _print_key(key, workspace, as_json=as_json)


@keys.command("revoke")
def revoke_for_good(
    key_id: KeyId,
    last: Annotated[
        bool, typer.Option("--last", help="Revoke the key even if it is the last admin key in use.")
    ] = False,
    workspace: InWorkspace = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Close a key for good. Requests and dashboard sessions with it are refused from now on."""
    from service.access import ending, repository

    with opened() as session:
        found = repository.find_workspace(session, workspace)
        key_id = full_key_id(key_id, [row.id for row in repository.keys_of(session, found.id)])
        ending.close_key(session, found.id, key_id, None, allow_last=last)
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        console().print(f"The key {key_id} is revoked.")


@workspaces.command("list")
def print_workspaces(as_json: AsJson = False) -> None:
    """List the workspaces with the number of their keys in use."""
    from service.access import repository

    with opened() as session:
        rows = repository.workspaces(session)
        if as_json:
            print_json([as_document(row, WORKSPACE) | {"keys_in_use": used} for row, used in rows])
        else:
            console().print(workspaces_view(rows))


@workspaces.command("create")
def print_new_workspace(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the workspace.")],
    as_json: AsJson = False,
) -> None:
    """Make a workspace with the example price lists, and print its first admin key, once."""
    from service.access import repository
    from service.pricing.repository import ensure_examples_everywhere

    _read(name, "admin", None)
    with opened() as session:
        key = repository.create_key(session, repository.create_workspace(session, name), "first")
        ensure_examples_everywhere(session)
    _print_key(key, name, as_json=as_json)


def full_key_id(typed: str, ids: Sequence[str], kind: str = "key", lists: str = "loupe keys list") -> str:
    """Return the id of the one key or person whose id begins with a text; another text comes back as it is.

    UsageError if no id begins so, or several do.
    """
    if len(typed) not in SHORT:
        return typed
    return only_one([one for one in ids if one.startswith(typed.lower())], typed, (kind,), (lists,))


def _print_key(key: str, workspace: str, *, as_json: bool) -> None:
    """Print a key on standard output, and beside it which database knows it: no other server takes it."""
    from service.access.keys import id_of

    where = place_of_database()
    console(stderr=True).print(
        f'A key for the workspace "{workspace}", known to {where} and shown this once:'
    )
    if as_json:
        print_json({"id": id_of(key), "key": key, "workspace": workspace})
    else:
        typer.echo(key)


def me(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Show the workspace, role and expiry of your API key."""
    with open_client(url, api_key) as client:
        mine = client.get("/v1/me")
    if as_json:
        print_json(mine)
        return
    console().print(key_view(mine))


def _read(name: str, role: str, expires: str | None) -> "KeyIn":
    """Read what `POST /v1/keys` would read; typer.BadParameter for what it would refuse."""
    from pydantic import ValidationError

    from service.access.schemas import KeyIn

    hints = {"name": "NAME", "role": "--role", "expires_at": "--expires"}
    when = f"{expires}T00:00:00Z" if expires is not None and "T" not in expires else expires
    try:
        return KeyIn.model_validate({"name": name, "role": role, "expires_at": when})
    except ValidationError as error:
        (fault, *_) = error.errors()
        field = str(fault["loc"][0])
        said = (
            "A name has 1 to 100 characters and no control characters." if field == "name" else fault["msg"]
        )
        raise typer.BadParameter(said, param_hint=hints[field]) from error


@contextmanager
def opened() -> "Iterator[Session]":
    """Open one transaction on the server's database."""
    with opened_database() as database, database.sessions.begin() as session:
        yield session
