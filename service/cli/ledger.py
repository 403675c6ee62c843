"""`loupe ledger`: list, correct and verify ledger entries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    refuse_two_forms,
)
from service.cli.operating import opened_database, settings_of_a_server
from service.cli.screen import echo
from service.cli.short_ids import full_id
from service.terminal.blocks import money, plural
from service.terminal.ledger import closes_view, findings_view, ledger_view
from service.terminal.proposals import waiting_lines

if TYPE_CHECKING:
    from service.ledger.findings import Finding
    from service.ledger.heads import Head

# ruff: noqa: PLC0415  (importing the database code takes a second)

ledger_commands = typer.Typer(cls=Commands, help="List, correct and verify ledger entries.")


@ledger_commands.callback(invoke_without_command=True)
def show_ledger(
    context: typer.Context,
    csv: Annotated[bool, typer.Option("--csv", help="Print all entries as CSV.")] = False,
    limit: Annotated[int, typer.Option(help="Number of entries to show, newest first.", min=1, max=100)] = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List every movement of money, newest first."""
    if context.invoked_subcommand is not None:
        return
    refuse_two_forms(csv=csv, as_json=as_json)
    with open_client(url, api_key) as client:
        if csv:
            for line in client.csv_lines("/v1/ledger"):
                echo(line)
            return
        page = client.get("/v1/ledger", limit=limit)
    if as_json:
        print_json(page["items"])
        return
    if not page["items"]:
        console().print("The ledger is empty. Its first entry is made when you create a budget.")
        return
    console().print(ledger_view(page["items"]))
    if any(link["rel"] == "next" for link in page["links"]):
        console().print("There are more entries: use --limit 100, or --csv for all of them.")


@ledger_commands.command("adjust")
def adjust(  # noqa: PLR0913  (a command's parameters are its options)
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order, or its beginning.")],
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="Either refund (money came back) or charge (more was billed)."),
    ],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Amount of money, such as "12.50".')],
    reason: Annotated[
        str, typer.Option(help="The reason, such as the number of the credit note or invoice.")
    ],
    tile: Annotated[
        int | None, typer.Option(help="Tile of the refunded delivery; use with --patch.", min=0)
    ] = None,
    patch: Annotated[
        int | None, typer.Option(help="Patch of the refunded delivery: 4 x column + row.", min=0, max=15)
    ] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Record a refund or a later charge of an order. MOVES money, as a new ledger entry.

    A charge that needs a second key waits for it and moves nothing yet.
    """
    place = {name: value for name, value in (("tile", tile), ("patch", patch)) if value is not None}
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        currency = client.get(path_to("orders", order_id))["amounts"]["total"]["currency"]
        money_moved = {"amount": amount, "currency": currency}
        body = {"kind": kind, "order": order_id, "amount": money_moved, "reason": reason} | place
        made = client.post("/v1/ledger/adjustments", body)
    if as_json:
        print_json(made)
        return
    if "status" in made:
        console().print(waiting_lines([made])[0])
        return
    console().print(f"Recorded a {made['kind']} of {money(made['amount'])}. Reference: {made['reference']}")


@ledger_commands.command("close")
def close_month(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Month that is over, such as 2026-10.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Close a month: no entry is made in it any more. Prints the balances of each budget."""
    with open_client(url, api_key) as client:
        closed = client.post("/v1/ledger/closes", {"month": month})
    if as_json:
        print_json(closed)
        return
    console().print(closes_view([closed]))


@ledger_commands.command("closes")
def list_closes(
    csv: Annotated[bool, typer.Option("--csv", help="Print all closed months as CSV.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List the closed months with their balances, newest first."""
    refuse_two_forms(csv=csv, as_json=as_json)
    with open_client(url, api_key) as client:
        if csv:
            for line in client.csv_lines("/v1/ledger/closes"):
                echo(line)
            return
        found = list(client.items("/v1/ledger/closes"))
    if as_json:
        print_json(found)
        return
    console().print(closes_view(found) if found else "No month is closed: loupe ledger close MONTH")


@ledger_commands.command("heads")
def print_heads(_as_json: AsJson = False) -> None:
    """Print the newest hash of every chain as JSON. Run it on the machine of the database.

    Store the output away from the database. While `loupe ledger verify --noted FILE` still finds these
    hashes, no earlier entry was changed.
    """
    from service.ledger.heads import heads

    with opened_database() as database, database.sessions() as session:
        found = [head.to_json() for head in heads(session)]
    print_json({"at": datetime.now(UTC).isoformat(), "heads": found})


@ledger_commands.command("publish")
def publish_now(as_json: AsJson = False) -> None:
    """Publish signed heads now, as the server does every LOUPE_HEADS_SECONDS."""
    from service.ledger.publishing import publish_heads, publisher_of

    publisher = publisher_of(settings_of_a_server())
    with opened_database() as database:
        path = publish_heads(database, publisher)
    if as_json:
        print_json({"published": None if path is None else str(path)})
        return
    console().print("Nothing changed since the last publication." if path is None else f"Published {path}.")


@ledger_commands.command("verify")
def verify_ledger(
    noted: Annotated[
        Path | None,
        typer.Option(help="File written earlier by `loupe ledger heads`.", exists=True, dir_okay=False),
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="Also read and hash every stored file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash, every invariant and the money of every plan, and look for published heads.

    Run it on the machine of the database. If a rule is broken, it lists the rows and exits with code 1.
    """
    from service.ledger.audit import audit_ledger, take_snapshot
    from service.ledger.files_audit import audit_files
    from service.ledger.findings import Finding
    from service.ledger.heads import heads
    from service.ledger.publishing import published_files, publisher_of, read_published
    from service.plans.audit import audit_plans

    settings = settings_of_a_server()
    publisher = publisher_of(settings)
    published = list(read_published(publisher))
    findings = [one for one in published if isinstance(one, Finding)]
    known = [*(one for one in published if not isinstance(one, Finding)), *_read_heads(noted)]
    verifying = console(stderr=True).status("Verifying")
    with opened_database() as database, database.sessions() as session, verifying:
        take_snapshot(session)
        findings += [*audit_ledger(session, known), *audit_plans(session)]
        findings += audit_files(session, settings.blobs) if files else []
        chains = heads(session)
    seen = {
        "chains": len(chains),
        "transfers": sum(head.seq for head in chains),
        "rows": sum(head.evidence_seq for head in chains),
        "published_files": len(published_files(publisher.folder)),
    }
    _report(seen, findings, as_json=as_json)


def _report(seen: Mapping[str, int], findings: "Sequence[Finding]", *, as_json: bool) -> None:
    """Print what was verified and which rows broke a rule. UsageError if any did."""
    transfers, rows = plural(seen["transfers"], "transfer"), plural(seen["rows"], "row")
    files = plural(seen["published_files"], "published file")
    scope = f"{transfers} and {rows} in {plural(seen['chains'], 'chain')}, against {files} of heads"
    if as_json:
        print_json({**seen, "findings": [asdict(one) for one in findings]})
    elif findings:
        console().print(findings_view(findings))
    else:
        console().print(f"Verified {scope}: every rule holds.")
    if findings:
        raise UsageError(f"Verified {scope}: {plural(len(findings), 'row')} broke a rule.")


def _read_heads(path: Path | None) -> "list[Head]":
    from service.ledger.heads import Head

    if path is None:
        return []
    try:
        return [Head.from_json(one) for one in json.loads(path.read_text())["heads"]]
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} was not written by `loupe ledger heads`. Give a file that was.") from error
