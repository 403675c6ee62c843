"""Proof: when any one guard is removed, a check turns red. The report lists guard and check.

A guard that no check misses is not tested. If another guard makes it redundant, `REDUNDANT` gives the reason.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.database.engine import Database
from tests.proofs.attacks import Attack, attempt, find_attacks
from tests.proofs.books import open_books
from tests.proofs.control import race
from tests.proofs.mutations import Mutation, mutations
from tests.proofs.proof import Laboratory, Proof
from tests.proofs.races import RACES, attempting
from tests.proofs.scenarios import SCENARIOS, in_brief, play
from tests.proofs.worlds import make_world
from tests.support.databases import connected

REDUNDANT: Mapping[str, str] = {
    "put_in_force: INTO STRICT": "lock_budget has just read the same row, strictly",
    "reserve: INTO STRICT": "lock_budget has just read the same row, strictly",
    "refuse_all_but_deleting_pixels": "it names no table",
    "keep_evidence": "it names no table without its schema",
    "check_history": "it names no table without its schema",
    "level: PERFORM post(CASE WHEN missing > 0 THEN p_up ELSE p_down END, p_budget, abs(missing), NULL,"
    " p_reference);": "the line before leaves only what is not 0",
}
"""Guards that another guard makes unnecessary, with the reason; reviewed by hand."""
CONNECTIONS, TRIES = 8, 12

Caught = tuple[str, str]
"""A check and its finding."""
NOTHING: Caught = ("none", "nothing")


def prove_every_guard_is_tested(laboratory: Laboratory, among: Sequence[str] | None = None) -> Proof:
    """Remove one guard at a time from the schema and find the check that notices."""
    with laboratory.database() as url, connected(url, 1) as (database,):
        make_world(database)
        with transaction(database) as session:
            attacks = find_attacks(raw(session))
            wanted = [found for found in mutations(raw(session)) if among is None or found.kind in among]
            healthy = [name for name, broken in complaints(session, attacks) if broken]
        caught = []
        for number, mutation in enumerate(wanted, start=1):
            laboratory.tell(f"{number} of {len(wanted)}, {mutation.kind} {mutation.name}")
            caught.append((mutation, catch(laboratory, database, mutation, attacks)))
    return report(caught, {"attacks": len(attacks), "scenarios": len(SCENARIOS)}, healthy)


def report(
    caught: Sequence[tuple[Mutation, Caught | None]], checks: Mapping[str, int], healthy: Sequence[str]
) -> Proof:
    """Report every guard with the check that noticed; the checks in `healthy` failed with all guards."""
    missed = [f"nothing notices: {mutation.kind} {mutation.name}" for mutation, by in caught if by is None]
    spared = [mutation for mutation, by in caught if by and mutation.name in REDUNDANT]
    kinds = Counter(mutation.kind for mutation, _ in caught)
    return Proof(
        claim="each guard, taken away, turns a check red",
        figures={
            "guards": len(caught), "noticed by a check": len(caught) - len(missed) - len(spared),
            "redundant, with a reason": len(spared), **checks, **kinds,
        },
        against=(*missed, *(f"red with every guard in place: {name}" for name in healthy)),
        titles=("guard", "taken away", "check that turns red", "what it sees"),
        details=tuple((mutation.kind, mutation.name, *(by or NOTHING)) for mutation, by in caught),
    )  # fmt: skip


@contextmanager
def transaction(database: Database) -> Iterator[Session]:
    """Open a session whose work is rolled back."""
    with database.sessions() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        yield session
        session.rollback()


def raw(session: Session) -> Any:
    """Return the psycopg connection of a session."""
    return session.connection().connection.driver_connection


def catch(
    laboratory: Laboratory, database: Database, mutation: Mutation, attacks: Sequence[Attack]
) -> Caught | None:
    """Return the first check that notices a missing guard; None when none does."""
    with transaction(database) as session:
        raw(session).execute(mutation.statement)
        likely = sorted(attacks, key=lambda attack: attack.outcome != mutation.name)
        for name, broken in complaints(session, [] if mutation.in_code else likely):
            if broken:
                return name, broken
    if mutation.name in REDUNDANT:
        return "none", f"redundant: {REDUNDANT[mutation.name]}"
    return catch_by_racing(laboratory, mutation)


def complaints(session: Session, attacks: Sequence[Attack]) -> Iterator[tuple[str, str | None]]:
    """Yield every check of one connection: its name, and its finding or None."""
    for attack in attacks:
        outcome = attempt(raw(session), attack.query, attack.values)
        yield attack.name, None if outcome == attack.outcome else outcome
    for scenario in SCENARIOS:
        yield scenario.__name__.replace("_", " "), play(session, scenario)


def catch_by_racing(laboratory: Laboratory, mutation: Mutation) -> Caught | None:
    """Return what fails when many connections use a mutated ledger at once; None when nothing does."""
    with laboratory.database() as url, connected(url, CONNECTIONS) as clients:
        with clients[0].sessions.begin() as session:
            raw(session).execute(mutation.statement)
        for prepare in RACES:
            name = prepare.__name__.replace("_", " ")
            books = open_books(clients[0], name)
            with clients[0].sessions.begin() as session:
                turn = prepare(session, books)
            try:
                race(clients, TRIES, attempting(turn))
            except Exception as broken:
                return f"racing {name}", in_brief(broken)
    return None
