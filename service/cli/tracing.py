"""`loupe trace`: follow one payment from the savings report down to the scene it was decided on."""

from typing import Annotated

import typer

from loupe import Client
from loupe.paths import is_segment
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.short_ids import full_id
from service.terminal.blocks import plural
from service.terminal.traces import trace_view

# ruff: noqa: PLC0415  (what recomputes the money takes a second to import)


def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="An order id or its beginning, a delivery as ORDER/TILE/PATCH, or the seq or id of a "
            "transfer in the ledger.",
        ),
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="List every transfer, invoice line and delivery, not their sums.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Follow a payment from the savings report to the ledger, order, plan, price list and scene.

    Recomputes hashes, costs and savings on this machine. The exit code is 1 if any check fails.
    """
    from service.cli.proofs import follow

    with open_client(url, api_key) as client, console(stderr=True).status("Tracing"):
        followed = follow(client, _full_name(client, what))
    if as_json:
        print_json(followed)
    else:
        console().print(trace_view(followed, everything=everything))
    broken = [proof["rule"] for proof in followed["proofs"] if proof["holds"] is False]
    if broken:
        raise UsageError("\n".join([f"{plural(len(broken), 'check')} failed:", *broken]))


def _full_name(client: Client, what: str) -> str:
    """Return an order or a delivery with the full id of the order. Only digits are the seq of a transfer."""
    order, slash, place = what.partition("/")
    if what.isdecimal() or not is_segment(order):
        return what  # `follow` says what can be traced
    return full_id(client, "order", order) + slash + place
