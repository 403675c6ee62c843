"""What the documents of a trace must say of each other, computed again on the reader's machine. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from service.client import Json
from service.ledger.book import Movement, Transfer, transfer_hash
from service.money import Money
from service.plans.bills import Figures, recompute


def proof(step: str, rule: str, *, holds: bool) -> Json:
    """One rule of a step of the trace, and whether it holds."""
    return {"step": step, "rule": rule, "holds": holds}


def report_proof(report: Json, lines: Sequence[Json]) -> Json:
    """What the report says was settled is what the ledger paid for the order."""
    currency = report["settled"]["currency"]
    paid = sum(_minor(line["amount"]) for line in lines if line["kind"] == Movement.SETTLE)
    rule = f"the ledger's payments for this order sum to {Money(paid, currency)}"
    return proof("report", rule, holds=paid == _minor(report["settled"]))


def hash_proof(line: Json) -> Json:
    """The hash of a transfer is of its predecessor's and all its fields."""
    holds = transfer_hash(transfer_of(line)).hex() == line["hash"]
    return proof("ledger", f"the hash of transfer {line['seq']} recomputes from its fields", holds=holds)


def transfer_of(line: Json) -> Transfer:
    """Read a line of the ledger as the API writes it."""
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
        previous_hash=bytes.fromhex(line["previous_hash"]),
        hash=bytes.fromhex(line["hash"]),
    )


def delivery_proofs(delivery: Json, file: bytes, payment: Json | None) -> Iterator[Json]:
    """The delivered file has its digest, and was paid what its receipt says; a free one has no payment."""
    place = f"tile {delivery['tile']} patch {delivery['patch']}"
    yield proof(
        "delivery", f"the stored file of {place} has this SHA-256", holds=_is(file, delivery["sha256"])
    )
    paid = 0 if payment is None else _minor(payment["amount"])
    yield proof("delivery", f"{place} was paid in the ledger", holds=paid == _minor(delivery["settled"]))


def plan_proofs(bill: Json, price_list: Json) -> Iterator[Json]:
    """The plan's figures follow from its areas and terms, and the terms are the published price list's."""
    savings = bill["savings"]
    stated = (bill["cost"], bill["baseline"], savings["list"], savings["billable"])
    figures = recompute(bill)
    rule = f"cost and savings recompute from {bill['chosen']['billable_km2']} km2 under the price list"
    yield proof("plan", rule, holds=figures == Figures(*map(_minor, stated)))
    published = {name: price_list[name] for name in bill["terms"]}
    yield proof("price list", "the plan's terms are those published", holds=bill["terms"] == published)


def bundle_proofs(bundle: Json, served: Sequence[Json]) -> Iterator[Json]:
    """A served bundle of the same name and version is the one that decided; another says nothing."""
    for one in served:
        if (one["name"], one["version"]) == (bundle["name"], bundle["version"]):
            yield proof("bundle", "the served one is the same", holds=one["sha256"] == bundle["sha256"])


def input_proof(sha256: str, file: bytes) -> Json:
    """The stored scene has the digest that the plan was made from."""
    return proof("input", "the stored scene has this SHA-256", holds=_is(file, sha256))


def _is(file: bytes, sha256: str) -> bool:
    return hashlib.sha256(file).hexdigest() == sha256


def _minor(amount: Json) -> int:
    return _money(amount).minor


def _money(amount: Json) -> Money:
    return Money.parse(str(Decimal(amount["amount"])), amount["currency"])
