"""Jobs that the client waits for, lists that it pages through, and answers that it cannot read."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest

from loupe import (
    AddressError,
    AnswerError,
    AsyncClient,
    Client,
    ClientError,
    JobCancelledError,
    Money,
    ProblemError,
    WaitTimeoutError,
    calls,
)
from loupe.answers.jobs import Job
from loupe.following import follow
from tests.support.played_api import URL, PlayedApi

Json = dict[str, Any]
Run = Callable[..., Any]
PROBLEM = {
    "type": "/problems/damaged-tiff",
    "title": "The file is damaged",
    "status": 422,
    "detail": "It ends.",
}


def job(status: str, **members: Any) -> Json:
    return {
        "id": "j1", "kind": "plan", "status": status, "attempts": 1, "by": "abcdefgh",
        "cancel_requested": False,
        "progress": {"tiles_done": 0, "tiles": 6, "share": 0.0}, "created_at": "2026-11-29T19:00:00Z",
        "links": [{"rel": "self", "href": "/v1/jobs/j1"}],
    } | members  # fmt: skip


ACCEPTED = httpx.Response(202, json=job("queued"), headers={"Location": "/v1/jobs/j1", "Retry-After": "2"})
RUNNING = httpx.Response(200, json=job("running"), headers={"Retry-After": "2"})
SUCCEEDED = job("succeeded", result={"plan": "p1"}, links=[{"rel": "result", "href": "/v1/plans/p1"}])


def ended(document: Json) -> httpx.Response:
    return httpx.Response(200, json=document)


def test_plan_waits_for_the_job_that_it_becomes(run: Run) -> None:
    seen: list[str] = []
    played = PlayedApi([ACCEPTED, *[RUNNING] * 6, ended(SUCCEEDED), ended({"id": "p1"})])

    found = run(played, lambda: calls.plan(b"scene", lambda now: seen.append(now["status"])))

    assert found == {"id": "p1"}
    assert seen == ["running"] * 6 + ["succeeded"]
    assert played.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2]
    assert [request.url.path for request in played.asked[-2:]] == ["/v1/jobs/j1", "/v1/plans/p1"]


def test_plan_raises_the_problem_of_its_job(run: Run) -> None:
    played = PlayedApi([ACCEPTED, ended(job("failed", problem=PROBLEM))])

    with pytest.raises(ProblemError, match="The file is damaged\nIt ends") as caught:
        run(played, lambda: calls.plan(b"scene"))
    assert (caught.value.status, caught.value.code, caught.value.detail) == (422, "damaged-tiff", "It ends.")


def test_plan_says_that_its_job_was_cancelled(run: Run) -> None:
    with pytest.raises(JobCancelledError, match="j1 was cancelled"):
        run(PlayedApi([ACCEPTED, ended(job("cancelled"))]), lambda: calls.plan(b"scene"))


def test_wait_ends_after_its_time(run: Run) -> None:
    played = PlayedApi([RUNNING])

    with pytest.raises(WaitTimeoutError, match="has not ended in 1 s"):
        run(played, lambda: follow("j1", timeout_s=1))
    assert sum(played.pauses) <= 1


def test_job_names_what_it_has_made() -> None:
    assert Job.read(SUCCEEDED).made("plan") == "p1"
    with pytest.raises(ClientError, match="has made no classification"):
        Job.read(SUCCEEDED).made("classification")
    with pytest.raises(ClientError, match="running"):
        Job.read(job("running")).made("plan")
    with pytest.raises(ProblemError, match="It ends"):
        Job.read(job("failed", problem=PROBLEM)).made("plan")
    with pytest.raises(JobCancelledError):
        Job.read(job("cancelled")).made("plan")


def test_list_is_read_page_by_page() -> None:
    onward = "/v1/jobs?limit=100&status=running&cursor=abc"
    pages = [
        httpx.Response(200, json={"items": [job("running")], "links": [{"rel": "next", "href": onward}]}),
        httpx.Response(200, json={"items": [job("queued")], "links": []}),
    ]

    async def awaited(played: PlayedApi) -> list[str]:
        async with AsyncClient(URL, "a-key", transport=httpx.MockTransport(played.answer)) as client:
            return [one.status async for one in client.jobs(status="running")]

    one, two = PlayedApi(pages), PlayedApi(pages)
    with Client(URL, "a-key", transport=httpx.MockTransport(one)) as client:
        listed = client.jobs(status="running")
        assert next(listed).status == "running"
        assert len(one.asked) == 1, "the second page is asked for when it is needed"
        assert [found.status for found in listed] == ["queued"]
    assert anyio.run(awaited, two) == ["running", "queued"]
    for played in (one, two):
        assert [str(request.url) for request in played.asked] == [
            f"{URL}/v1/jobs?limit=100&status=running",
            URL + onward,
        ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, text="<html>Welcome</html>"), "no JSON object"),
        (httpx.Response(200, json=["a"]), "no JSON object"),
        (httpx.Response(200, json={"id": "j1"}), "cannot be read as Job: kind"),
    ],
)
def test_answer_of_another_server_is_named(answer: httpx.Response, reason: str) -> None:
    played = PlayedApi([answer])

    with (
        Client(URL, "a-key", transport=httpx.MockTransport(played)) as client,
        pytest.raises(AnswerError, match=reason),
    ):
        client.get_job("j1")


def test_redirect_names_the_address_to_use() -> None:
    played = PlayedApi([httpx.Response(308, headers={"Location": "https://loupe.test/v1/me"})])

    with (
        Client(URL, "a-key", transport=httpx.MockTransport(played)) as client,
        pytest.raises(ProblemError, match=r"https://loupe\.test/v1/me"),
    ):
        client.me()


@pytest.mark.parametrize("url", ["loupe.test", "ftp://loupe.test", "http://loupe.test:port"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(AddressError, match="https://HOST"), Client(url, "a-key") as client:
        client.me()


def test_spend_is_by_month_unless_another_step_is_given() -> None:
    played = PlayedApi([httpx.Response(200, json={"currencies": [], "groups": []})])

    with Client(URL, "a-key", transport=httpx.MockTransport(played)) as client:
        client.spend(first_day="2026-11-01", step=None)
        client.spend(group_by="budget")

    assert [dict(request.url.params) for request in played.asked] == [
        {"step": "month", "from": "2026-11-01"},
        {"group_by": "budget"},
    ]


def test_money_is_sent_as_text() -> None:
    played = PlayedApi([httpx.Response(404, json={})])
    half = Money.of(Decimal("0.50"), "USD")

    with (
        Client(URL, "a-key", transport=httpx.MockTransport(played)) as client,
        pytest.raises(ProblemError),
    ):
        client.change_budget("b1", limit=half, approval_above=None)

    assert played.bodies == [b'{"limit":{"amount":"0.50","currency":"USD"},"approval_above":null}']
    assert str(half) == "0.50 USD"
