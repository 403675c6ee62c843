"""Every code that the SQL functions raise has a sentence, written in Python."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

import service.ledger
from service.errors import LoupeError
from service.ledger.refusals import refusals
from tests.support.money import cents

SCHEMA = Path(service.ledger.__file__).parent / "schema.sql"
RAISED = re.findall(r"RAISE EXCEPTION '([^']*)'\s+USING ERRCODE = '(\w+)'", SCHEMA.read_text())
BUDGET = UUID(int=7)
SENTENCES = {
    ("account-exceeded", "100"): "The budget has 1.00 USD available; 5.00 USD is needed. "
    "Raise its limit, or cancel an order that it pays for.",
    ("no-budget", "b"): "There is no budget b.",
    ("no-hold", "h"): "There is no hold h.",
    ("no-order", "o"): "There is no order o.",
    ("no-proposal", "p"): "There is no proposal p.",
    ("no-delivery", "3/15"): "This order has no delivery of patch 15 of tile 3.",
    ("hold-exceeded", "100"): "The hold has 1.00 USD left; 5.00 USD was requested.",
    ("budget-not-valid", "2026-01-01/2026-03-31"): "The budget is only valid from 2026-01-01 to 2026-03-31.",
    ("budget-not-valid", "2026-01-01/.."): "The budget is only valid from 2026-01-01 on.",
    ("budget-not-valid", "../2026-03-31"): "The budget is only valid until 2026-03-31.",
    ("limit-below-use", "900"): "9.00 USD of the budget is held or spent, so its limit cannot be 5.00 USD.",
    ("self-approval", "abcdefgh"): "Key abcdefgh proposed this, and your key has the same holder. Ask the "
    "holder of another key of the workspace to approve it, or reject it to withdraw it.",
    ("sum-too-large", "300"): "3.00 USD was charged to this order; with 5.00 USD more, its charges would be "
    "above 9999999999999999.99 USD.",
    ("month-not-over", "2026-10-01"): "2026-10 is not over (UTC). Close it in the next month.",
    ("month-not-next", "2026-10-01"): "Months are closed one after the other. "
    "The next one to close is 2026-10, once it is over (UTC).",
    (
        "month-not-next",
        "",
    ): "Months are closed one after the other. The ledger has no entry, so no month is due.",
    (
        "month-closed",
        "2026-10-01",
    ): "2026-10 is closed, and the database's clock shows a time in it or before. Set the clock right.",
    (
        "approval-above-needed",
        "USD",
    ): "A budget of this workspace has approval_above, so a new one opens with "
    "an approval_above of 0.00 USD: its orders then need another holder. Send that, and change it "
    "afterwards: the change waits for another holder.",
    ("refund-exceeds-payment", "300"): "Only 3.00 USD can still be refunded; 5.00 USD was requested.",
}
FOR_DEVELOPERS = {"append-only", "order-without-history", "unknown-use"}
"""Codes that only a defect of the code can cause."""


def raise_refusal(state: str, code: str, detail: str) -> None:
    """Fail as SQLAlchemy does when a function raises `code`."""
    refusal = Exception(code)
    vars(refusal).update(sqlstate=state, diag=SimpleNamespace(message_primary=code, message_detail=detail))
    with refusals(cents(500), budget_id=BUDGET):
        raise DBAPIError("SELECT", None, refusal)


def test_schema_raises_codes_and_no_sentences() -> None:
    text = SCHEMA.read_text()

    assert len(RAISED) == text.count("RAISE ")
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", code) for code, _ in RAISED)
    assert {code for code, _ in RAISED} == {code for code, _ in SENTENCES} | FOR_DEVELOPERS


@pytest.mark.parametrize(("code", "detail"), SENTENCES)
def test_refusals_write_a_sentence_for_each_code(code: str, detail: str) -> None:
    state = dict(RAISED)[code]

    with pytest.raises(LoupeError) as refusal:
        raise_refusal(state, code, detail)

    assert refusal.value.detail == SENTENCES[code, detail]


@pytest.mark.parametrize("state", ["23001", "40P01"])
def test_refusals_pass_on_other_database_errors(state: str) -> None:
    with pytest.raises(DBAPIError) as error:
        raise_refusal(state, "append-only", "")

    assert cast(Any, error.value.orig).sqlstate == state
