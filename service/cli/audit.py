"""`loupe audit`: the audit log of a workspace, or of the whole server."""

from typing import Annotated

import typer

from loupe.answers.base import Json
from service.cli.connection import DEFAULT_URL, ApiKey, AsJson, Url, console, open_client, print_json
from service.cli.operating import opened_database
from service.terminal.keys import events_view

# ruff: noqa: PLC0415  (importing the database code takes a second)


def audit(
    limit: Annotated[int, typer.Option(help="Number of events to show, newest first.", min=1, max=100)] = 20,
    kind: Annotated[str | None, typer.Option(help="Only events of this kind, such as key-revoked.")] = None,
    server: Annotated[
        bool,
        typer.Option(
            "--server",
            help="Events of every workspace, and keys that nobody knows (on the server's machine).",
        ),
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List who signed in or was refused, what happened to keys, and what was exported. Needs an admin key."""
    if server:
        found = _of_the_server(limit, kind)
    else:
        with open_client(url, api_key) as client:
            found = client.get("/v1/audit", limit=limit, kind=kind)["items"]
    if as_json:
        print_json(found)
        return
    console().print(events_view(found) if found else "There are no such events.")


def _of_the_server(limit: int, kind: str | None) -> list[Json]:
    from service.access.events import newest_events
    from service.access.schemas import AuditEventOut

    with opened_database() as database, database.sessions() as session:
        rows = newest_events(session, limit, kind)
        return [AuditEventOut.of(row).model_dump(mode="json") for row in rows]
