"""A trace as a terminal shows it: one branch a step, from the report down to the scene's bytes."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from service.client import Json
from service.terminal.blocks import area, columns, money, plural


def trace_view(trace: Json) -> Tree:
    """Every step with what it says and what was computed again: holds, or BROKEN."""
    tree = Tree(Text(_title(trace), "bold"), guide_style="dim")
    for step, shown in _steps(trace):
        branch = tree.add(Text(step, "bold"))
        for one in shown:
            branch.add(one)
        for proof in trace["proofs"]:
            if proof["step"] == step:
                branch.add(_verdict(proof))
    return tree


def _title(trace: Json) -> str:
    if "order" not in trace:
        (line,) = trace["ledger"]
        return f"{money(line['amount'])}: {line['kind']} of budget {line['budget']}; no order spent it"
    if len(trace["deliveries"]) == 1:
        (delivery,) = trace["deliveries"]
        return f"{money(delivery['settled'])} for patch {delivery['patch']} of tile {delivery['tile']}"
    return f"Order {trace['order']['id']}"


def _verdict(proof: Json) -> Text:
    word, style = ("holds", "green") if proof["holds"] else ("BROKEN", "bold red")
    return Text.assemble((word, style), f": {proof['rule']}")


def _steps(trace: Json) -> Iterable[tuple[str, list[RenderableType]]]:
    if "order" not in trace:
        yield "ledger", [_ledger(trace)]
        return
    yield "report", [_report(trace["report"]), *_savings(trace["report"])]
    yield "ledger", [_ledger(trace)]
    yield "order", [_order(trace["order"])]
    yield "delivery", [_deliveries(trace)] if trace["deliveries"] else [Text("none yet")]
    yield "plan", [_plan(trace["plan"], trace["bill"])]
    yield "price list", [_price_list(trace["price_list"])]
    yield "bundle", [_bundle(trace["bundle"])]
    yield "input", [Text(f"{trace['input']['size']:,} bytes, SHA-256 {trace['input']['sha256']}")]


def _report(report: Json) -> Text:
    return Text(
        f"{money(report['settled'])} settled of {money(report['cost'])}, "
        f"where everything would be {money(report['baseline'])}"
    )


def _savings(report: Json) -> list[RenderableType]:
    found = {kind: report["savings"][kind] for kind in ("list", "billable", "realised")}
    return [
        Text(f"{kind} saving {money(saving)}, against {saving['baseline']}")
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
    titles = ("Seq", "When (UTC)", "Movement", "Amount", "For, and hash")
    return columns(titles, rows, right={"Seq", "Amount"}) if rows else Text("nothing: it cost nothing")


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


def _plan(plan: Json, bill: Json) -> Text:
    billed = area(bill["chosen"]["billable_km2"])
    return Text(f"{plan['id']}: {plan['decision']} {money(plan['cost'])} for {billed} billed")


def _price_list(prices: Json) -> Text:
    kind = ", an example" if prices["example"] else ""
    return Text(
        f"{prices['name']} version {prices['version']}{kind}: {prices['product']}, from {prices['source']}"
    )


def _bundle(bundle: Json) -> Text:
    return Text(f"{bundle['name']} {bundle['version']}, SHA-256 {bundle['sha256']}")
