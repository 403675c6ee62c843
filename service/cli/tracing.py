"""`loupe trace`: one dollar, from the report to the bytes it was decided on."""

import json
import re
from typing import Annotated, NamedTuple

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Url, UsageError, connect, console
from service.client import Client, Json, ProblemError
from service.terminal.trace import trace_view

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEQ = re.compile(r"\d{1,18}")
ORDER = re.compile(rf"(?:order:|cancel:)?({UUID})")
DELIVERY = re.compile(rf"(?:delivery:)?(({UUID})/\d+/\d+)")
ABOUT_AN_ORDER = re.compile(rf"(?!budget:|limit:|period:)\w+:({UUID})(?:[/#].*)?")

# ruff: noqa: PLC0415  (what recomputes the money takes a second to import)


class Subject(NamedTuple):
    """What is traced: an order, one reference of it in the ledger, one transfer."""

    order: str | None
    reference: str | None = None
    transfer: Json | None = None


def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="An order's id, a delivery as ORDER/TILE/PATCH, or a transfer's seq or id in the ledger.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was followed as JSON.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Follow money from the report to ledger, order, delivery, plan, prices, networks and scene.

    Whatever can be computed again is, on this machine; exit code 1 if anything disagrees.
    """
    with connect(url, api_key) as client, console(stderr=True).status("Following"):
        followed = follow(client, _subject(client, what))
    if as_json:
        typer.echo(json.dumps(followed, indent=2))
    else:
        console().print(trace_view(followed))
    broken = [proof["rule"] for proof in followed["proofs"] if not proof["holds"]]
    if broken:
        raise UsageError("\n".join(["This does not hold:", *broken]))


def follow(client: Client, subject: Subject) -> Json:
    """Every document on the way and, under `proofs`, what they must say of each other."""
    from service.cli import proofs

    if subject.order is None:
        lines = [subject.transfer] if subject.transfer else []
        return {"ledger": lines, "proofs": [proofs.hash_proof(line) for line in lines]}
    report = client.get(f"/v1/reports/savings/orders/{subject.order}")
    order = client.get(f"/v1/orders/{subject.order}")
    every_line = _lines_of(client, order)
    lines = [line for line in every_line if _concerns(line, subject)]
    if subject.transfer is not None and subject.transfer not in lines:
        lines.append(subject.transfer)  # what came back or was asked for later is of no hold
    deliveries = [one for one in order["patches"]["delivered"] if _concerns_delivery(one, subject)]
    found = [proofs.report_proof(report, every_line), *map(proofs.hash_proof, lines)]
    payments = {line["reference"]: line for line in lines}
    for one in deliveries:
        reference, path = _names(subject.order, one)
        found += proofs.delivery_proofs(one, client.download(path), payments.get(reference))
    planned = _follow_plan(client, order["plan"])
    found += planned.pop("proofs")
    return {
        "report": report,
        "ledger": lines,
        "order": {name: order[name] for name in ("id", "status", "amounts", "counts", "statuses")},
        "deliveries": deliveries,
        **planned,
        "proofs": found,
    }


def _follow_plan(client: Client, plan_id: str) -> Json:
    from service.cli import proofs

    path = f"/v1/plans/{plan_id}"
    plan, bill = client.get(path), client.get(f"{path}/bill")
    provenance = plan["provenance"]
    price_list = client.get(f"/v1/price-lists/{provenance['price_list']['id']}")
    scene = client.download(f"{path}/scene.tif")
    return {
        "plan": {name: value for name, value in plan.items() if name != "tiles"},
        "bill": bill,
        "price_list": price_list,
        "bundle": provenance["bundle"],
        "input": {"sha256": provenance["input_sha256"], "size": len(scene)},
        "proofs": [
            *proofs.plan_proofs(bill, price_list),
            *proofs.bundle_proofs(provenance["bundle"], client.items("/v1/bundles")),
            proofs.input_proof(provenance["input_sha256"], scene),
        ],
    }


def _subject(client: Client, what: str) -> Subject:
    if one := DELIVERY.fullmatch(what):
        return Subject(one[2], f"delivery:{one[1]}")
    if SEQ.fullmatch(what):
        return _transfer(client, what)
    if one := ORDER.fullmatch(what):
        return _order_or_transfer(client, one[1])
    raise UsageError(f'"{what}" is no order, no delivery (ORDER/TILE/PATCH) and no seq or id of a transfer.')


def _order_or_transfer(client: Client, identity: str) -> Subject:
    try:
        return Subject(client.get(f"/v1/orders/{identity}")["id"])
    except ProblemError as error:
        if error.code != "not-found":
            raise
    return _transfer(client, identity)


def _transfer(client: Client, name: str) -> Subject:
    line = client.get(f"/v1/ledger/{name}")
    about = ABOUT_AN_ORDER.fullmatch(line["reference"])
    return Subject(about[1] if about else None, line["reference"], line)


def _lines_of(client: Client, order: Json) -> list[Json]:
    """Every transfer of the order's hold, oldest first; an order that costs nothing has none."""
    paths = [link["href"] for link in order["links"] if link["rel"] == "ledger"]
    found = [line for path in paths for page in client.pages(path) for line in page["items"]]
    return sorted(found, key=lambda line: int(line["seq"]))


def _concerns(line: Json, subject: Subject) -> bool:
    """One dollar is shown with the hold it was paid from."""
    return subject.reference in (None, line["reference"]) or line["kind"] == "reserve"


def _concerns_delivery(delivery: Json, subject: Subject) -> bool:
    return subject.reference in (None, _names(str(subject.order), delivery)[0])


def _names(order: str, delivery: Json) -> tuple[str, str]:
    """A delivery's reference in the ledger, and its path."""
    tile, patch = delivery["tile"], delivery["patch"]
    return f"delivery:{order}/{tile}/{patch}", f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
