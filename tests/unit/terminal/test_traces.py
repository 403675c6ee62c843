"""The view of a payment that was followed."""

from typing import Any

from rich.console import Console

from service.terminal.traces import trace_view
from tests.support.bundles import usd
from tests.support.wide_documents import TRACE

PATCHES = 40
PROVED = [
    {"step": step, "rule": f"rule {number} of the {step}", "holds": True}
    for step, checks in (("report", 1), ("ledger", 1 + PATCHES), ("delivery", 2 * PATCHES), ("plan", 1))
    for number in range(checks)
]
WIDE: dict[str, Any] = {**TRACE}
(LINE,) = WIDE["ledger"]
OF_MANY = WIDE | {
    "proofs": PROVED,
    "ledger": [LINE | {"kind": "reserve", "amount": usd("10.00")}]
    + [LINE | {"kind": "settle", "amount": usd("0.25")}] * PATCHES,
    "deliveries": [WIDE["deliveries"][0] | {"settled": usd("0.25")}] * PATCHES,
}


def lines(trace: dict[str, Any], *, everything: bool = False) -> list[str]:
    console = Console(width=200)
    with console.capture() as printed:
        console.print(trace_view(trace, everything=everything))
    return [" ".join(line.strip("│├└─ ").split()) for line in printed.get().splitlines()]


def test_trace_of_many_payments_is_short_where_all_checks_hold() -> None:
    shown = lines(OF_MANY)

    assert shown[0].endswith(". 123 of 123 checks hold.")
    assert {"reserve 1 10.00 USD", "settle 40 10.00 USD", "patch 40 10.00 USD"} <= set(shown)
    assert {"41 of 41 checks hold", "80 of 80 checks hold"} <= set(shown)
    assert len(shown) < PATCHES


def test_trace_names_only_what_is_broken_or_deleted() -> None:
    proofs = [*PROVED]
    proofs[5] = PROVED[5] | {"holds": False}
    proofs[60] = PROVED[60] | {"holds": None}
    shown = lines(OF_MANY | {"proofs": proofs})

    assert shown[0].endswith(". 121 of 122 checks hold.")
    named = [line for line in shown if " rule " in line]
    assert named == [
        "holds: rule 0 of the report", "BROKEN: rule 4 of the ledger", "deleted: rule 18 of the delivery",
        "holds: rule 0 of the plan",
    ]  # fmt: skip


def test_trace_lists_every_row_where_it_is_asked_for() -> None:
    shown = lines(OF_MANY, everything=True)

    assert sum(" settle 0.25 USD " in line for line in shown) == PATCHES
    assert sum(line.startswith("1367 15 0.25 USD ") for line in shown) == PATCHES


def test_rows_of_a_single_payment_are_listed() -> None:
    shown = lines(OF_MANY | {"ledger": OF_MANY["ledger"][:2], "deliveries": OF_MANY["deliveries"][:1]})

    assert shown[0].startswith("0.25 USD for patch 15 of tile 1367. ")
    assert sum(" settle 0.25 USD " in line for line in shown) == 1
