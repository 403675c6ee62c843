"""`loupe order`, `loupe approve`, `loupe deliver` and `loupe classify`: from a plan to labels."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from service.cli.budgets import find_budget
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    Bands,
    Radiometry,
    Url,
    UsageError,
    console,
    open_client,
)
from service.client import Client, ClientError
from service.terminal.blocks import money, plural
from service.terminal.documents import classification_view, order_view

PATCH_FILE = re.compile(r"tile-(\d+)-patch-(\d+)\.tiff?", re.IGNORECASE)

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer of the server as JSON.")]


def order(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan.")],
    budget: Annotated[
        str | None,
        typer.Option(help="Budget, by name or id. Default: the only budget in the currency of the plan."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Order the patches of a plan. HOLDS their cost in a budget, after asking for confirmation."""
    with open_client(url, api_key) as client:
        budget_id = None if budget is None else find_budget(client, budget)["id"]
        if not yes:
            planned = client.get(f"/v1/plans/{plan}")
            what = f"{plural(planned['patches']['bought'], 'patch')} for {money(planned['cost'])}"
            payer = f'budget "{budget}"' if budget else f"the only {planned['cost']['currency']} budget"
            typer.confirm(f"Order {what}? The amount will be held in {payer}.", abort=True, err=True)
        placed = client.create_order(plan, budget_id)
    if as_json:
        typer.echo(json.dumps(placed, indent=2))
        return
    console().print(order_view(placed))
    if placed["status"] == "held":
        console().print(f"\nThe order waits for approval by a second key: loupe approve {placed['id']}")
    elif placed["counts"]["awaited"]:
        console().print(f"\nTo upload the bought patches: loupe deliver {placed['id']} --folder DIR")


def approve(
    order_id: OrderId,
    reject: Annotated[
        bool, typer.Option("--reject", help="Reject the order and RELEASE its held money.")
    ] = False,
    note: Annotated[
        str | None, typer.Option(help="Reason for the decision; kept in the history of the order.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Approve or reject an order that needs a second key. The key that ordered cannot decide."""
    with open_client(url, api_key) as client:
        decided = client.decide(order_id, "reject" if reject else "approve", note)
    console().print(order_view(decided))


def deliver(  # noqa: PLR0913  (a command's parameters are its options)
    order_id: OrderId,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="One patch as GeoTIFF; needs --tile and --patch."),
    ] = None,
    tile: Annotated[int | None, typer.Option(help="Number of the tile that FILE belongs to.", min=0)] = None,
    patch: Annotated[
        int | None, typer.Option(help="Number of the patch in its tile: 4 x column + row.", min=0, max=15)
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder with files named tile-<t>-patch-<p>.tif.", file_okay=False)
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Price of each patch, if it differs from the plan.")
    ] = None,
    accept_price: Annotated[
        bool, typer.Option("--accept-price", help="HOLD more money if --price exceeds what the order holds.")
    ] = False,
    bands: Bands = None,
    radiometry: Radiometry = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Upload bought patches. SETTLES the share of each from the held money, or --price. Safe to repeat."""
    files = _files(file, tile, patch, folder)
    options: dict[str, str | None] = {"bands": bands, "radiometry": radiometry, "price": price}
    options["accept_price"] = "true" if accept_price else None
    with open_client(url, api_key) as client:
        refused = _send_all(client, order_id, files, **options)
        state = client.get(f"/v1/orders/{order_id}")
    console().print(order_view(state))
    if refused:
        raise UsageError("\n".join([f"{plural(len(refused), 'file')} refused:", *refused]))


def _files(
    file: Path | None, tile: int | None, patch: int | None, folder: Path | None
) -> list[tuple[int, int, Path]]:
    if file is None and folder is not None and tile is None and patch is None:
        return _folder_files(folder)
    if file is not None and folder is None and tile is not None and patch is not None:
        return [(tile, patch, file)]
    raise UsageError("Give either --folder DIR, or FILE with --tile and --patch.")


def _folder_files(folder: Path) -> list[tuple[int, int, Path]]:
    found = [(match, path) for path in folder.iterdir() if (match := PATCH_FILE.fullmatch(path.name))]
    if not found:
        raise UsageError(
            f"No file in {folder} is named like tile-0-patch-5.tif. Rename the files and try again."
        )
    return sorted((int(match[1]), int(match[2]), path) for match, path in found)


def _send_all(
    client: Client, order_id: str, files: Sequence[tuple[int, int, Path]], **options: str | None
) -> list[str]:
    """Send every file and return one line per refused file; a refusal does not stop the others."""
    refused = []
    err = console(stderr=True)
    watched = track(files, "Delivering", console=err, transient=True, disable=not err.is_terminal)
    for tile, patch, path in watched:
        try:
            client.deliver(order_id, tile, patch, path.read_bytes(), **options)
        except ClientError as error:
            refused.append(f"{path.name}: {' '.join(str(error).splitlines())}")
    return refused


def classify(
    order_id: OrderId,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Classify with the patches delivered so far.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Classify every tile of an order, beside the label from low resolution only."""
    with open_client(url, api_key) as client:
        labelled = client.classify(order_id, allow_partial=allow_partial)
    if as_json:
        typer.echo(json.dumps(labelled, indent=2))
        return
    console().print(classification_view(labelled))
