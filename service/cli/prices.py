"""`loupe prices`: what providers charge."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Commands, Url, UsageError, connect, console
from service.terminal.documents import price_lists_view

prices = typer.Typer(cls=Commands, no_args_is_help=True, help="Import and list price lists.")

MEDIA_TYPES = {".csv": "text/csv", ".json": "application/json"}


@prices.command("import")
def import_price_lists(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .csv or .json file.", exists=True, dir_okay=False)
    ],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Publish every price list of FILE, or none if one is wrong; every fault is named by row.

    The first row of a CSV names the columns: name, provider, product, gsd_m, currency, price_per_km2, and
    any other field of a price list. Tiers are written "500:7; 1000:5": beyond 500 km2 a km2 costs 7.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise UsageError(f"{file.name} is neither .csv nor .json")
    with connect(url, api_key) as client:
        made = client.import_price_lists(file.read_bytes(), media_type)
    console().print(price_lists_view(made["items"]))
    console().print(f"{made['published']} published, {made['unchanged']} unchanged.")


@prices.command("list")
def list_price_lists(url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List every version of every price list, the shipped examples included."""
    with connect(url, api_key) as client:
        found = client.items("/v1/price-lists")
    console().print(price_lists_view(found))
