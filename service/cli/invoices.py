"""`loupe invoices`: import invoices and credit notes, and compare them with the ledger."""

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
from service.cli.prices import MEDIA_TYPES
from service.terminal.blocks import plural
from service.terminal.invoices import differences_view, invoices_view

invoice_commands = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Import invoices and credit notes, and compare them with the ledger.",
)


@invoice_commands.command("import")
def import_invoices(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="File of invoices, .csv or .json.", exists=True, dir_okay=False),
    ],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Import all invoices and credit notes of FILE, or none if one is invalid. Safe to repeat.

    A CSV file has one row for each line, with the columns number, kind (invoice or credit-note), provider,
    date, currency, tax, reason, reference, amount and description. The reference contains the order's id.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise UsageError(f"{file.name} is neither .csv nor .json.")
    with open_client(url, api_key) as client:
        done = client.run(send_file("POST", "/v1/invoices", file, media_type))
    if as_json:
        print_json(done)
        return
    console().print(invoices_view(done["items"]))
    console().print(f"\n{plural(done['imported'], 'document')} imported, {done['unchanged']:,} known before.")
    console().print("To compare them with the ledger: loupe invoices differences")


@invoice_commands.command("list")
def list_invoices(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the imported invoices and credit notes, newest first."""
    with open_client(url, api_key) as client:
        found = list(client.items("/v1/invoices"))
    if as_json:
        print_json(found)
        return
    console().print(invoices_view(found))


@invoice_commands.command("differences")
def list_differences(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List what is paid and not invoiced, invoiced and not paid, or of another amount."""
    with open_client(url, api_key) as client:
        found = client.get("/v1/invoices/differences")["items"]
    if as_json:
        print_json(found)
        return
    console().print(differences_view(found) if found else "Invoices and ledger agree.")
