"""`loupe trace`: follow one payment from the savings report down to the scene it was decided on."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from loupe import Client
from loupe.answers.base import Json
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
from service.terminal.blocks import format_area, money, plural
from service.terminal.tables import Line, columns

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
        console().print(trace_view(followed))
    broken = [proof["rule"] for proof in followed["proofs"] if proof["holds"] is False]
    if broken:
        raise UsageError("\n".join([f"{plural(len(broken), 'check')} failed:", *broken]))


def _full_name(client: Client, what: str) -> str:
    """Return an order or a delivery with the full id of the order. Only digits are the seq of a transfer."""
    if what.isdecimal():
        return what
    order, slash, place = what.partition("/")
    return full_id(client, "order", order) + slash + place


def trace_view(trace: Json) -> Tree:
    """Return a tree with one branch per step: its document, how many checks hold, and which are BROKEN.

    A check of a file whose pixels were deleted has nothing to look at, and is named as "deleted".
    """
    tree = Tree(Text(_title(trace), "bold"), guide_style="dim")
    for step, shown in _steps(trace):
        branch = tree.add(Text(step, "bold"))
        for one in shown:
            branch.add(one)
        for one in _verdicts([proof for proof in trace["proofs"] if proof["step"] == step]):
            branch.add(one)
    return tree


def _title(trace: Json) -> str:
    if "order" not in trace:
        (line,) = trace["ledger"]
        return (
            f"{money(line['amount'])}: {line['kind']} of budget {line['budget']}, which belongs to no order"
        )
    if len(trace["deliveries"]) == 1:
        (delivery,) = trace["deliveries"]
        return f"{money(delivery['settled'])} for patch {delivery['patch']} of tile {delivery['tile']}"
    return f"Order {trace['order']['id']}"


def _verdicts(proofs: Sequence[Json]) -> Iterable[Text]:
    """Say how many checks of a step hold, and name the others; a single check is named either way."""
    broken = [proof for proof in proofs if proof["holds"] is False]
    deleted = [proof for proof in proofs if proof["holds"] is None]
    held = len(proofs) - len(broken) - len(deleted)
    if len(proofs) == 1 and held:
        yield Text.assemble(("holds", "green"), f": {proofs[0]['rule']}")
    elif held:
        yield Text.assemble((f"{held:,} of {len(proofs) - len(deleted):,} checks hold", "green"))
    for proof in deleted:
        yield Text.assemble(("deleted", "yellow"), f": {proof['rule']}")
    for proof in broken:
        yield Text.assemble(("BROKEN", "bold red"), f": {proof['rule']}")


def _steps(trace: Json) -> Iterable[tuple[str, list[RenderableType]]]:
    if "order" not in trace:
        yield "ledger", [_ledger(trace)]
        return
    yield "report", [_report(trace["report"]), *_savings(trace["report"])]
    yield "ledger", [_ledger(trace)]
    yield "invoice", [_invoices(trace["invoices"])]
    yield "order", [_order(trace["order"])]
    yield "delivery", [_deliveries(trace)] if trace["deliveries"] else [Text("nothing delivered yet")]
    yield "plan", [_plan(trace["plan"], trace["bill"])]
    yield "price list", [_price_list(trace["price_list"])]
    yield "bundle", [_bundle(trace["bundle"])]
    yield "input", [_input(trace["input"])]


def _input(scene: Json) -> Text:
    size = "pixels deleted" if scene["size"] is None else f"{scene['size']:,} bytes"
    return Text(f"{size}, SHA-256 {scene['sha256']}")


def _report(report: Json) -> Line:
    return Line(
        f"{money(report['settled'])} settled of {money(report['planned_cost'])}; "
        f"buying every patch would cost {money(report['scene_baseline'])}"
    )


def _savings(report: Json) -> list[RenderableType]:
    found = {kind: report["savings"][kind] for kind in ("realised", "ordered", "list")}
    return [
        Line(f"{kind} saving {money(saving)}, against {saving['baseline']}")
        for kind, saving in found.items()
        if saving
    ]


def _ledger(trace: Json) -> RenderableType:
    rows = [
        (
            str(line["seq"]),
            line["at"][:19].replace("T", " "),
            line["kind"],
            money(line["amount"]),
            f"{line['reference']}\n{line['hash']}",
        )
        for line in trace["ledger"]
    ]
    titles = ("Seq", "When (UTC)", "Movement", "Amount", "Reference and hash")
    return (
        columns(titles, rows, right={"Seq", "Amount"})
        if rows
        else Text("no transfer: the order was free of charge")
    )


def _invoices(lines: Sequence[Json]) -> RenderableType:
    rows = [
        (
            f"{one['kind'].replace('-', ' ')} {one['number']}",
            one["date"],
            money(one["amount"]),
            one["reference"],
        )
        for one in lines
    ]
    titles = ("Document", "Date", "Amount", "Reference")
    return columns(titles, rows, right={"Amount"}) if rows else Text("no invoice names this order")


def _order(order: Json) -> Text:
    counts = order["counts"]
    came = f"{counts['delivered']:,} of {plural(counts['bought'], 'patch')} delivered"
    return Text(f"{order['id']} {order['status'].replace('_', ' ')}: {came}")


def _deliveries(trace: Json) -> RenderableType:
    rows = [
        (str(one["tile"]), str(one["patch"]), money(one["settled"]), one["sha256"])
        for one in trace["deliveries"]
    ]
    return columns(("Tile", "Patch", "Settled", "SHA-256"), rows, right={"Tile", "Patch", "Settled"})


def _plan(plan: Json, bill: Json) -> Line:
    billed = format_area(bill["chosen"]["billable_km2"])
    return Line(f"{plan['id']}: {plan['decision']} {money(plan['cost'])} for {billed} billed")


def _price_list(prices: Json) -> Text:
    kind = ", an example" if prices["example"] else ""
    return Text(
        f"{prices['name']} version {prices['version']}{kind}: {prices['product']}, source: {prices['source']}"
    )


def _bundle(bundle: Json) -> Text:
    return Text(f"{bundle['name']} {bundle['version']}, SHA-256 {bundle['sha256']}")
