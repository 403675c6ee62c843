"""Follow a payment through the documents of the API, and recompute whatever can be recomputed.

Everything is computed on the reader's machine, from public documents and downloaded files. It relies on no
figure of the server that it can derive itself.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from loupe import Client, ProblemError
from loupe.answers.base import Json
from loupe.paths import path_to
from service.cli.connection import UsageError
from service.ledger.book import Movement, Transfer, transfer_hash
from service.money import Money
from service.plans.bills import PlanFigures, recompute

ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEQ = re.compile(r"[0-9]{1,18}")
ORDER = re.compile(rf"(?:order:|cancel:)?({ID})")
DELIVERY = re.compile(rf"(?:delivery:)?(({ID})/[0-9]+/[0-9]+)")
ABOUT_AN_ORDER = re.compile(rf"(?!budget:|limit:|period:)\w+:({ID})(?:[/#].*)?")


class Subject(NamedTuple):
    """The thing to trace: a whole order, one ledger reference of an order, or one transfer."""

    order: str | None
    reference: str | None = None
    transfer: Json | None = None


class Deleted(NamedTuple):
    """The deletion of a file's pixels: its time, and the key; None for the workspace's retention."""

    at: str
    by: str | None


def follow(client: Client, what: str) -> Json:
    """Collect every document from the report to the scene and, under `proofs`, the checks between them.

    `what` is an order id, ORDER/TILE/PATCH, or the seq or id of a transfer. A transfer that belongs to no
    order yields its ledger line only. UsageError when `what` is none of these; ProblemError when it is
    not found.
    """
    subject = _find_subject(client, what)
    if subject.order is None:
        lines = [subject.transfer] if subject.transfer else []
        return {"ledger": lines, "proofs": [hash_proof(line) for line in lines]}
    report = client.get(path_to("reports", "savings", "orders", subject.order))
    order = client.get(path_to("orders", subject.order))
    every_line = _order_lines(client, subject.order)
    lines = [line for line in every_line if _concerns(line, subject)]
    if subject.transfer is not None and subject.transfer not in lines:
        lines.append(subject.transfer)
    invoices = _invoice_lines(client, subject.order)
    deliveries = [one for one in order["patches"]["delivered"] if _concerns_delivery(one, subject)]
    found = [report_proof(report, every_line), *map(hash_proof, lines)]
    payments = {line["reference"]: line for line in lines}
    for one in deliveries:
        reference, path = _delivery_names(subject.order, one)
        found += delivery_proofs(one, _file(client, path), payments.get(reference))
    planned = _follow_plan(client, order["plan"])
    found += [*invoice_proofs(report, every_line, invoices), *planned.pop("proofs")]
    return {
        "report": report,
        "ledger": lines,
        "invoices": invoices,
        "order": {name: order[name] for name in ("id", "status", "amounts", "counts", "statuses")},
        "deliveries": deliveries,
        **planned,
        "proofs": found,
    }


def _follow_plan(client: Client, plan_id: str) -> Json:
    path = path_to("plans", plan_id)
    plan, bill = client.get(path), client.get(f"{path}/bill")
    provenance = plan["provenance"]
    price_list = client.get(path_to("price-lists", provenance["price_list"]["id"]))
    scene = _file(client, f"{path}/scene.tif")
    return {
        "plan": {name: value for name, value in plan.items() if name != "tiles"},
        "bill": bill,
        "price_list": price_list,
        "bundle": provenance["bundle"],
        "input": {
            "sha256": provenance["input_sha256"],
            "size": len(scene) if isinstance(scene, bytes) else None,
        },
        "proofs": [
            *plan_proofs(bill, price_list),
            *bundle_proofs(provenance["bundle"], list(client.items("/v1/bundles"))),
            input_proof(provenance["input_sha256"], scene),
        ],
    }


def _file(client: Client, path: str) -> bytes | Deleted:
    """Download a file; or return when and by whom its pixels were deleted."""
    try:
        return client.download(path)
    except ProblemError as error:
        if error.code != "pixels-deleted":
            raise
        return Deleted(error.problem["deleted_at"], error.problem["deleted_by"])


def _find_subject(client: Client, what: str) -> Subject:
    if one := DELIVERY.fullmatch(what):
        return Subject(one[2], f"delivery:{one[1]}")
    if SEQ.fullmatch(what):
        return _find_transfer(client, what)
    if one := ORDER.fullmatch(what):
        return _find_order_or_transfer(client, one[1])
    raise UsageError(
        f'"{what}" cannot be traced. Give an order id, a delivery as ORDER/TILE/PATCH, '
        "or the seq or id of a transfer: `loupe ledger` lists them."
    )


def _find_order_or_transfer(client: Client, identity: str) -> Subject:
    try:
        return Subject(client.get(path_to("orders", identity))["id"])
    except ProblemError as error:
        if error.code != "not-found":
            raise
    return _find_transfer(client, identity)


def _find_transfer(client: Client, name: str) -> Subject:
    line = client.get(path_to("ledger", name))
    about = ABOUT_AN_ORDER.fullmatch(line["reference"])
    return Subject(about[1] if about else None, line["reference"], line)


def _order_lines(client: Client, order: str) -> list[Json]:
    """Return every transfer of the order, oldest first; an order that costs nothing has none."""
    found = [line for page in client.pages("/v1/ledger", order=order, limit=100) for line in page["items"]]
    return sorted(found, key=lambda line: int(line["seq"]))


def _invoice_lines(client: Client, order: str) -> list[Json]:
    """Return the lines of invoices and credit notes that name the order, each with its document."""
    pages = client.pages("/v1/invoices", order=order, limit=100)
    return [
        {name: one[name] for name in ("kind", "number", "provider", "date")} | line
        for page in pages
        for one in page["items"]
        for line in one["lines"]
        if order in line["reference"].lower()
    ]


def _concerns(line: Json, subject: Subject) -> bool:
    """Return whether to show a line: a single payment is shown together with the hold that paid it."""
    return subject.reference in (None, line["reference"]) or line["kind"] == Movement.RESERVE


def _concerns_delivery(delivery: Json, subject: Subject) -> bool:
    return subject.reference in (None, _delivery_names(str(subject.order), delivery)[0])


def _delivery_names(order: str, delivery: Json) -> tuple[str, str]:
    """Return a delivery's reference in the ledger, and its path in the API."""
    tile, patch = delivery["tile"], delivery["patch"]
    return f"delivery:{order}/{tile}/{patch}", path_to("orders", order, "tiles", tile, "patches", patch)


def proof(step: str, rule: str, *, holds: bool | None) -> Json:
    """Return one rule that a step of the trace must keep, and whether it does; None if pixels are deleted."""
    return {"step": step, "rule": rule, "holds": holds}


def report_proof(report: Json, lines: Sequence[Json]) -> Json:
    """Check that the report's settled amount, and its net of refunds and charges, are sums of the ledger."""
    settled, net = _money(report["settled"]), _money(report["net"])
    if any(line["amount"]["currency"] != settled.currency for line in lines):
        return proof("report", f"the ledger's entries for this order are in {settled.currency}", holds=False)
    paid = _sum_of(lines, Movement.SETTLE, settled.currency)
    charged, back = (_sum_of(lines, kind, paid.currency) for kind in (Movement.CHARGE, Movement.REFUND))
    rule = f"the ledger's payments for this order sum to {paid}"
    if charged or back:
        rule += f", and with {charged} charged later and {back} refunded to {paid + charged - back}"
    return proof("report", rule, holds=(paid, paid + charged - back) == (settled, net))


def invoice_proofs(report: Json, lines: Sequence[Json], invoices: Sequence[Json]) -> Iterator[Json]:
    """Check that the report takes an order for confirmed if and only if its invoices and the ledger agree."""
    if not invoices:
        return
    currency = report["settled"]["currency"]
    kept = [line for line in invoices if line["amount"]["currency"] == currency]
    billed, credited = (
        sum((_money(line["amount"]) for line in kept if line["kind"] == kind), Money(0, currency))
        for kind in ("invoice", "credit-note")
    )
    paid = _sum_of(lines, Movement.SETTLE, currency) + _sum_of(lines, Movement.CHARGE, currency)
    back = _sum_of(lines, Movement.REFUND, currency)
    agree = (billed, credited) == (paid, back) and len(kept) == len(invoices)
    rule = f"{paid} is paid and {billed} invoiced, {back} is refunded and {credited} credited: " + (
        "invoices and ledger agree" if agree else "`loupe invoices differences` says what to do"
    )
    yield proof("invoice", rule, holds=agree == report["confirmed"])


def _sum_of(lines: Sequence[Json], kind: Movement, currency: str) -> Money:
    return sum((_money(line["amount"]) for line in lines if line["kind"] == kind), Money(0, currency))


def hash_proof(line: Json) -> Json:
    """Check that a transfer's hash covers its own fields and the hash before it."""
    holds = transfer_hash(transfer_of(line)).hex() == line["hash"]
    return proof("ledger", f"the hash of transfer {line['seq']} recomputes from its fields", holds=holds)


def transfer_of(line: Json) -> Transfer:
    """Read a ledger line of the API as a Transfer."""
    return Transfer(
        id=UUID(line["id"]),
        workspace_id=UUID(line["workspace_id"]),
        seq=line["seq"],
        kind=Movement(line["kind"]),
        budget_id=UUID(line["budget_id"]),
        from_account=line["from_account_id"],
        to_account=line["to_account_id"],
        amount=_money(line["amount"]),
        hold_id=None if line["hold_id"] is None else UUID(line["hold_id"]),
        at=datetime.fromisoformat(line["at"]),
        reference=line["reference"],
        evidence=None if line["evidence"] is None else bytes.fromhex(line["evidence"]),
        previous_hash=bytes.fromhex(line["previous_hash"]),
        hash=bytes.fromhex(line["hash"]),
    )


def delivery_proofs(delivery: Json, file: bytes | Deleted, payment: Json | None) -> Iterator[Json]:
    """Check a delivered file's digest, and that the ledger paid its price; a free one has no payment."""
    place = f"tile {delivery['tile']} patch {delivery['patch']}"
    yield file_proof("delivery", f"stored file of {place}", delivery["sha256"], file)
    settled = _money(delivery["settled"])
    paid = Money(0, settled.currency) if payment is None else _money(payment["amount"])
    yield proof("delivery", f"the ledger paid for {place}", holds=paid == settled)


def plan_proofs(bill: Json, price_list: Json) -> Iterator[Json]:
    """Check a plan's figures against its areas and terms, and its terms against the published price list."""
    savings = bill["savings"]
    stated = (bill["cost"], bill["baseline"], savings["list"], savings["billable"], bill["saved_by_reuse"])
    figures = recompute(bill)
    rule = f"cost and savings recompute from {bill['chosen']['billable_km2']} km2 under the price list"
    yield proof("plan", rule, holds=figures == PlanFigures(*(_money(amount) for amount in stated)))
    published = {name: price_list[name] for name in bill["terms"]}
    yield proof("price list", "the plan used the published terms", holds=bill["terms"] == published)


def bundle_proofs(bundle: Json, served: Sequence[Json]) -> Iterator[Json]:
    """Check the plan's bundle against the served one of the same name and version, if there is one."""
    for one in served:
        if (one["name"], one["version"]) == (bundle["name"], bundle["version"]):
            rule = "the server still serves the same bundle"
            yield proof("bundle", rule, holds=one["sha256"] == bundle["sha256"])


def input_proof(sha256: str, file: bytes | Deleted) -> Json:
    """Check that the stored scene has the digest that the plan recorded."""
    return file_proof("input", "stored scene", sha256, file)


def file_proof(step: str, name: str, sha256: str, file: bytes | Deleted) -> Json:
    """Check that a file has its digest, or say when its pixels were deleted."""
    if isinstance(file, bytes):
        return proof(step, f"the {name} has this SHA-256", holds=_is(file, sha256))
    by = "the workspace's retention" if file.by is None else f"the key {file.by}"
    when = file.at[:16].replace("T", " ")
    return proof(
        step, f"the {name} had this SHA-256; its pixels were deleted on {when} UTC by {by}", holds=None
    )


def _is(file: bytes, sha256: str) -> bool:
    return hashlib.sha256(file).hexdigest() == sha256


def _money(amount: Json) -> Money:
    return Money.parse(str(Decimal(amount["amount"])), amount["currency"])
