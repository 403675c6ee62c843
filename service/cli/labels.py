"""`loupe labels`: true labels of an order's tiles, and how many labels they prove right."""

from pathlib import Path
from typing import Annotated

import typer

from loupe.calls import send_file
from loupe.paths import path_to
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
from service.cli.prices import MEDIA_TYPES
from service.cli.short_ids import full_id
from service.terminal.labels import truth_view

label_commands = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Give true labels of tiles, and show how many labels are right.",
)

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order, or its beginning.")]


@label_commands.command("give")
def give_labels(
    order_id: OrderId,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="True labels, .csv or .json.", exists=True, dir_okay=False),
    ],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Give the true labels in FILE, and show how many labels they prove right. Safe to repeat.

    A CSV file has the columns tile and true_label, and one row for each tile. Tiles that it leaves out keep
    their true labels; an empty cell takes one back.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise UsageError(f"{file.name} is neither .csv nor .json.")
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        found = client.run(send_file("PUT", path_to("orders", order_id, "truth"), file, media_type))
    if as_json:
        print_json(found)
        return
    console().print(truth_view(found))


@label_commands.command("show")
def show_labels(
    order_id: OrderId, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Show how many labels of an order are right, by class, where the true label is known."""
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        found = client.get(path_to("orders", order_id, "truth"))
    if as_json:
        print_json(found)
        return
    console().print(truth_view(found))
