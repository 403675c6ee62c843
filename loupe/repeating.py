"""Rules for sending a request again: which requests, after which failures, and when."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from uuid import uuid4

import httpx

from loupe.problems import BUSY, ClientError, NoAnswerError, NoServerError, problem_in

SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods whose repeated requests have one effect."""
KEYED = (
    ("v1", "plans"),
    ("v1", "plans", "*", "replan"),
    ("v1", "orders"),
    ("v1", "orders", "*", "next-round"),
    ("v1", "orders", "*", "classification"),
    ("v1", "budgets"),
    ("v1", "ledger", "adjustments"),
)
"""Paths of the POST requests that the server carries out once for each Idempotency-Key."""
IN_FLIGHT = "idempotency-key-in-flight"


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often, and how patiently, a request is sent again.

    A request is repeated after 429, 502, 503, 504 and a lost answer, if it cannot have two effects: GET, PUT
    and DELETE, and POST under an Idempotency-Key that the server keeps. Other requests are repeated only
    where the server has surely done nothing.
    """

    attempts: int = 5
    """Most attempts in all; 1 repeats nothing."""
    first_s: float = 0.5
    """Seconds before the second attempt. They double with each, and are shortened at random by up to half."""
    longest_s: float = 60
    """Most seconds before an attempt. If the server asks for more (`Retry-After`), the error is raised."""
    in_flight_s: float = 600
    """Most seconds to wait for the answer to the same request that the server is still working on."""
    unreachable: bool = True
    """Whether to try again when no server can be reached."""


DEFAULT_RETRIES = Retries()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one attempt: an answer, an error instead of one, or neither after a pause."""

    answer: httpx.Response | None = None
    error: ClientError | None = None
    retries: Retries = DEFAULT_RETRIES
    """Rules of the client that made the attempt."""


def new_key() -> str:
    """Return a new Idempotency-Key."""
    return str(uuid4())


def takes_key(method: str, path: str) -> bool:
    """Return whether the server carries out such a request once for each Idempotency-Key."""
    steps = tuple(path.partition("?")[0].strip("/").split("/"))
    return method == "POST" and any(
        len(steps) == len(one) and all(want in ("*", step) for want, step in zip(one, steps, strict=True))
        for one in KEYED
    )


def is_repeatable(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request has one effect, however often it is sent."""
    return method in SAFE or (takes_key(method, path) and "Idempotency-Key" in headers)


@dataclass
class Patience:
    """The attempts of one request so far, and the seconds that it has waited for itself."""

    repeatable: bool
    failed: int = 0
    waited_s: float = 0

    def pause_s(self, outcome: Outcome) -> float | None:
        """Return the seconds to wait before the next attempt. None if the outcome is final."""
        retries = outcome.retries
        if outcome.answer is not None and _is_in_flight(outcome.answer):
            return self._in_flight_pause(outcome.answer, retries)
        self.failed += 1
        if self.failed >= retries.attempts or not self._may_repeat(outcome):
            return None
        asked = None if outcome.answer is None else retry_after_s(outcome.answer)
        if asked is not None:
            return asked if asked <= retries.longest_s else None
        backoff = retries.first_s * 2.0 ** (self.failed - 1)
        return min(backoff, retries.longest_s) * random.uniform(0.5, 1)  # noqa: S311  (spreads clients in time; no secret)

    def _may_repeat(self, outcome: Outcome) -> bool:
        if isinstance(outcome.error, NoServerError):
            return outcome.retries.unreachable
        if isinstance(outcome.error, NoAnswerError):
            return self.repeatable
        if outcome.answer is None or outcome.answer.status_code not in BUSY:
            return False
        return self.repeatable or outcome.answer.status_code == HTTPStatus.TOO_MANY_REQUESTS

    def _in_flight_pause(self, answer: httpx.Response, retries: Retries) -> float | None:
        pause_s = retry_after_s(answer) or retries.first_s
        self.waited_s += pause_s
        return pause_s if retries.attempts > 1 and self.waited_s <= retries.in_flight_s else None


def _is_in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == HTTPStatus.CONFLICT and problem_in(answer).code == IN_FLIGHT


def retry_after_s(answer: httpx.Response) -> float | None:
    """Return the seconds that `Retry-After` asks for, as a number or as a date. None without it."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
