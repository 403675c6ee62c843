"""Short runs of the proofs of `make prove-ledger`: they hold, and they fail on a broken ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from service.database.engine import Database
from tests.proofs.books import Books, open_budget, perform
from tests.proofs.control import prove_no_overspending
from tests.proofs.guards import prove_every_guard_is_tested
from tests.proofs.history import prove_history_is_explained
from tests.proofs.machine import prove_model_agrees
from tests.proofs.model import ACCEPTED, Answer, Call
from tests.proofs.proof import Laboratory, Proof
from tests.proofs.tampering import prove_forgeries_are_found, prove_tampering_is_found
from tests.support.databases import administer, url_of

NUMBERS = count(1)
QUICK = ("check", "unique index", "trigger", "lock", "refusal", "condition", "boundary", "strictness")


@pytest.fixture
def laboratory(server: str, template: str) -> Laboratory:
    return Laboratory(server=server, template=template, seed=1)


@contextmanager
def broken(laboratory: Laboratory, *statements: str) -> Iterator[Laboratory]:
    """Make a laboratory whose databases have a defect."""
    name = f"broken_{next(NUMBERS)}"
    administer(laboratory.server, f"CREATE DATABASE {name} TEMPLATE {laboratory.template}")
    administer(url_of(laboratory.server, name), *statements)
    yield replace(laboratory, template=name)
    administer(laboratory.server, f"DROP DATABASE {name} WITH (FORCE)")


def edited(function: str, old: str, new: str) -> str:
    """Return a statement that edits a function's source; it fails when `old` is not in it."""
    return f"""
        DO $edit$
        DECLARE
            source text := pg_get_functiondef('ledger.{function}'::regproc);
        BEGIN
            ASSERT position($old${old}$old$ IN source) > 0;
            EXECUTE replace(source, $old${old}$old$, $new${new}$new$);
        END $edit$"""


BOUNDLESS = (
    "ALTER TABLE ledger.account DROP CONSTRAINT account_never_overspent",
    edited("move_balance", "balance + p_change >= 0", "true"),
)
"""An account may be overdrawn."""
ENDLESS = (
    "ALTER TABLE ledger.hold DROP CONSTRAINT hold_never_exceeded",
    edited("count_hold", "AND settled + released + p_amount <= amount", ""),
)
"""A hold may pay more than it has, as long as its budget has reserved money."""


def model(laboratory: Laboratory) -> Proof:
    return prove_model_agrees(laboratory, steps=250)


def history(laboratory: Laboratory) -> Proof:
    return prove_history_is_explained(laboratory, calls=40)


def guards(laboratory: Laboratory) -> Proof:
    return prove_every_guard_is_tested(laboratory, among=QUICK)


@pytest.mark.parametrize(
    "prove", [model, history, prove_tampering_is_found, prove_forgeries_are_found, guards]
)
def test_proof_holds_on_the_ledger(laboratory: Laboratory, prove: Callable[[Laboratory], Proof]) -> None:
    assert prove(laboratory).against == ()


def test_control_fails_on_an_overdrawn_account(laboratory: Laboratory) -> None:
    with broken(laboratory, *BOUNDLESS) as worse:
        proof = prove_no_overspending(worse, tries=2, possible=10)

    assert "the ledger accepted 64 where 10 are possible" in proof.against


@pytest.mark.parametrize("defect", [BOUNDLESS, ENDLESS])
@pytest.mark.parametrize("prove", [model, history])
def test_model_fails_on_a_ledger_that_pays_too_much(
    laboratory: Laboratory, prove: Callable[[Laboratory], Proof], defect: tuple[str, ...]
) -> None:
    with broken(laboratory, *defect) as worse:
        assert not prove(worse).holds


def test_model_fails_on_a_trace_of_a_refused_call(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perform_and_note(database: Database, books: Books, call: Call, key: str) -> Answer:
        answer = perform(database, books, call, key)
        if answer.code != ACCEPTED:
            with database.sessions.begin() as session:
                open_budget(session, books.workspace, f"refused {key}", 0)
        return answer

    monkeypatch.setattr("tests.proofs.machine.perform", perform_and_note)

    assert "the tables after" in model(laboratory).against[0]


def test_tampering_proof_fails_on_a_blind_audit(laboratory: Laboratory) -> None:
    blind = """CREATE OR REPLACE VIEW ledger.violations (invariant, subject) AS
        SELECT ''::text, ''::text WHERE false"""
    with broken(laboratory, blind) as worse:
        proof = prove_tampering_is_found(worse)

    assert "nothing found: raise a balance" in proof.against
    assert "nothing found: edit an amount" not in proof.against  # the chain is recomputed in Python


def test_guards_proof_fails_on_an_untested_guard(laboratory: Laboratory) -> None:
    unnoticed = "ALTER TABLE ledger.entry ADD CONSTRAINT unlucky CHECK (amount <> 123456789)"
    with broken(laboratory, unnoticed) as worse:
        proof = prove_every_guard_is_tested(worse, among=["check"])

    assert proof.against == ("nothing notices: check unlucky",)
