"""Evidence: how the digest of a stored row is computed, and the hash that chains digests. Pure.

A document is a JSON array of the row's columns in the order of its form, written as PostgreSQL writes
`jsonb`: ", " and ": " between members, the keys of an object by length and then by bytes, numbers without
exponent. Times are in UTC, and of a column that holds bytes the hexadecimal SHA-256 is written.
docs/ledger.md says which rows have evidence, and why.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

from service.ledger.book import GENESIS


@dataclass(frozen=True, kw_only=True)
class Form:
    """The columns of a table that its evidence covers; the first `keys` of them name the row.

    A name with # before it is a column of bytes.
    """

    table: str
    keys: int
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The digest of one row, in its place among the evidence of a workspace."""

    workspace_id: UUID
    seq: int  # 1, 2, 3 ... without gaps in a workspace
    kind: str
    form: int
    subject: str  # the row's key, its columns joined by slashes
    digest: bytes
    hash: bytes


class WrittenJson(str):
    """The text of a `jsonb` column."""

    __slots__ = ()


def _form(table: str, keys: int, columns: str) -> Form:
    return Form(table=table, keys=keys, columns=tuple(columns.split()))


FORMS: Mapping[tuple[str, int], Form] = {
    ("scene", 1): _form("public.scene", 1, "id workspace_id sha256 size reading created_at"),
    ("api_key", 1): _form(
        "public.api_key",
        1,
        "id workspace_id name #digest holder created_at",
    ),
    ("api_key", 2): _form(
        "public.api_key",
        1,
        "id workspace_id name #digest holder role expires_at created_at",
    ),
    ("api_key", 3): _form(
        "public.api_key",
        1,
        "id workspace_id name #digest holder role expires_at issuer subject claimed_at created_at",
    ),
    ("price_list", 1): _form(
        "public.price_list",
        1,
        "id workspace_id name version provider product mode gsd_m currency price_per_km2 "
        "price_per_scene tiers minimum_km2 minimum_applies_to minimum_charge areas_summed "
        "minimum_width_m convex max_vertices holes cloud_guarantee_percent licence delivery_bands "
        "source captured_at valid_from valid_to example created_at",
    ),
    ("plan", 1): _form(
        "public.plan",
        1,
        "id workspace_id scene_id price_list_id supersedes follows objective provenance tiles "
        "task #utilities #expected #first_expected #readings #selected #filled #valid_share "
        "#ground reuse patches_bought currency cost_minor baseline_minor list_saving_minor "
        "billable_saving_minor bill created_at expires_at",
    ),
    ("order", 1): _form(
        "public.order",
        1,
        "id workspace_id plan_id budget_id currency amount_minor patches key_id created_at",
    ),
    ("order", 2): _form(
        "public.order",
        1,
        "id workspace_id plan_id budget_id currency amount_minor patches tags cost_center key_id created_at",
    ),
    ("order_status_change", 1): _form(
        "public.order_status_change",
        2,
        "order_id seq status reason_code key_id note at",
    ),
    ("order_status_change", 2): _form(
        "public.order_status_change",
        2,
        "order_id seq status reason_code key_id note at expires_at",
    ),
    ("delivery", 1): _form(
        "public.delivery",
        3,
        "order_id tile patch settled_minor created_at",
    ),
    ("delivered_file", 1): _form(
        "public.delivered_file",
        4,
        "order_id tile patch version sha256 size #pixels checks key_id created_at",
    ),
    ("delivered_file", 2): _form(
        "public.delivered_file",
        4,
        "order_id tile patch version sha256 size #pixels checks key_id created_at",
    ),
    ("delivered_part", 1): _form(
        "public.delivered_part",
        4,
        "order_id tile patch number sha256 size #pixels #weights #lacking checks covered "
        "remainder key_id created_at",
    ),
    ("final_bill", 1): _form(
        "public.final_bill",
        1,
        "order_id patches billed_minor settled_minor basis created_at",
    ),
    ("late_bill", 1): _form(
        "public.late_bill",
        2,
        "order_id number patches billed_minor settled_minor basis key_id created_at",
    ),
    ("late_bill", 2): _form(
        "public.late_bill",
        2,
        "order_id number patches billed_minor settled_minor basis key_id created_at",
    ),
    ("invoice", 1): _form(
        "public.invoice",
        1,
        "id workspace_id kind provider number issued_on currency tax_minor reason key_id created_at",
    ),
    ("invoice_line", 1): _form(
        "public.invoice_line",
        2,
        "invoice_id position workspace_id reference description amount_minor",
    ),
    ("classification", 1): _form(
        "public.classification",
        1,
        "id workspace_id order_id complete tiles provenance objects created_at",
    ),
    ("true_labels", 1): _form(
        "public.true_labels",
        2,
        "order_id version workspace_id labels key_id created_at",
    ),
    ("budget", 1): _form("ledger.budget", 1, "id workspace_id name currency created_at"),
    ("budget_terms", 1): _form(
        "ledger.budget_terms",
        2,
        "budget_id version reason limit_minor period starts_on ends_on enforcement thresholds "
        "tags approval_above_minor period_starts_on spent_before_minor key_id at",
    ),
    ("budget_terms", 2): _form(
        "ledger.budget_terms",
        2,
        "budget_id version reason limit_minor period starts_on ends_on enforcement thresholds "
        "tags approval_above_minor period_starts_on spent_before_minor key_id at proposal_id",
    ),
    ("budget_terms", 3): _form(
        "ledger.budget_terms",
        2,
        "budget_id version reason limit_minor period starts_on ends_on enforcement thresholds "
        "tags approval_above_minor period_starts_on spent_before_minor key_id at proposal_id",
    ),
    ("adjustment", 1): _form(
        "ledger.adjustment",
        2,
        "order_id number transfer_id kind tile patch amount reason key_id at",
    ),
    ("adjustment", 2): _form(
        "ledger.adjustment",
        2,
        "order_id number transfer_id kind tile patch amount reason key_id at proposal_id",
    ),
    ("proposal", 1): _form("ledger.proposal", 1, "id budget_id order_id amount reason terms key_id at"),
    ("decision", 1): _form("ledger.decision", 1, "proposal_id approved note key_id at"),
    ("closed_month", 1): _form("ledger.closed_month", 2, "workspace_id month seq key_id at"),
    ("month_balance", 1): _form(
        "ledger.month_balance",
        3,
        "workspace_id month account_id opening closing",
    ),
}
"""Every form by kind and number. A new column is covered by a new form, and old rows keep theirs.

The columns of an order that change are left out: the invariants tie `status` to the order's history, and
`hold_id` to its reservation.
"""


def digest_of(values: Iterable[object]) -> bytes:
    """Return the SHA-256 of the document that a row's columns make."""
    return hashlib.sha256(document_of(values).encode()).digest()


def document_of(values: Iterable[object]) -> str:
    """Write the columns of a row as a JSON array in canonical form."""
    return _array(values)


def evidence_hash(previous: bytes, evidence: Evidence) -> bytes:
    """Return the SHA-256 of the predecessor's hash and every field, as `ledger.evidence_hash` does."""
    fields = (
        "loupe-evidence-1", evidence.workspace_id, evidence.seq, evidence.kind, evidence.form,
        evidence.digest.hex(), evidence.subject,
    )  # fmt: skip
    return hashlib.sha256(previous + "|".join(map(str, fields)).encode()).digest()


def first_broken_evidence(chain: Iterable[Evidence]) -> int | None:
    """Return the first seq at which the evidence of a workspace is broken; None for a whole chain."""
    previous = GENESIS
    for expected, evidence in enumerate(chain, start=1):
        if evidence.seq != expected or evidence.hash != evidence_hash(previous, evidence):
            return expected
        previous = evidence.hash
    return None


def _canonical(value: object) -> str:
    """Write one value; TypeError for a type that no column has."""
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    raise TypeError(f"evidence has no form for {type(value).__name__}")


def _quoted(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def _moment(value: datetime) -> str:
    moment = value.astimezone(UTC)
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f'"{moment:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"'


def _array(values: Iterable[object]) -> str:
    return f"[{', '.join(map(_canonical, values))}]"


def _object(members: Mapping[str, object]) -> str:
    ordered = sorted(members, key=lambda name: (len(name.encode()), name.encode()))
    return "{" + ", ".join(f"{_quoted(name)}: {_canonical(members[name])}" for name in ordered) + "}"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: "null",
    bool: lambda value: str(value).lower(),  # before int, of which it is a kind
    int: str,
    float: lambda value: format(Decimal(repr(value)), "f").removesuffix(".0"),
    Decimal: lambda value: format(value, "f"),
    WrittenJson: lambda value: _canonical(json.loads(value, parse_float=Decimal)),
    bytes: lambda value: f'"{hashlib.sha256(value).hexdigest()}"',
    Mapping: _object,
    list: _array,
    datetime: _moment,
    date: _quoted,
    str: _quoted,
    UUID: _quoted,
}
"""How values are written, by type; the first that fits counts."""
