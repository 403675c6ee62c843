"""Proof: kill -9 of PostgreSQL under load loses nothing that was acknowledged, and no call counts twice."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from uuid import UUID

import psutil
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from service.database.embedded import embedded_url, stop_embedded
from service.database.engine import Database, upgrade
from service.ledger.audit import audit_ledger
from service.ledger.book import Movement
from tests.proofs.books import Books, open_books, open_budget, perform
from tests.proofs.model import ACCEPTED, Call
from tests.proofs.proof import Laboratory, Proof
from tests.support.databases import administer, connected

CONNECTIONS, ROUNDS = 16, 3
FEWEST, MOST = 50, 400
"""Fewest and most acknowledged calls before a kill."""
PATIENCE_S = 120


@dataclass
class Load:
    """The clients' knowledge by key: acknowledged calls, and calls whose answer never came."""

    acknowledged: dict[str, Call] = field(default_factory=dict)
    in_doubt: dict[str, Call] = field(default_factory=dict)


@dataclass
class Toll:
    """The figures of all rounds."""

    acknowledged: int = 0
    in_doubt: int = 0
    committed: int = 0  # of those in doubt
    lost: int = 0
    expected: int = 0
    found: int = 0
    seconds_down: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def prove_crashes_lose_nothing(laboratory: Laboratory, rounds: int = ROUNDS) -> Proof:
    """Load a server, kill all its processes at a seeded moment, start it again and count; repeat.

    The last round is a control: its clients acknowledge commits that are not on disk, and must lose some.
    """
    chance, toll, control = random.Random(laboratory.seed), Toll(), Toll()
    with TemporaryDirectory(prefix="loupe-crashes-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        try:
            upgrade(embedded_url(home))
            for number in range(rounds):
                laboratory.tell(f"round {number + 1} of {rounds}")
                one_round(home, number, chance.randint(FEWEST, MOST), toll)
            laboratory.tell("control")
            administer(
                embedded_url(home), "ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()"
            )  # otherwise PostgreSQL writes within 0.2 s what nobody waits for
            one_round(home, rounds, MOST, control, prepare=forget_to_flush)
        finally:
            stop_embedded(home)
    return Proof(
        claim=f"kill -9 of PostgreSQL under {CONNECTIONS} connections: nothing acknowledged is lost",
        figures={
            "kills": rounds, "acknowledged": toll.acknowledged, "lost": toll.lost, "in doubt": toll.in_doubt,
            "in doubt that had been committed": toll.committed,
            "expected after sending them again": toll.expected,
            "found after sending them again": toll.found, "violations": len(toll.broken),
            "seconds until back": ", ".join(f"{seconds:.1f}" for seconds in toll.seconds_down),
            "acknowledged before they were on disk (control)": control.acknowledged,
            "lost of these": control.lost,
        },
        against=verdicts(toll, control),
    )  # fmt: skip


def verdicts(toll: Toll, control: Toll) -> tuple[str, ...]:
    """Return the figures that contradict the claim."""
    against = list(toll.broken)
    if toll.lost:
        against.append(f"{toll.lost} acknowledged calls are lost")
    if toll.found != toll.expected:
        against.append(f"{toll.found} transfers where {toll.expected} calls were made")
    if not toll.in_doubt:
        against.append("no call was in doubt: the kills did not come under load, so nothing is shown")
    if not control.lost:
        against.append("the control lost nothing: a loss would not be noticed")
    return tuple(against)


def forget_to_flush(database: Database) -> None:
    """Give a database a defect: its commits are acknowledged before they are on disk."""

    @event.listens_for(database.engine, "connect")
    def forget(connection: object, _record: object) -> None:
        vars(connection)["flush"] = lambda: None


def keep(_database: Database) -> None:
    """Leave a database as it is."""


def one_round(
    home: Path, number: int, after: int, toll: Toll, prepare: Callable[[Database], None] = keep
) -> None:
    """Kill the server once, after `after` acknowledged calls, and add to the toll."""
    url = embedded_url(home)
    with connected(url, CONNECTIONS) as clients:
        for client in clients:
            prepare(client)
        books = open_books(clients[0], f"round {number}")
        with clients[0].sessions.begin() as session:
            budget = open_budget(session, books.workspace, "crashes", 10**9)
        load = run_until_killed(clients, books, budget, lambda: kill_postgres(home), after)
    begun = time.perf_counter()
    stop_embedded(home)
    with connected(embedded_url(home), 1) as (database,):
        toll.seconds_down.append(time.perf_counter() - begun)
        count(database, books, load, toll)


def run_until_killed(
    clients: Sequence[Database], books: Books, budget: UUID, kill: Callable[[], None], after: int
) -> Load:
    """Let every client make calls until one is not answered; `kill` after `after` acknowledged calls."""
    load, enough = Load(), Event()

    def run(number: int) -> None:
        for turn in range(10**6):
            call = Call(kind=Movement.RESERVE, budget=budget, minor=7, reference=f"order:{number}-{turn}")
            key = f"key-of-{call.reference}"
            try:
                answer = perform(clients[number], books, call, key)
            except DBAPIError:
                load.in_doubt[key] = call
                return
            assert answer.code == ACCEPTED
            load.acknowledged[key] = call
            if len(load.acknowledged) >= after:
                enough.set()

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(run, number) for number in range(len(clients))]
        came = enough.wait(PATIENCE_S)
        kill()
        for future in running:
            future.result()
    assert came, f"fewer than {after} calls in {PATIENCE_S} s"
    return load


def kill_postgres(home: Path) -> None:
    """Send SIGKILL to the postmaster and every backend: no warning, no checkpoint, no clean-up."""
    postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0]))
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=30)


def count(database: Database, books: Books, load: Load, toll: Toll) -> None:
    """Compare the clients' knowledge with the ledger, before and after they repeat their requests."""
    kept = keys(database, books)
    toll.acknowledged += len(load.acknowledged)
    toll.lost += len(load.acknowledged.keys() - kept)
    toll.in_doubt += len(load.in_doubt)
    toll.committed += len(load.in_doubt.keys() & kept)
    for key, call in load.in_doubt.items():
        assert perform(database, books, call, key).code == ACCEPTED
    toll.expected += len(load.acknowledged) + len(load.in_doubt)
    with database.sessions() as session:
        query = text("SELECT count(*) FROM ledger.transfer WHERE workspace_id = :id AND kind = 'reserve'")
        toll.found += int(session.execute(query, {"id": books.workspace}).scalar_one())
        toll.broken += [f"{finding.rule}: {finding.subject}" for finding in audit_ledger(session)]


def keys(database: Database, books: Books) -> set[str]:
    """Return the idempotency keys that have an answer."""
    with database.sessions() as session:
        query = text("SELECT key FROM idempotency WHERE workspace_id = :id AND status IS NOT NULL")
        return set(session.execute(query, {"id": books.workspace}).scalars())
