"""Commands that wait for a job, and `loupe jobs`."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.command_line import PLAN, PLAN_ID, PlayedServer, loupe

JOB_ID = "5f0c2a9e-2222-4333-8444-555566667777"
PLACE = f"/v1/jobs/{JOB_ID}"
PROBLEM = {
    "type": "/problems/damaged-tiff",
    "title": "The file is damaged",
    "status": 422,
    "detail": "It ends.",
}

Json = dict[str, Any]


def job(status: str, done: int = 0, **members: Any) -> Json:
    return {
        "id": JOB_ID, "kind": "plan", "status": status, "attempts": 1, "cancel_requested": False,
        "progress": {"tiles_done": done, "tiles": 6, "share": done / 6}, "created_at": "2026-11-29T19:00:00Z",
        "links": [{"rel": "self", "href": PLACE}],
    } | members  # fmt: skip


SUCCEEDED = job(
    "succeeded",
    6,
    result={"plan": PLAN_ID},
    links=[{"rel": "self", "href": PLACE}, {"rel": "result", "href": f"/v1/plans/{PLAN_ID}"}],
)


@pytest.fixture
def scene(tmp_path: Path) -> str:
    path = tmp_path / "scene.tif"
    path.write_bytes(b"II*\0 the bytes of a GeoTIFF")
    return str(path)


def goes_through(server: PlayedServer, *states: Json) -> None:
    """Let the server make a job of a plan, which is in one state after the other whenever it is read."""
    left = list(states)

    def show(_request: httpx.Request) -> httpx.Response:
        now = left.pop(0)
        return httpx.Response(200, json=now, headers={"Retry-After": "0"} if left else {})

    server.routes["POST /v1/plans"] = lambda _request: httpx.Response(
        202, json=job("queued"), headers={"Location": PLACE}
    )
    server.routes[f"GET {PLACE}"] = show
    server.routes[f"GET /v1/plans/{PLAN_ID}"] = (200, PLAN)


def test_plan_follows_its_job_to_the_plan(server: PlayedServer, scene: str) -> None:
    goes_through(server, job("queued"), job("running", 3, eta="2026-11-29T19:01:00Z"), SUCCEEDED)

    done = loupe("plan", scene, "--json")

    assert (done.exit_code, json.loads(done.stdout)) == (0, PLAN)
    assert [request.url.path for request in server.asked[1:]] == [PLACE] * 3 + [f"/v1/plans/{PLAN_ID}"]


def test_plan_says_why_its_job_failed(server: PlayedServer, scene: str) -> None:
    goes_through(server, job("failed", problem=PROBLEM))

    done = loupe("plan", scene)

    assert done.exit_code == 3
    assert "The file is damaged\nIt ends." in done.stderr


def test_plan_says_that_its_job_was_cancelled(server: PlayedServer, scene: str) -> None:
    goes_through(server, job("cancelled"))

    done = loupe("plan", scene)

    assert done.exit_code == 1
    assert f"{JOB_ID} was cancelled" in done.stderr


def test_interrupted_plan_says_how_to_go_on(server: PlayedServer, scene: str) -> None:
    goes_through(server, job("running", 1))
    show = server.routes[f"GET {PLACE}"]

    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    def first_show(request: httpx.Request) -> httpx.Response:
        server.routes[f"GET {PLACE}"] = interrupt
        assert callable(show)
        answer = show(request)
        answer.headers["Retry-After"] = "0"
        return answer

    server.routes[f"GET {PLACE}"] = first_show
    done = loupe("plan", scene)

    assert done.exit_code == 130
    assert f"loupe jobs show {JOB_ID} --follow" in done.stderr
    assert f"loupe jobs cancel {JOB_ID}" in done.stderr


def test_plan_later_returns_at_once(server: PlayedServer, scene: str) -> None:
    goes_through(server)

    done = loupe("plan", scene, "--later", "--max-patches", "2")

    assert done.exit_code == 0
    assert f"loupe jobs show {JOB_ID} --follow" in done.stdout
    (request,) = server.asked
    assert request.headers["Prefer"] == "respond-async"
    assert dict(request.url.params) == {"max_patches": "2"}


def test_jobs_list_shows_status_and_tiles(server: PlayedServer) -> None:
    server.lists("/v1/jobs", SUCCEEDED, job("running", 3))

    done = loupe("jobs", "list")

    assert "succeeded" in done.stdout
    assert "3 of 6" in done.stdout
    server.lists("/v1/jobs")
    assert loupe("jobs", "list").stdout == "There is no job.\n"


def test_jobs_show_names_the_result_and_the_problem(server: PlayedServer) -> None:
    server.routes[f"GET {PLACE}"] = (200, SUCCEEDED)
    assert f"loupe order {PLAN_ID}" in loupe("jobs", "show", JOB_ID).stdout

    server.routes[f"GET {PLACE}"] = (200, job("failed", problem=PROBLEM))
    assert "The file is damaged. It ends." in loupe("jobs", "show", JOB_ID).stdout


def test_jobs_show_follows_to_the_end(server: PlayedServer) -> None:
    goes_through(server, job("running", 1), job("running", 5), SUCCEEDED)

    done = loupe("jobs", "show", JOB_ID, "--follow", "--json")

    assert json.loads(done.stdout) == SUCCEEDED


@pytest.mark.parametrize(
    ("now", "said"), [("cancelled", "is cancelled"), ("running", "stops soon.\nTo see when: loupe jobs show")]
)
def test_jobs_cancel_says_whether_it_is_done(server: PlayedServer, now: str, said: str) -> None:
    server.routes[f"POST {PLACE}/cancel"] = (200, job(now))

    assert said in loupe("jobs", "cancel", JOB_ID).stdout
