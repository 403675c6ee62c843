"""The main job while the server is killed between its steps and during one."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loupe import Client, ClientError
from tests.support.server import ServerProcess, make_mosaic, running_server
from tests.support.waiting import eventually

MOSAIC = make_mosaic()
PATCHES = 2

Step = Callable[[Client], Any]


@pytest.fixture
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process


class Job:
    """The main job as repeatable steps: each repeat sends the same keys and bytes."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def budget(self, client: Client) -> Any:
        body = {"name": "survivor", "limit": {"amount": "5.00", "currency": "USD"}}
        return self._post(client, "budget", "/v1/budgets", body)

    def plan(self, client: Client) -> Any:
        query = {"max_patches": PATCHES}
        headers = {"Idempotency-Key": '"survivor-plan"', "Content-Type": "image/tiff"}
        answer = client.send("POST", "/v1/plans", file=MOSAIC.scene(8), query=query, headers=headers)
        return self._keep("plan", answer.json())

    def order(self, client: Client) -> Any:
        body = {"plan": self.known["plan"]["id"], "budget": self.known["budget"]["id"]}
        return self._post(client, "order", "/v1/orders", body)

    def deliver(self, number: int) -> Step:
        def step(client: Client) -> Any:
            order = self.known["order"]
            place = order["patches"]["awaited"][number]
            tile, patch = place["tile"], place["patch"]
            client.deliver_patch(order["id"], tile, patch, MOSAIC.patch(tile, patch))
            return client.get(f"/v1/orders/{order['id']}")["patches"]["delivered"]

        return step

    def classify(self, client: Client) -> Any:
        path = f"/v1/orders/{self.known['order']['id']}/classification"
        return self._post(client, "labels", path, {"allow_partial": False})

    def steps(self) -> list[Step]:
        deliveries = [self.deliver(number) for number in range(PATCHES)]
        return [self.budget, self.plan, self.order, *deliveries, self.classify]

    def _post(self, client: Client, name: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Idempotency-Key": f'"survivor-{name}"'}
        return self._keep(name, client.send("POST", path, json=body, headers=headers).json())

    def _keep(self, name: str, answer: Any) -> Any:
        assert self.known.setdefault(name, answer) == answer, f"{name} was repeated"
        return answer


def assert_books_are_right(server: ServerProcess, job: Job) -> None:
    """Assert that the plan's cost is settled once and reported, and that no invariant is broken."""
    with server.client() as client:
        order = client.get(f"/v1/orders/{job.known['order']['id']}")
        (report,) = client.get("/v1/reports/savings")["currencies"]
    assert order["status"] == "completed"
    assert report["settled"] == job.known["plan"]["cost"]
    assert str(server.settled_usd()) == report["settled"]["amount"]
    assert server.query("SELECT * FROM ledger.violations") == []


def test_repeated_step_after_kill_gives_the_same_answer(server: ServerProcess) -> None:
    """Kill the server after each step, restart it and repeat the step.

    Every second kill includes the database, as in a power cut.
    """
    job = Job()
    for number, step in enumerate(job.steps()):
        with server.client() as client:
            before = step(client)
        if number % 2:
            server.kill_database()
        server.kill()
        server.start()
        with server.client() as client:
            assert step(client) == before

    assert_books_are_right(server, job)


def test_server_starts_its_database_again_when_that_alone_dies(server: ServerProcess) -> None:
    job = Job()
    for kills, step in enumerate(job.steps()[:4], 1):
        with server.client() as client:
            before = step(client)
        server.kill_database()
        eventually(partial(was_revived, server, kills))
        with server.client() as client:
            assert step(client) == before

    with server.client() as client:
        for step in job.steps()[4:]:
            step(client)
    assert_books_are_right(server, job)


def was_revived(server: ServerProcess, times: int) -> bool:
    return (server.home / "server.log").read_text().count("was started again") == times


def test_kill_during_deliveries_neither_loses_nor_repeats_a_payment(server: ServerProcess) -> None:
    """Kill the server while patches arrive, then let the client repeat every delivery."""
    job = Job()
    with server.client() as client:
        for step in job.steps()[:3]:
            step(client)

    for delay_s in (0.0, 0.1):
        sender = threading.Thread(target=deliver_until_it_fails, args=(job, server.client()))
        sender.start()
        time.sleep(delay_s)
        server.kill()
        sender.join(60)
        server.start()
        with server.client() as client:
            assert str(server.settled_usd()) == paid(client, job)

    with server.client() as client:
        for step in job.steps()[3:]:
            step(client)
    assert_books_are_right(server, job)


def deliver_until_it_fails(job: Job, client: Client) -> None:
    with client:
        try:
            for number in range(PATCHES):
                job.deliver(number)(client)
        except ClientError:
            return  # the kill loses the answer, as intended


def paid(client: Client, job: Job) -> str:
    """Return the amount that the order reports as settled, in dollars."""
    return str(client.get(f"/v1/orders/{job.known['order']['id']}")["amounts"]["settled"]["amount"])
