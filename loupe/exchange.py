"""The protocol between client and server, without reading or writing: steps that a client performs.

An operation is a generator. It yields a `Request` to send or a `Pause` to make, gets the `Outcome`, and
returns its result. `Client` performs the steps with blocking calls, `AsyncClient` with awaited ones.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import httpx

from loupe.answers.base import Json
from loupe.bodies import Body
from loupe.problems import AnswerError, NoAnswerError, problem_in
from loupe.repeating import Outcome, Patience, is_repeatable, new_key, takes_key

Value = str | float | Sequence[str] | None
"""Value of a query parameter; None leaves the parameter out."""
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to send."""

    method: str
    path: str
    """Path on the server, or a link of it with its query."""
    query: Mapping[str, Value] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    """Body as JSON, if there is one."""
    body: Body | None = None
    """Body as a file, if there is one."""

    def parameters(self) -> dict[str, str | float | list[str]] | None:
        """Return the query parameters that are given. None, not {}, keeps the query of the path in httpx."""
        given = {
            name: value if isinstance(value, str | int | float) else list(value)
            for name, value in self.query.items()
            if value is not None
        }
        return given or None

    def all_headers(self) -> dict[str, str]:
        """Return the headers, with the length of a file: the server refuses one too large before it comes."""
        length = {} if self.body is None else {"Content-Length": str(self.body.size)}
        return {**self.headers, **length}


@dataclass(frozen=True)
class Pause:
    """A wait before the next step."""

    seconds: float


Steps = Generator[Request | Pause, Outcome, Result]
"""An operation that returns a Result."""


def exchange(request: Request) -> Steps[httpx.Response]:
    """Send a request, again if the client's rules allow it, and return an answer with a status of 2xx.

    A POST that takes an Idempotency-Key gets a new one unless it has one.
    Errors: ProblemError, NoAnswerError.
    """
    if takes_key(request.method, request.path) and "Idempotency-Key" not in request.headers:
        request = replace(request, headers={**request.headers, "Idempotency-Key": f'"{new_key()}"'})
    patience = Patience(is_repeatable(request.method, request.path, request.headers))
    while True:
        outcome = yield request
        pause_s = patience.pause_s(outcome)
        if pause_s is None:
            return _final(outcome)
        yield Pause(pause_s)


def fetch(request: Request) -> Steps[Json]:
    """Send a request, and return the JSON object of its answer. AnswerError for an answer of another form."""
    return document_in((yield from exchange(request)))


def document_in(answer: httpx.Response) -> Json:
    """Return the JSON object of an answer. AnswerError if it has none."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AnswerError(
            f"The answer of {answer.request.url.copy_with(query=None)} is no JSON object.\n"
            "Check that the address is that of a Loupe server."
        )
    return cast(Json, document)


def link_of(document: Json, relation: str) -> str | None:
    """Return the address of a document's first link of a relation. None without one."""
    links = [link["href"] for link in document.get("links", []) if link["rel"] == relation]
    return links[0] if links else None


def _final(outcome: Outcome) -> httpx.Response:
    if outcome.error is not None:
        raise outcome.error
    if outcome.answer is None:
        raise NoAnswerError("The request has no answer.")
    if not outcome.answer.is_success:
        raise problem_in(outcome.answer)
    return outcome.answer
