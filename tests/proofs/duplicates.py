"""Proof over HTTP: 32 duplicates of one request have one effect and one answer; a key is for one request."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Any

import httpx

from tests.proofs.proof import Laboratory, Proof
from tests.support.bundles import write_bundle
from tests.support.server import KEY, ServerProcess, make_mosaic, running_server

DUPLICATES, KEYS = 32, 6
PATIENCE_S = 60
BUSY = {409, 503}
"""Statuses that are tried again, as Retry-After says: in flight, or no free connection."""

Json = dict[str, Any]


def prove_duplicates_have_one_effect(laboratory: Laboratory, keys: int = KEYS) -> Proof:
    """Order plans, each by 32 clients at once with one key, through a separate server process."""
    with served() as server, clients(server) as crowd:
        against, answers = [], Counter[str]()
        budget = send(crowd[0], "/v1/budgets", "open-the-budget", new_budget("duplicates", "1000.00")).json()[
            "id"
        ]
        for number in range(keys):
            laboratory.tell(f"key {number + 1} of {keys}")
            plan = {"plan": make_plan(crowd[0], number), "budget": budget}
            against += at_once(crowd, f"order-number-{number}", plan, answers)
        reused, in_flight = use_for_another(crowd[0], budget), overtake(server, crowd[0])
        holds = server.query("SELECT count(*) FROM ledger.transfer WHERE kind = 'reserve'")[0][0]
        broken = server.query("SELECT invariant || ' ' || subject FROM ledger.violations")
    against += unlike(reused, 422, "idempotency-key-reused")
    against += unlike(in_flight, 409, "idempotency-key-in-flight")
    if holds != keys:
        against.append(f"{holds} holds for {keys} keys")
    return Proof(
        claim=f"{DUPLICATES} duplicates of one Idempotency-Key over HTTP: one effect, the same answer",
        figures={
            "keys": keys, "requests": keys * DUPLICATES, "holds": holds, **answers,
            "same key, another body": reused.status_code,
            "first request in flight": in_flight.status_code, "violations": len(broken),
        },
        against=(*against, *(row[0] for row in broken)),
    )  # fmt: skip


@contextmanager
def served() -> Iterator[ServerProcess]:
    """Run a real server process on an empty state, with a tiny bundle."""
    with TemporaryDirectory() as folder, running_server(write_bundle(Path(folder) / "tiny")) as server:
        yield server


@contextmanager
def clients(server: ServerProcess, count: int = DUPLICATES) -> Iterator[list[httpx.Client]]:
    """Open `count` clients, each with its own connection."""
    headers = {"Authorization": f"Bearer {KEY}"}
    crowd = [httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE_S) for _ in range(count)]
    try:
        yield crowd
    finally:
        for client in crowd:
            client.close()


def new_budget(name: str, amount: str) -> Json:
    return {"name": name, "limit": {"amount": amount, "currency": "USD"}}


def make_plan(client: httpx.Client, number: int) -> str:
    """Plan a new scene and return the plan's id."""
    headers = {"Content-Type": "image/tiff", "Idempotency-Key": f"plan-number-{number}"}
    scene = make_mosaic().scene(8)
    answer = client.post(
        "/v1/plans", content=scene, headers=headers, params={"max_patches": 2 + number, "reuse": "none"}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def send(client: httpx.Client, path: str, key: str, body: Json) -> httpx.Response:
    """Send a request, and repeat it while the server is busy or the key's first request is in flight."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = client.post(path, json=body, headers={"Idempotency-Key": key})
        if (
            answer.status_code not in BUSY
            or "Retry-After" not in answer.headers
            or time.monotonic() > deadline
        ):
            return answer
        time.sleep(0.2)


def at_once(crowd: list[httpx.Client], key: str, body: Json, answers: Counter[str]) -> list[str]:
    """Send one order from every client at once; return what was not one answer and its replays."""
    start = Barrier(len(crowd))

    def run(client: httpx.Client) -> httpx.Response:
        start.wait(timeout=PATIENCE_S)
        return send(client, "/v1/orders", key, body)

    with ThreadPoolExecutor(len(crowd)) as pool:
        got = list(pool.map(run, crowd))
    replays = sum("Idempotency-Replayed" in answer.headers for answer in got)
    answers.update({"first answers": len(got) - replays, "replays": replays})
    against = [
        f"{key}: {answer.status_code} {answer.text[:200]}" for answer in got if answer.status_code != 201
    ]
    if len({answer.content for answer in got}) != 1:
        against.append(f"{key}: answers differ")
    return against if replays == len(got) - 1 else [*against, f"{key}: {len(got) - replays} first answers"]


def use_for_another(client: httpx.Client, budget: str) -> httpx.Response:
    """Send the first order's key with another plan."""
    body = {"plan": make_plan(client, DUPLICATES), "budget": budget}
    return send(client, "/v1/orders", "order-number-0", body)


def overtake(server: ServerProcess, client: httpx.Client) -> httpx.Response:
    """Send a request whose key another transaction has claimed and not yet answered."""
    claim = """INSERT INTO idempotency (workspace_id, key, fingerprint)
        SELECT id, 'somebody-is-at-it', '' FROM workspace WHERE name = 'default'"""
    with server.connect() as database:
        database.execute(claim)
        headers = {"Idempotency-Key": "somebody-is-at-it"}
        answer = client.post("/v1/budgets", json=new_budget("in flight", "1.00"), headers=headers)
        database.rollback()
    return answer


def unlike(answer: httpx.Response, status: int, code: str) -> list[str]:
    """Return a description of an answer that is not the expected refusal."""
    if (answer.status_code, answer.json().get("type")) == (status, f"/problems/{code}"):
        return []
    return [f"{answer.status_code} {answer.text[:200]} instead of {status} {code}"]
