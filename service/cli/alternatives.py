"""`loupe alternatives`: compare a plan or an order with other ways to spend its money."""

import json
from typing import Annotated

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Url, console, open_client
from service.terminal.alternatives import alternatives_view


def alternatives(
    document_id: Annotated[
        str, typer.Argument(metavar="PLAN", help="Id of the plan; with --order, of an order.")
    ],
    order: Annotated[
        bool, typer.Option("--order", help="Compare what an order bought, by what was paid for it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the alternatives as JSON.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Compare a plan with buying nothing, central, random or all patches, and with other price lists."""
    path = "/v1/reports/savings/orders" if order else "/v1/plans"
    with open_client(url, api_key) as client, console(stderr=True).status("Pricing the alternatives"):
        found = client.get(f"{path}/{document_id}/alternatives")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console().print(alternatives_view(found))
