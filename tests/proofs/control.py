"""Proof: naive check-then-write overspends under 32 connections, the ledger does not, in the same run."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

from sqlalchemy import text

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.ledger.book import Movement
from tests.proofs.books import Books, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Call
from tests.proofs.proof import Laboratory, Proof
from tests.support.databases import connected

CONNECTIONS, TRIES, PRICE, POSSIBLE = 32, 40, 100, 500  # 1,280 tries of 1 USD on 500 USD

Attempt = Callable[[Database, int], bool]


def prove_no_overspending(laboratory: Laboratory, tries: int = TRIES, possible: int = POSSIBLE) -> Proof:
    """Race the same attempts over a plain row and over the ledger."""
    with laboratory.database() as url, connected(url, CONNECTIONS) as clients:
        naive = race(clients, tries, naively(clients[0], possible * PRICE))
        books = open_books(clients[0], "control")
        with clients[0].sessions.begin() as session:
            budget = open_budget(session, books.workspace, "control", possible * PRICE)
        ours = race(clients, tries, carefully(books, budget))
        with clients[0].sessions() as session:
            broken = [f"{finding.rule}: {finding.subject}" for finding in audit_ledger(session)]
    against = list(broken)
    if naive <= possible:
        against.append(f"the control did not overspend: {naive} of {possible} accepted, so nothing is shown")
    if ours != possible:
        against.append(f"the ledger accepted {ours} where {possible} are possible")
    return Proof(
        claim="32 connections: check-then-write overspends, the ledger never",
        figures={
            "tries": CONNECTIONS * tries, "possible": possible, "accepted by check-then-write": naive,
            "accepted by the ledger": ours, "violations": len(broken),
        },
        against=tuple(against),
    )  # fmt: skip


def race(clients: Sequence[Database], tries: int, attempt: Attempt) -> int:
    """Let every client try `tries` times, all starting at once, and return how often they succeeded."""
    start = Barrier(len(clients))

    def run(number: int) -> int:
        start.wait(timeout=60)
        return sum(attempt(clients[number], number * tries + turn) for turn in range(tries))

    with ThreadPoolExecutor(len(clients)) as pool:
        return sum(pool.map(run, range(len(clients))))


def naively(database: Database, limit: int) -> Attempt:
    """Return an attempt that checks the balance and then takes the money, as the ledger must not do."""
    with database.sessions.begin() as session:
        session.execute(text("CREATE TABLE purse (balance bigint)"))
        session.execute(text("INSERT INTO purse VALUES (:limit)"), {"limit": limit})

    def attempt(client: Database, _number: int) -> bool:
        with client.sessions.begin() as session:
            if session.execute(text("SELECT balance FROM purse")).scalar_one() < PRICE:
                return False
            session.execute(text("UPDATE purse SET balance = balance - :price"), {"price": PRICE})
            return True

    return attempt


def carefully(books: Books, budget: UUID) -> Attempt:
    """Return an attempt that reserves through the service's writer."""

    def attempt(client: Database, number: int) -> bool:
        call = Call(kind=Movement.RESERVE, budget=budget, minor=PRICE, reference=f"order:{number}")
        return perform(client, books, call).code == ACCEPTED

    return attempt
