"""Jobs through real processes: workers and servers that are killed lose nothing and repeat nothing."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loupe import ClientError
from tests.support.bundles import make_geotiff
from tests.support.server import ServerProcess, running_server
from tests.support.waiting import eventually
from tests.support.workers import Workers, workers_of

SEED = 20261129
KILLS = 4
SIDE = 96
"""Tiles along a side of the scene."""
SETTINGS: Any = {"LOUPE_WORKER": "false", "LOUPE_WORKER_SILENT_SECONDS": "4"}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def scene() -> bytes:
    """Return a scene that takes a worker a second or more."""
    pixels = np.random.default_rng(SEED).integers(0, 256, (3, 8 * SIDE, 8 * SIDE), dtype=np.uint8)
    return make_geotiff(pixels)


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder, **SETTINGS) as process:
        yield process


@pytest.fixture
def workers(server: ServerProcess) -> Iterator[Workers]:
    with workers_of(server) as workers:
        yield workers


def plan_later(server: ServerProcess, scene: bytes, key: str) -> Json:
    headers = {"Content-Type": "image/tiff", "Prefer": "respond-async", "Idempotency-Key": f'"{key}"'}
    with server.client() as client:
        return dict(client.send("POST", "/v1/plans", file=scene, headers=headers).json())


def shown(server: ServerProcess, job: Json) -> Json:
    with server.client() as client:
        return client.get(f"/v1/jobs/{job['id']}")


def ended(server: ServerProcess, job: Json) -> Json:
    eventually(lambda: "finished_at" in shown(server, job))
    return shown(server, job)


def is_running(server: ServerProcess, job: Json, attempt: int = 1) -> bool:
    now = shown(server, job)
    return (now["status"], now["attempts"]) == ("running", attempt)


def plans(server: ServerProcess) -> list[str]:
    with server.client() as client:
        return [plan["id"] for plan in client.items("/v1/plans")]


def uploads(server: ServerProcess) -> list[Path]:
    return list((server.home / "blobs" / "jobs").glob("*-*"))


def test_worker_killed_at_any_moment_loses_and_repeats_nothing(
    server: ServerProcess, workers: Workers, scene: bytes
) -> None:
    """Kill the only worker at seeded moments of a job's usual time; another one takes the job."""
    moments, before = random.Random(SEED), set(plans(server))
    worker = workers.start()
    worker.wait()
    began = time.monotonic()
    jobs = [ended(server, plan_later(server, scene, "undisturbed"))]
    usual_s = time.monotonic() - began
    for number in range(KILLS):
        job = plan_later(server, scene, f"killed-{number}")
        time.sleep(moments.uniform(0, usual_s))
        worker.kill()
        worker = workers.start()
        jobs.append(ended(server, job))
        again = plan_later(server, scene, f"killed-{number}")
        assert again["id"] == job["id"]

    made = [job["result"]["plan"] for job in jobs]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert len(set(made)) == KILLS + 1
    assert set(plans(server)) - before == set(made)
    assert uploads(server) == []
    assert server.query("SELECT count(*) FROM procrastinate.procrastinate_jobs") == [(0,)]


def test_two_workers_share_the_queue(server: ServerProcess, workers: Workers, scene: bytes) -> None:
    both = [workers.start(), workers.start()]
    for worker in both:
        worker.wait()
    before = set(plans(server))
    jobs = [plan_later(server, scene, f"shared-{number}") for number in range(4)]
    seen: set[frozenset[str]] = set()

    def are_done() -> bool:
        now = [shown(server, job) for job in jobs]
        seen.add(frozenset(one["id"] for one in now if one["status"] == "running"))
        return all("finished_at" in one for one in now)

    eventually(are_done)
    made = {shown(server, job)["result"]["plan"] for job in jobs}
    assert max(map(len, seen)) >= 2, "\n".join(worker.log for worker in both)
    assert set(plans(server)) - before == made
    assert len(made) == len(jobs)
    assert [worker.stop() for worker in both] == [0, 0]


def test_job_that_ends_its_worker_every_time_fails(
    server: ServerProcess, workers: Workers, scene: bytes
) -> None:
    job, before = plan_later(server, scene, "poisonous"), plans(server)
    for attempt in (1, 2, 3):
        worker = workers.start()
        eventually(lambda attempt=attempt: is_running(server, job, attempt))  # type: ignore[misc]
        worker.kill()
    workers.start()
    failed = ended(server, job)

    assert (failed["status"], failed["attempts"]) == ("failed", 3)
    assert failed["problem"]["type"] == "/problems/job-given-up"
    assert "3 times" in failed["problem"]["detail"]
    assert plans(server) == before
    assert uploads(server) == []


def test_stopped_worker_gives_its_job_back(server: ServerProcess, workers: Workers, scene: bytes) -> None:
    job = plan_later(server, scene, "given-back")
    worker = workers.start()
    eventually(lambda: is_running(server, job))
    status = worker.stop()
    waiting = shown(server, job)
    workers.start()
    done = ended(server, job)

    assert status == 0
    assert (waiting["status"], waiting["attempts"]) == ("queued", 0)
    assert (done["status"], done["attempts"]) == ("succeeded", 1)


def test_running_job_is_cancelled(server: ServerProcess, workers: Workers, scene: bytes) -> None:
    job, before = plan_later(server, scene, "cancelled"), plans(server)
    workers.start()
    eventually(lambda: is_running(server, job))
    with server.client() as client:
        client.post(f"/v1/jobs/{job['id']}/cancel")
    done = ended(server, job)

    assert done["status"] == "cancelled"
    assert plans(server) == before
    assert uploads(server) == []


def test_killed_server_goes_on_with_its_job(bundle_folder: Path, scene: bytes) -> None:
    """The server that took the request runs its job, is killed, and is started again."""
    with running_server(bundle_folder, LOUPE_WORKER_SILENT_SECONDS="4") as server:
        job = plan_later(server, scene, "through-the-kill")
        eventually(lambda: is_running(server, job))
        server.kill_database()
        server.kill()
        server.start()
        done = ended(server, job)

        assert done["status"] == "succeeded"
        assert plans(server) == [done["result"]["plan"]]
        with pytest.raises(ClientError, match="ended"), server.client() as client:
            client.post(f"/v1/jobs/{job['id']}/cancel")
