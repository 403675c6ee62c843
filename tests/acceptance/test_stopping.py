"""The end of the real server: it stops being ready first, cuts no answer, and ends in its time."""

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.bundles import make_geotiff, make_pixels
from tests.support.server import KEY, ServerProcess, running_server
from tests.support.waiting import eventually

TIFF = {"Content-Type": "image/tiff"}
DRAIN_S = 12
HURRIED_S = 5
SLACK_S = 20
"""For a busy machine and the end of the embedded database."""
SLOW_PX = 2_400
WAITED_FOR = "1000000"
"""Tiles of a scene that a request waits for: none becomes a job."""


@pytest.fixture(scope="module")
def slow_scene() -> bytes:
    """Make a scene of 90,000 tiles, which takes minutes to plan under rules for shapes."""
    repeated = make_pixels(height=48, width=48)
    return make_geotiff(np.tile(repeated, (1, SLOW_PX // 48, SLOW_PX // 48)), compress="zstd")


@contextmanager
def connected(server: ServerProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


@contextmanager
def planning(server: ServerProcess, scene: bytes) -> Iterator[Future[httpx.Response]]:
    """Yield the answer to come of a long plan that the server has begun.

    Of two requests with the same key, the second is refused at once, while the first computes.
    """

    def plan(client: httpx.Client) -> httpx.Response:
        query, headers = {"price_list": "example-30cm-tasking"}, TIFF | {"Idempotency-Key": "a-long-plan"}
        return client.post("/v1/plans", content=scene, headers=headers, params=query)

    with connected(server) as one, connected(server) as two, ThreadPoolExecutor(2) as pool:
        ended, running = wait([pool.submit(plan, one), pool.submit(plan, two)], return_when=FIRST_COMPLETED)
        assert {answer.result().status_code for answer in ended} == {409}
        yield running.pop()


def test_sigterm_answers_what_runs_and_ends_in_time(bundle_folder: Path, slow_scene: bytes) -> None:
    """A plan that needs minutes once held a stopping server until it was killed, and its answer was cut."""
    with (
        running_server(
            bundle_folder, LOUPE_DRAIN_SECONDS=str(DRAIN_S), LOUPE_REQUEST_TILES=WAITED_FOR
        ) as server,
        connected(server) as other,
        planning(server, slow_scene) as planned,
    ):
        assert other.get("/readyz").status_code == 200
        asked_at = time.monotonic()
        server.ask_to_stop()
        unready = other.get("/readyz")

        assert (unready.status_code, unready.json()["checks"]["accepting"]) == (503, False)
        assert other.get("/v1/budgets").status_code == 200
        answer = planned.result()
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/server-stopping"
        assert answer.headers["retry-after"]
        assert server.wait() == 0
        assert time.monotonic() - asked_at < DRAIN_S + HURRIED_S + SLACK_S
        assert not server.has_database


def test_second_signal_ends_the_server_cleanly(bundle_folder: Path, slow_scene: bytes) -> None:
    with (
        running_server(bundle_folder, LOUPE_DRAIN_SECONDS="600", LOUPE_REQUEST_TILES=WAITED_FOR) as server,
        connected(server) as other,
        planning(server, slow_scene) as planned,
    ):
        other.get("/readyz")
        server.ask_to_stop()
        eventually(lambda: other.get("/readyz").status_code == 503)  # two signals at once would be one
        server.ask_to_stop()

        assert server.wait() == 0
        assert planned.exception() is not None or planned.result().status_code == 503
        assert not server.has_database
