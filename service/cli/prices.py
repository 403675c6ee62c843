"""`loupe prices`: import and list the price lists of providers."""

from pathlib import Path
from typing import Annotated

import typer

from loupe.calls import send_file
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.terminal.documents import price_lists_view

price_commands = typer.Typer(cls=Commands, no_args_is_help=True, help="Import and list price lists.")

MEDIA_TYPES = {".csv": "text/csv", ".json": "application/json"}


@price_commands.command("import")
def import_price_lists(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="File of price lists, .csv or .json.", exists=True, dir_okay=False
        ),
    ],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Publish all price lists of FILE. If any row is wrong, publish none and list the errors by row.

    The first row of a CSV file names the columns: name, provider, product, gsd_m, currency, price_per_km2,
    and optionally any other field of a price list. Write tiers as "500:7; 1000:5": each km2 beyond 500 km2
    costs 7, and each beyond 1000 km2 costs 5.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise UsageError(
            f"{file.name} is neither .csv nor .json. Give a file of price lists in one of these formats."
        )
    with open_client(url, api_key) as client:
        made = client.run(send_file("POST", "/v1/price-lists/import", file, media_type))
    if as_json:
        print_json(made)
        return
    console().print(price_lists_view(made["items"]))
    console().print(f"{made['published']} published, {made['unchanged']} unchanged.")


@price_commands.command("list")
def list_price_lists(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List every version of every price list, including the shipped examples."""
    with open_client(url, api_key) as client:
        found = list(client.items("/v1/price-lists"))
    if as_json:
        print_json(found)
        return
    console().print(price_lists_view(found))
