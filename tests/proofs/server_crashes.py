"""Proof over HTTP: kill -9 of the server, and of its database with it, loses nothing acknowledged."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import httpx

from tests.proofs.duplicates import Json, clients, new_budget, send, served
from tests.proofs.proof import Laboratory, Proof
from tests.support.server import ServerProcess

CLIENTS, ROUNDS = 8, 2
FEWEST, MOST = 20, 120
PATIENCE_S = 120


@dataclass
class Load:
    """Requests by key: answered ones, and those without an answer."""

    answered: dict[str, bytes] = field(default_factory=dict)
    in_doubt: set[str] = field(default_factory=set)
    enough: Event = field(default_factory=Event)


def prove_server_crashes_lose_nothing(laboratory: Laboratory, rounds: int = ROUNDS) -> Proof:
    """Kill a server under load, every other time with its database, and send every request again."""
    chance, load, back, against = random.Random(laboratory.seed), Load(), [], []
    with served() as server:
        for number in range(rounds):
            laboratory.tell(f"round {number + 1} of {rounds}")
            run_until_killed(server, load, number, len(load.answered) + chance.randint(FEWEST, MOST))
            begun = time.perf_counter()
            server.start()
            back.append(f"{time.perf_counter() - begun:.1f}")
        known, doubted = len(load.answered), len(load.in_doubt)
        committed = stored(server) & load.in_doubt
        lost = load.answered.keys() - stored(server)
        against += send_again(server, load)
        found = server.query("SELECT count(*) FROM ledger.budget")[0][0]
        broken = server.query("SELECT invariant || ' ' || subject FROM ledger.violations")
    against += [f"{key} was acknowledged and is lost" for key in sorted(lost)]
    against += [row[0] for row in broken]
    if found != known + doubted:
        against.append(f"{found} budgets where {known + doubted} were asked for")
    if not doubted:
        against.append("no request was in doubt: the kills did not come under load, so nothing is shown")
    return Proof(
        claim=f"kill -9 of the server under {CLIENTS} clients: nothing acknowledged is lost",
        figures={
            "kills": rounds, "of them with the database": rounds // 2, "acknowledged": known,
            "lost": len(lost), "in doubt": doubted, "in doubt that had been committed": len(committed),
            "expected after sending all again": known + doubted, "found after sending all again": found,
            "violations": len(broken), "seconds until back": ", ".join(back),
        },
        against=tuple(against),
    )  # fmt: skip


def run_until_killed(server: ServerProcess, load: Load, number: int, after: int) -> None:
    """Open budgets from every client until the server dies; it is killed after `after` answers."""
    load.enough.clear()

    def run(client: httpx.Client, name: int) -> None:
        for turn in range(10**6):
            key = f"budget-{number}-{name}-{turn}"
            try:
                answer = send(client, "/v1/budgets", key, body_of(key))
            except httpx.TransportError:
                load.in_doubt.add(key)
                return
            assert answer.status_code == 201, answer.text
            load.answered[key] = answer.content
            if len(load.answered) >= after:
                load.enough.set()

    with clients(server, CLIENTS) as crowd, ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(run, client, name) for name, client in enumerate(crowd)]
        came = load.enough.wait(PATIENCE_S)
        if number % 2:
            server.kill_database()
        server.kill()
        for future in running:
            future.result()
    assert came, f"fewer than {after} answers in {PATIENCE_S} s"


def body_of(key: str) -> Json:
    return new_budget(key, "1.00")


def stored(server: ServerProcess) -> set[str]:
    """Return the keys that have an answer in the database."""
    return {row[0] for row in server.query("SELECT key FROM idempotency WHERE status IS NOT NULL")}


def send_again(server: ServerProcess, load: Load) -> list[str]:
    """Send every request again with its key; return a sentence for each answer that differs."""
    against = []
    with clients(server, 1) as (client,):
        for key in [*load.answered, *sorted(load.in_doubt)]:
            answer = send(client, "/v1/budgets", key, body_of(key))
            if answer.status_code != 201 or load.answered.get(key, answer.content) != answer.content:
                against.append(f"{key} is now answered {answer.status_code} {answer.text[:100]}")
    return against
