"""Proof: random calls, one after another, answer as the model says; a refused one leaves no trace."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.ledger.book import Movement
from tests.proofs.books import balances, digest, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Answer, Call, Model
from tests.proofs.proof import Laboratory, Proof
from tests.support.databases import connected

STEPS, STEPS_EACH = 2_000, 50
LIMITS = (0, 50, 300)
AMOUNTS = st.integers(1, 60)
NAMES = count(1)


@dataclass
class Shared:
    """State that all machines of a run share: the database, and the answers so far."""

    database: Database
    tell: Callable[[str], None]
    answers: Counter[str] = field(default_factory=Counter)


class Machine(RuleBasedStateMachine):
    """Random calls on `shared.database`; every example has a workspace of its own."""

    shared: Shared

    @initialize()
    def open(self) -> None:
        self.books, self.model = open_books(self.shared.database, f"m{next(NAMES)}"), Model()
        self.keys: list[tuple[str, Call, Answer]] = []
        with self.shared.database.sessions.begin() as session:
            for name, limit in enumerate(LIMITS):
                budget = open_budget(session, self.books.workspace, str(name), limit)
                self.model.open(budget, limit)
            self.before = digest(session)
        self.budgets = list(self.model.balances)
        self.holds: list[tuple[UUID, UUID]] = []  # hold, budget

    @rule(data=st.data(), minor=AMOUNTS, order=st.integers(0, 25))
    def reserve(self, data: st.DataObject, minor: int, order: int) -> None:
        budget = data.draw(st.sampled_from(self.budgets))
        self.call(Call(kind=Movement.RESERVE, budget=budget, minor=minor, reference=f"order:{order}"))

    @rule(data=st.data(), minor=AMOUNTS, tile=st.integers(0, 25))
    def settle(self, data: st.DataObject, minor: int, tile: int) -> None:
        self.use(data, Movement.SETTLE, minor, self.books.settling(tile))

    @rule(data=st.data(), minor=AMOUNTS)
    def release(self, data: st.DataObject, minor: int) -> None:
        self.use(data, Movement.RELEASE, minor, "order:1")

    @rule(minor=AMOUNTS, kind=st.sampled_from([Movement.RESERVE, Movement.SETTLE, Movement.RELEASE]))
    def name_what_does_not_exist(self, minor: int, kind: Movement) -> None:
        hold = None if kind is Movement.RESERVE else uuid4()
        reference = self.books.settling(0)
        self.call(Call(kind=kind, budget=uuid4(), minor=minor, reference=reference, hold=hold))

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if self.keys:
            key, call, answer = data.draw(st.sampled_from(self.keys))
            self.see(perform(self.shared.database, self.books, call, key), answer, "replayed")

    @rule(data=st.data(), minor=AMOUNTS)
    def use_a_key_for_another_call(self, data: st.DataObject, minor: int) -> None:
        if self.keys:
            key, call, _ = data.draw(st.sampled_from(self.keys))
            other = Call(kind=call.kind, budget=call.budget, minor=minor, reference="another")
            refused = Answer(code="idempotency-key-reused")
            self.see(perform(self.shared.database, self.books, other, key), refused, refused.code)

    def use(self, data: st.DataObject, kind: Movement, minor: int, reference: str) -> None:
        if self.holds:
            hold, budget = data.draw(st.sampled_from(self.holds))
            self.call(Call(kind=kind, budget=budget, minor=minor, reference=reference, hold=hold))

    def call(self, call: Call) -> None:
        expected, key = self.model.judge(call), str(uuid4())
        answer = perform(self.shared.database, self.books, call, key)
        if expected == ACCEPTED:
            self.model.apply(call, answer.hold)
            self.keys.append((key, call, answer))
            if call.kind is Movement.RESERVE and answer.hold is not None:
                self.holds.append((answer.hold, call.budget))
        self.see(answer, Answer(code=expected, hold=answer.hold), expected)

    def see(self, answer: Answer, expected: Answer, outcome: str) -> None:
        assert answer == expected
        self.shared.answers[outcome] += 1
        self.shared.tell(f"{self.shared.answers.total():,} calls")
        with self.shared.database.sessions() as session:
            found, now = balances(session, self.books.workspace), digest(session)
        assert {budget: found[budget] for budget in self.budgets} == self.model.balances
        assert (now == self.before) == (outcome != ACCEPTED), f"the tables after {outcome}"
        self.before = now


def prove_model_agrees(laboratory: Laboratory, steps: int = STEPS) -> Proof:
    """Run machines until `steps` calls were compared with the model."""
    with laboratory.database() as url, connected(url, 1) as (database,):
        shared = Shared(database, laboratory.tell)
        failure = explore(shared, laboratory.seed, steps)
        with database.sessions() as session:
            broken = [f"{finding.rule}: {finding.subject}" for finding in audit_ledger(session)]
    return Proof(
        claim="a model of 40 lines agrees with every answer and balance; a refused call leaves no trace",
        figures={"calls": shared.answers.total(), **shared.answers, "violations": len(broken)},
        against=(*failure, *broken),
    )


def explore(shared: Shared, first_seed: int, steps: int) -> tuple[str, ...]:
    """Run one machine after another, each with the next seed, until one fails; return its failure."""
    limits = settings(
        max_examples=max(1, steps // STEPS_EACH), stateful_step_count=STEPS_EACH, deadline=None,
        database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for number in count(first_seed):
        try:
            ours = type("Ledger", (Machine,), {"shared": shared})
            run_state_machine_as_test(seed(number)(ours), settings=limits)
        except Exception as failure:
            return ("\n".join([repr(failure), *getattr(failure, "__notes__", [])]),)
        if shared.answers.total() >= steps:
            return ()
    raise AssertionError("unreachable")
