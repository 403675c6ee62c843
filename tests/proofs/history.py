"""Proof: random calls of many connections at once have one order, and the model explains every answer.

The method is that of Jepsen. The ledger has a total order (seq), so its history is replayed through the model
in linear time, and no search for an order is needed.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.ledger.book import ROUTES, Account, Movement, Transfer
from service.ledger.transfers import chain
from tests.proofs.books import Books, balances, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Answer, Call, Model
from tests.proofs.proof import Laboratory, Proof
from tests.support.databases import connected

CONNECTIONS, CALLS = 8, 150
BUDGETS, LIMIT_A_CALL = 3, 8  # less than the calls request, so that budgets run out
LAST = 2**63


@dataclass(frozen=True, kw_only=True)
class Event:
    """One call as its client saw it; times in ns of the same monotonic clock."""

    call: Call
    answer: Answer
    begun: int
    ended: int


def prove_history_is_explained(laboratory: Laboratory, calls: int = CALLS) -> Proof:
    """Run random calls on several connections, then replay them through the model in the ledger's order."""
    with laboratory.database() as url, connected(url, CONNECTIONS) as clients:
        books = open_books(clients[0], "history")
        with clients[0].sessions.begin() as session:
            budgets = [
                open_budget(session, books.workspace, str(n), LIMIT_A_CALL * calls) for n in range(BUDGETS)
            ]
        events = run_at_once(clients, books, budgets, calls, laboratory.seed)
        with clients[0].sessions() as session:
            ledger = list(chain(session, books.workspace))
            against = [
                *explain(events, ledger),
                *compare_balances(session, ledger),
                *(f"{finding.rule}: {finding.subject}" for finding in audit_ledger(session)),
            ]
    return Proof(
        claim=f"{CONNECTIONS} connections at once: the order of seq explains every answer and balance",
        figures={
            "calls": len(events),
            **Counter(event.answer.code for event in events),
            "transfers replayed": len(ledger),
            "unexplained": len(against),
        },
        against=tuple(against),
    )


def run_at_once(
    clients: Sequence[Database], books: Books, budgets: Sequence[UUID], calls: int, seed: int
) -> list[Event]:
    """Let every client make `calls` random calls; holds are shared, so that clients compete for them."""
    holds: list[tuple[UUID, UUID]] = []  # hold, budget; appending is atomic
    start = Barrier(len(clients))

    def run(number: int) -> list[Event]:
        chance = random.Random(f"{seed} {number}")
        start.wait(timeout=60)
        events = []
        for turn in range(calls):
            call = choose(chance, books, budgets, holds, number * calls + turn)
            begun = time.monotonic_ns()
            answer = ask(clients[number], books, call)
            events.append(Event(call=call, answer=answer, begun=begun, ended=time.monotonic_ns()))
            if call.kind is Movement.RESERVE and answer.hold is not None:
                holds.append((answer.hold, call.budget))
        return events

    with ThreadPoolExecutor(len(clients)) as pool:
        return [event for events in pool.map(run, range(len(clients))) for event in events]


def ask(client: Database, books: Books, call: Call) -> Answer:
    """Make a call and record its answer; any other error counts as unexplained."""
    try:
        return perform(client, books, call)
    except DBAPIError as error:
        return Answer(code=str(error.orig).split("\n")[0])


def choose(
    chance: random.Random,
    books: Books,
    budgets: Sequence[UUID],
    holds: Sequence[tuple[UUID, UUID]],
    number: int,
) -> Call:
    """Return a random call with a new reference; some payments share a patch."""
    kind = chance.choice([Movement.RESERVE, Movement.SETTLE, Movement.RELEASE])
    minor = chance.randint(1, 20)
    if kind is Movement.RESERVE or not holds:
        reference = f"order:{number}"
        return Call(
            kind=Movement.RESERVE, budget=chance.choice(budgets), minor=2 * minor, reference=reference
        )
    hold, budget = chance.choice(holds[-20:])
    tile = chance.randint(0, 100) if chance.random() < 0.2 else 1_000 + number
    reference = books.settling(tile) if kind is Movement.SETTLE else f"release:{number}"
    return Call(kind=kind, budget=budget, minor=minor, reference=reference, hold=hold)


def explain(events: Sequence[Event], ledger: Sequence[Transfer]) -> list[str]:
    """Replay the ledger's order through the model; return a sentence for whatever it cannot explain."""
    seq_of = {(transfer.kind, transfer.reference): transfer.seq for transfer in ledger}
    placed = {
        seq_of[event.call.kind, event.call.reference]: event
        for event in events
        if event.answer.code == ACCEPTED
    }
    refused = [(event, *window(event, placed)) for event in events if event.answer.code != ACCEPTED]
    model, against = Model(), out_of_order(placed)
    for transfer in ledger:
        against += replay(model, transfer, placed.get(transfer.seq))
        refused = [
            (event, first, last)
            for event, first, last in refused
            if not (first <= transfer.seq <= last and model.judge(event.call) == event.answer.code)
        ]
    return against + [f"{event.call} should at no moment be {event.answer.code}" for event, _, _ in refused]


def replay(model: Model, transfer: Transfer, event: Event | None) -> list[str]:
    """Apply one transfer to the model; return a sentence if it refuses or no client requested it."""
    if transfer.kind is Movement.FUND:
        model.open(transfer.budget_id, transfer.amount.minor)
        return []
    if event is None:
        return [f"no client knows of transfer {transfer.seq}"]
    verdict = model.judge(event.call)
    model.apply(event.call, transfer.hold_id)
    return [] if verdict == ACCEPTED else [f"transfer {transfer.seq} should be {verdict}"]


def window(event: Event, placed: dict[int, Event]) -> tuple[int, int]:
    """Return the first and last seq after which a refused call, which has no seq, may have been decided.

    It came after every call that ended before it began, and before every call that began after it ended.
    """
    first = max((seq for seq, other in placed.items() if other.ended < event.begun), default=0)
    last = min((seq for seq, other in placed.items() if other.begun > event.ended), default=LAST) - 1
    return first, last


def out_of_order(placed: dict[int, Event]) -> list[str]:
    """Yield calls that ended before another began and nevertheless have the higher seq."""
    against, earliest_end, after = [], LAST, 0
    for seq in sorted(placed, reverse=True):
        if earliest_end < placed[seq].begun:
            against.append(f"transfer {after} ended before transfer {seq} began")
        if placed[seq].ended < earliest_end:
            earliest_end, after = placed[seq].ended, seq
    return against


def compare_balances(session: Session, ledger: Sequence[Transfer]) -> list[str]:
    """Compare every running balance in the tables with the sum of the transfers before it."""
    query = text("SELECT transfer_id, amount, balance_after FROM ledger.entry")
    stored = {(row.transfer_id, row.amount): row.balance_after for row in session.execute(query)}
    running: dict[tuple[UUID, Account], int] = {}
    against = []
    for transfer in ledger:
        for account, change in zip(ROUTES[transfer.kind], (-1, 1), strict=True):
            place, amount = (transfer.budget_id, account), change * transfer.amount.minor
            running[place] = running.get(place, 0) + amount
            if stored.get((transfer.id, amount)) != running[place]:
                against.append(f"the balance of {account} after transfer {transfer.seq}")
    found = balances(session, ledger[0].workspace_id)
    against += [
        f"the balance of {account}"
        for (budget, account), balance in running.items()
        if found[budget][account] != balance
    ]
    return against
