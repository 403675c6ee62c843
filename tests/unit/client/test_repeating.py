"""Requests that the client sends again, with blocking and with awaited calls."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from loupe import BusyError, NoAnswerError, NoServerError, ProblemError, Retries, StateConflictError, calls
from loupe.exchange import Request, Steps, fetch
from loupe.repeating import retry_after_s, takes_key
from service.app import create_app
from tests.support.bundles import make_settings
from tests.support.played_api import Play, PlayedApi

Json = dict[str, Any]
Operation = Callable[[], Steps[Json]]
Run = Callable[..., Json]

DONE = httpx.Response(200, json={"id": "it"})
BUSY = httpx.Response(503, json={"title": "Busy"}, headers={"Retry-After": "3"})
MANY = httpx.Response(429, json={"title": "Too many requests"}, headers={"Retry-After": "7"})
IN_FLIGHT = httpx.Response(
    409,
    json={"type": "/problems/idempotency-key-in-flight", "title": "It runs"},
    headers={"Retry-After": "2"},
)
LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
REFUSED = httpx.ConnectError("Connection refused")


def order() -> Steps[Json]:
    return calls.order("plan-1")


def read() -> Steps[Json]:
    return fetch(Request(method="GET", path="/v1/me"))


def make_key() -> Steps[Json]:
    return calls.post("/v1/keys", {"name": "twin"})


def change() -> Steps[Json]:
    return calls.change_budget("budget-1", enforcement="warn")


@pytest.mark.parametrize(
    ("operation", "first"),
    [
        (order, BUSY),
        (order, MANY),
        (order, IN_FLIGHT),
        (order, LOST),
        (order, REFUSED),
        (read, BUSY),
        (read, LOST),
        # A quota refuses before anything is done, and a refused connection before anything is sent.
        (make_key, MANY),
        (make_key, REFUSED),
        (change, MANY),
    ],
)
def test_request_is_sent_again_until_it_is_answered(run: Run, operation: Operation, first: Play) -> None:
    played = PlayedApi([first, first, DONE])

    assert run(played, operation) == {"id": "it"}
    assert len(played.asked) == 3
    assert len({request.headers.get("Idempotency-Key") for request in played.asked}) == 1
    assert len(set(played.bodies)) == 1


@pytest.mark.parametrize(
    ("operation", "answer", "error"),
    [
        # These could have two effects: the first may have been carried out.
        (make_key, LOST, NoAnswerError),
        (make_key, BUSY, BusyError),
        (change, LOST, NoAnswerError),
        # These say the same again.
        (order, httpx.Response(409, json={"type": "/problems/plan-expired"}), StateConflictError),
        (order, httpx.Response(500, json={"title": "It broke"}), ProblemError),
        (read, httpx.Response(404, json={"title": "Not found"}), ProblemError),
        # The server asks for more patience than there is.
        (read, httpx.Response(429, json={}, headers={"Retry-After": "61"}), BusyError),
    ],
)
def test_request_is_not_sent_again(
    run: Run, operation: Operation, answer: Play, error: type[Exception]
) -> None:
    played = PlayedApi([answer, DONE])

    with pytest.raises(error):
        run(played, operation)
    assert len(played.asked) == 1
    assert played.pauses == []


def test_pause_is_what_the_server_asks_for(run: Run) -> None:
    played = PlayedApi([MANY, BUSY, DONE])

    run(played, order)

    assert played.pauses == [7, 3]


def test_pauses_double_and_vary_without_a_word_of_the_server(run: Run) -> None:
    played = PlayedApi([LOST])

    with pytest.raises(NoAnswerError, match="Server disconnected"):
        run(played, read, Retries(attempts=4, first_s=1))

    assert len(played.asked) == 4
    assert [low <= pause <= 2 * low for low, pause in zip((0.5, 1, 2), played.pauses, strict=True)] == [
        True
    ] * 3


def test_one_attempt_repeats_nothing(run: Run) -> None:
    for answer, error in ((BUSY, BusyError), (IN_FLIGHT, StateConflictError), (LOST, NoAnswerError)):
        played = PlayedApi([answer, DONE])
        with pytest.raises(error):
            run(played, order, Retries(attempts=1))
        assert len(played.asked) == 1


def test_same_request_in_flight_is_waited_for_beyond_the_attempts(run: Run) -> None:
    played = PlayedApi([IN_FLIGHT])

    with pytest.raises(StateConflictError):
        run(played, order, Retries(attempts=2, in_flight_s=20))

    assert played.pauses == [2] * 10


def test_unreachable_server_can_be_reported_at_once(run: Run) -> None:
    played = PlayedApi([REFUSED, DONE])

    with pytest.raises(NoServerError, match=r"No Loupe server answers at http://loupe\.test"):
        run(played, order, Retries(unreachable=False))
    assert len(played.asked) == 1


def test_callers_key_is_sent(run: Run) -> None:
    played = PlayedApi([DONE])

    run(played, lambda: calls.order("plan-1", key="invoice-2041"))

    assert played.asked[0].headers["Idempotency-Key"] == '"invoice-2041"'


def test_client_knows_which_requests_take_a_key() -> None:
    """A key that the server ignores would let a repeated request have two effects."""
    paths = create_app(make_settings(Path("/nowhere"))).openapi()["paths"]
    keyed = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any(one.get("name") == "Idempotency-Key" for one in operation.get("parameters", []))
    }
    every = {(method.upper(), path) for path, operations in paths.items() for method in operations}

    assert len(keyed) > 5
    assert {(method, path) for method, path in every if takes_key(method, path)} == keyed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),  # a time without a zone
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_past_date(text: str, seconds: float | None) -> None:
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": text})) == seconds


def test_retry_after_of_a_later_date_is_the_time_until_then() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    answer = httpx.Response(503, headers={"Retry-After": format_datetime(later, usegmt=True)})

    assert 3_000 < (retry_after_s(answer) or 0) <= 3_600
