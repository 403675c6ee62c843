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

from tests.acceptance.server import KEY, ServerProcess, make_mosaic, running_server
from tests.factories import write_bundle
from tests.proofs.proof import Laboratory, Proof

DUPLICATES, KEYS = 32, 6
PATIENCE_S = 60
BUSY = {409, 503}
"""In flight, or no connection free: asked again, as Retry-After says."""

Json = dict[str, Any]


def prove_duplicates_have_one_effect(laboratory: Laboratory, keys: int = KEYS) -> Proof:
    """Order plans, each by 32 clients at one moment with one key, through a server process of its own."""
    with served() as server, clients(server) as crowd:
        against, answers = [], Counter[str]()
        budget = send(crowd[0], "/v1/budgets", "open-the-budget", new_budget("duplicates", "1000.00")).json()[
            "id"
        ]
        for number in range(keys):
            laboratory.tell(f"key {number + 1} of {keys}")
            plan = {"plan": make_plan(crowd[0], number), "budget": budget}
            against += at_once(crowd, f"order-number-{number}", plan, answers)
        against += another_body(crowd[0], budget)
        against += in_flight(server, crowd[0])
        holds = server.query("SELECT count(*) FROM ledger.transfer WHERE kind = 'reserve'")[0][0]
        broken = server.query("SELECT invariant || ' ' || subject FROM ledger.violations")
    if holds != keys:
        against.append(f"{holds} holds for {keys} keys")
    return Proof(
        claim=f"{DUPLICATES} duplicates of one Idempotency-Key over HTTP: one effect, the same answer",
        figures={
            "keys": keys, "requests": keys * DUPLICATES, "holds": holds, **answers,
            "same key, another body": 422, "first request in flight": 409, "violations": len(broken),
        },
        against=(*against, *(row[0] for row in broken)),
    )  # fmt: skip


@contextmanager
def served() -> Iterator[ServerProcess]:
    """A real server process on an empty state, with a tiny bundle."""
    with TemporaryDirectory() as folder, running_server(write_bundle(Path(folder))) as server:
        yield server


@contextmanager
def clients(server: ServerProcess, count: int = DUPLICATES) -> Iterator[list[httpx.Client]]:
    """So many clients, each with a connection of its own."""
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
    """Plan a scene of its own; returns the plan's id."""
    headers = {"Content-Type": "image/tiff", "Idempotency-Key": f"plan-number-{number}"}
    scene = make_mosaic().scene(8)
    answer = client.post("/v1/plans", content=scene, headers=headers, params={"max_patches": 2 + number})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def send(client: httpx.Client, path: str, key: str, body: Json) -> httpx.Response:
    """One request, sent again while the server is busy or the first of its key is in flight."""
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
    """Send one order by everybody at one moment; what was not the same answer once and its replays."""
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


def another_body(client: httpx.Client, budget: str) -> list[str]:
    """The first order's key with another plan must be refused."""
    body = {"plan": make_plan(client, DUPLICATES), "budget": budget}
    return expected(send(client, "/v1/orders", "order-number-0", body), 422, "idempotency-key-reused")


def in_flight(server: ServerProcess, client: httpx.Client) -> list[str]:
    """While another transaction has claimed a key, the second request is told so; afterwards it is done."""
    body, key = new_budget("in flight", "1.00"), "somebody-is-at-it"
    claim = """INSERT INTO idempotency (workspace_id, key, fingerprint)
        SELECT id, 'somebody-is-at-it', '' FROM workspace WHERE name = 'default'"""
    with server.connect() as database:
        database.execute(claim)
        refused = client.post("/v1/budgets", json=body, headers={"Idempotency-Key": key})
        database.rollback()
    done = send(client, "/v1/budgets", key, body)
    against = [] if done.status_code == 201 else [f"after the first was undone: {done.status_code}"]
    return expected(refused, 409, "idempotency-key-in-flight") + against


def expected(answer: httpx.Response, status: int, code: str) -> list[str]:
    if (answer.status_code, answer.json().get("type")) == (status, f"/problems/{code}"):
        return []
    return [f"{answer.status_code} {answer.text[:200]} instead of {status} {code}"]
