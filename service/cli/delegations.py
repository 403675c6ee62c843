"""`loupe delegations`: lend the right to approve to another holder, list, and take back."""

from typing import Annotated

import typer

from loupe.paths import path_to
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
from service.cli.short_ids import full_id
from service.terminal.keys import delegations_view

delegation_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Lend your right to approve until a date, or take it back."
)


@delegation_commands.command("lend")
def lend_approval(
    holder: Annotated[
        str, typer.Argument(metavar="HOLDER", help="Holder who may approve for you, as `loupe me` shows it.")
    ],
    until: Annotated[
        str,
        typer.Option(metavar="WHEN", help="Day (UTC) or time at which it ends, at most 92 days from now."),
    ],
    note: Annotated[str | None, typer.Option(help="Reason, kept with it.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Let another holder approve for you until a date, such as during your holidays."""
    wanted = {"holder": holder, "ends_at": until if "T" in until else f"{until}T00:00:00Z"}
    if note is not None:
        wanted["note"] = note
    with open_client(url, api_key) as client:
        made = client.post("/v1/delegations", wanted)
    if as_json:
        print_json(made)
        return
    console().print(delegations_view([made]))
    console().print(f"Take it back with: loupe delegations end {made['id']}")


@delegation_commands.command("list")
def list_delegations(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List who lent approval to whom, newest first; the newest line of two holders applies."""
    with open_client(url, api_key) as client:
        found = client.get("/v1/delegations")["items"]
    if as_json:
        print_json(found)
        return
    console().print(delegations_view(found) if found else "Nobody has lent approval.")


@delegation_commands.command("end")
def end_delegation(
    delegation_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the delegation, or its beginning.")
    ],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Take lent approval back from now on."""
    with open_client(url, api_key) as client:
        delegation_id = full_id(client, "delegation", delegation_id)
        ended = client.post(path_to("delegations", delegation_id, "end"))
    if as_json:
        print_json(ended)
        return
    console().print("The approval is taken back.")
