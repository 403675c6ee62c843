"""The canonical form of a row, and the chain of evidence."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from service.ledger.book import GENESIS
from service.ledger.evidence import (
    Evidence,
    WrittenJson,
    digest_of,
    document_of,
    evidence_hash,
    first_broken_evidence,
)

ONE = UUID(int=1)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"), (True, "true"), (12, "12"), (Decimal("1E+3"), "1000"),
        (Decimal("0.000000"), "0.000000"), (1e-7, "0.0000001"), (1.0, "1"), (1e22, "10000000000000000000000"),
        ('a "b"\n', r'"a \"b\"\n"'), ("é", '"é"'),
        (ONE, '"00000000-0000-0000-0000-000000000001"'), (date(2026, 11, 29), '"2026-11-29"'),
        (datetime(2026, 11, 29, 3, 4, 5, 120_000, tzinfo=UTC), '"2026-11-29T03:04:05.12+00:00"'),
        (datetime(2026, 11, 29, 3, tzinfo=timezone(timedelta(hours=1))), '"2026-11-29T02:00:00+00:00"'),
        (b"abc", f'"{hashlib.sha256(b"abc").hexdigest()}"'), ([50, 90], "[50, 90]"),
        (WrittenJson('{"bb": 1.10, "a": {"c": []}}'), '{"a": {"c": []}, "bb": 1.10}'),
        (WrittenJson('{"b": 1, "\\u00e9": 2, "aa": 3}'), '{"b": 1, "aa": 3, "é": 2}'),
    ],
)  # fmt: skip
def test_document_writes_each_type_in_one_way(value: Any, written: str) -> None:
    assert document_of([value]) == f"[{written}]"


def test_document_refuses_a_type_that_no_column_has() -> None:
    with pytest.raises(TypeError, match="no form for object"):
        document_of([object()])


def test_digest_is_that_of_the_document() -> None:
    assert digest_of([1, "x"]) == hashlib.sha256(b'[1, "x"]').digest()


def make_chain(length: int) -> list[Evidence]:
    chain: list[Evidence] = []
    for seq in range(1, length + 1):
        new = Evidence(
            workspace_id=ONE,
            seq=seq,
            kind="plan",
            form=1,
            subject=str(seq),
            digest=bytes([seq] * 32),
            hash=b"",
        )
        previous = chain[-1].hash if chain else GENESIS
        chain.append(replace(new, hash=evidence_hash(previous, new)))
    return chain


def test_whole_chain_of_evidence_has_no_break() -> None:
    assert first_broken_evidence(make_chain(4)) is None


@pytest.mark.parametrize(
    "change",
    [{"kind": "order"}, {"form": 2}, {"subject": "9"}, {"digest": GENESIS}, {"seq": 9}, {"hash": GENESIS}],
)
def test_any_changed_field_breaks_the_chain_of_evidence(change: dict[str, Any]) -> None:
    chain = make_chain(4)
    chain[1] = replace(chain[1], **change)

    assert first_broken_evidence(chain) == 2


def test_missing_evidence_breaks_the_chain() -> None:
    chain = make_chain(4)

    assert first_broken_evidence(chain[:1] + chain[2:]) == 2
