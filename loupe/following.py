"""Jobs: waiting for the result of a request that the server works on after its answer."""

from collections.abc import Callable
from http import HTTPStatus

import httpx

from loupe.answers.base import Json
from loupe.exchange import Pause, Request, Steps, document_in, exchange, fetch, link_of
from loupe.paths import path_to
from loupe.problems import ClientError, JobCancelledError, WaitTimeoutError, problem_of
from loupe.repeating import retry_after_s

Seen = Callable[[Json], None]
"""Called with a job each time it is read."""
FIRST_PAUSE_S = 0.1
"""Seconds between the first two looks at a job; they double up to those that the server asks for."""


def follow(job: str, seen: Seen | None = None, timeout_s: float | None = None) -> Steps[Json]:
    """Read a job until it has ended, and return it, whatever its end is.

    Errors: WaitTimeoutError after `timeout_s` seconds of pauses.
    """
    pause_s, waited_s = FIRST_PAUSE_S, 0.0
    while True:
        answer = yield from exchange(Request(method="GET", path=path_to("jobs", job)))
        found, asked_s = document_in(answer), retry_after_s(answer)
        if seen is not None:
            seen(found)
        if asked_s is None:
            return found
        if timeout_s is not None and waited_s + pause_s > timeout_s:
            raise WaitTimeoutError(job, timeout_s)
        yield Pause(pause_s)
        waited_s += pause_s
        pause_s = min(2 * pause_s, asked_s)


def outcome_of(answer: httpx.Response, seen: Seen | None = None) -> Steps[Json]:
    """Return the document of an answer, or the result of the job that it names, once that has ended."""
    place, _, job = answer.headers.get("location", "").rpartition("/")
    if answer.status_code != HTTPStatus.ACCEPTED or place != "/v1/jobs":
        return document_in(answer)
    return (yield from result_of((yield from follow(job, seen))))


def result_of(job: Json) -> Steps[Json]:
    """Return what an ended job has made. ProblemError if it failed, JobCancelledError if it was cancelled."""
    if job["status"] == "failed":
        raise problem_of(job["problem"]["status"], job["problem"])
    result = link_of(job, "result")
    if result is not None:
        return (yield from fetch(Request(method="GET", path=result)))
    if job["status"] == "cancelled":
        raise JobCancelledError(job["id"])
    raise ClientError(f"The job {job['id']} has no result: its status is {job['status']}. Wait for its end.")
