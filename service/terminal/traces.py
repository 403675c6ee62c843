"""View of a payment that was followed down to the scene."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from loupe.answers.base import Json
from service.terminal.blocks import format_area, money, plural
from service.terminal.tables import Line, columns

LISTED = 3
"""Most rows of a step that are listed: those of a single payment. More are summed up."""


def trace_view(trace: Json, *, everything: bool = False) -> Tree:
    """Return a tree with one branch per step: its document, how many checks hold, and which are BROKEN.

    More than `LISTED` rows of a step are summed up, unless `everything` is wanted. A check of a file whose
    pixels were deleted has nothing to look at, and is named as "deleted".
    """
    total = _count(trace["proofs"])
    tree = Tree(Text.assemble((_title(trace), "bold"), ". ", total, "."), guide_style="dim")
    for step, shown in _steps(trace, everything=everything):
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
    if len(proofs) == 1 and proofs[0]["holds"]:
        yield Text.assemble(("holds", "green"), f": {proofs[0]['rule']}")
    elif any(proof["holds"] for proof in proofs):
        yield _count(proofs)
    for proof in deleted:
        yield Text.assemble(("deleted", "yellow"), f": {proof['rule']}")
    for proof in broken:
        yield Text.assemble(("BROKEN", "bold red"), f": {proof['rule']}")


def _count(proofs: Sequence[Json]) -> Text:
    """Say how many of the checks hold that have something to look at."""
    looked = [proof["holds"] for proof in proofs if proof["holds"] is not None]
    style = "green" if all(looked) else "bold red"
    return Text(f"{sum(looked):,} of {len(looked):,} checks hold", style)


def _steps(trace: Json, *, everything: bool) -> Iterable[tuple[str, list[RenderableType]]]:
    most = None if everything else LISTED
    if "order" not in trace:
        yield "ledger", [_ledger(trace, most)]
        return
    yield "report", [_report(trace["report"]), *_savings(trace["report"])]
    yield "ledger", [_ledger(trace, most)]
    yield "invoice", [_invoices(trace["invoices"], most)]
    yield "order", [_order(trace["order"])]
    yield "delivery", [_deliveries(trace, most)] if trace["deliveries"] else [Text("nothing delivered yet")]
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


def _ledger(trace: Json, most: int | None) -> RenderableType:
    if most is not None and len(trace["ledger"]) > most:
        return _sums("Movement", [(line["kind"], line["amount"]) for line in trace["ledger"]])
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


def _sums(title: str, rows: Sequence[tuple[str, Json]]) -> RenderableType:
    """Return the number of rows of each name and currency, and the sum of their amounts."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for name, amount in rows:
        found.setdefault((name, amount["currency"]), []).append(Decimal(amount["amount"]))
    cells = [
        (name, f"{len(amounts):,}", f"{sum(amounts)} {currency}")
        for (name, currency), amounts in found.items()
    ]
    return columns((title, "Number", "Amount"), cells, right={"Number", "Amount"})


def _invoices(lines: Sequence[Json], most: int | None) -> RenderableType:
    if most is not None and len(lines) > most:
        return _sums(
            "Document", [(f"{one['kind'].replace('-', ' ')} {one['number']}", one["amount"]) for one in lines]
        )
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


def _document(line: Json) -> str:
    return f"{line['kind'].replace('-', ' ')} {line['number']}"


def _order(order: Json) -> Text:
    counts = order["counts"]
    came = f"{counts['delivered']:,} of {plural(counts['bought'], 'patch')} delivered"
    return Text(f"{order['id']} {order['status'].replace('_', ' ')}: {came}")


def _deliveries(trace: Json, most: int | None) -> RenderableType:
    if most is not None and len(trace["deliveries"]) > most:
        return _sums("Delivery", [("patch", one["settled"]) for one in trace["deliveries"]])
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
