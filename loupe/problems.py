"""Errors of the client. All derive from `ClientError`, and `str()` of each gives the reason in a line or two.

A refusal of the server is a `ProblemError`: `code` is stable and meant for programs, `detail` is a sentence
for people that says what to do next, and `problem` holds every member, such as the amount that is lacking.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

Document = Mapping[str, Any]


class ClientError(Exception):
    """A request that failed or was refused."""


class NoAnswerError(ClientError):
    """A request without a whole answer. The server may have carried it out."""


class NoServerError(NoAnswerError):
    """No server can be reached at the address. Nothing was sent."""

    def __init__(self, url: str, reason: str | None = None) -> None:
        super().__init__(
            f"No Loupe server answers at {url}.\nCheck that it runs, and that the address is right."
            if reason is None
            else f"No secure connection to {url} can be made: {reason}.\n"
            "Check the certificate of the server. Without TLS, its address begins with http://."
        )
        self.url = url
        self.reason = reason
        """Fault of TLS, such as a certificate that is not trusted; None if nothing answers."""


class AnswerError(ClientError):
    """An answer that is not the one that the API describes."""


class JobCancelledError(ClientError):
    """A job that was cancelled before it had a result. Nothing of it was stored."""

    def __init__(self, job: str) -> None:
        super().__init__(f"The job {job} was cancelled, and nothing was stored.")
        self.job = job


class WaitTimeoutError(ClientError):
    """A job that has not ended in the time that the caller gave it. The job goes on."""

    def __init__(self, job: str, timeout_s: float) -> None:
        super().__init__(f"The job {job} has not ended in {timeout_s:g} s. It goes on; wait for it again.")
        self.job = job


class ProblemError(ClientError):
    """A refusal, or a failure, that the server states in a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Document) -> None:
        super().__init__(_message(status, problem))
        self.status = status
        """HTTP status of the answer, 400 or above."""
        self.problem = dict(problem)
        """Every member of the problem document."""

    @property
    def code(self) -> str:
        """Stable code of the kind of problem, such as "budget-exceeded"; empty if the server gave none."""
        return str(self.problem.get("type", "")).rpartition("/")[2]

    @property
    def title(self) -> str:
        """Name of the kind of problem."""
        return str(self.problem.get("title", _title(self.status)))

    @property
    def detail(self) -> str:
        """Sentence about this case with what to do next; its wording may change."""
        return str(self.problem.get("detail", ""))

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Wrong fields of the request, each with a JSON `pointer` and a `detail`."""
        return _faults(self.problem)

    @property
    def request_id(self) -> str | None:
        """Id of the request, which the server's log has too."""
        found = self.problem.get("request_id")
        return None if found is None else str(found)


class KeyRefusedError(ProblemError):
    """The key is not accepted (401), or its role does not allow this (403)."""


class MissingError(ProblemError):
    """There is no such thing in the workspace of the key (404)."""


class StateConflictError(ProblemError):
    """The request conflicts with the state of what it is about (409), such as an expired plan."""


class BusyError(ProblemError):
    """The server cannot answer now (429, 502, 503, 504): the same request can succeed later."""


BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_OF_STATUS: dict[int, type[ProblemError]] = {
    HTTPStatus.UNAUTHORIZED: KeyRefusedError,
    HTTPStatus.FORBIDDEN: KeyRefusedError,
    HTTPStatus.NOT_FOUND: MissingError,
    HTTPStatus.CONFLICT: StateConflictError,
    **dict.fromkeys(BUSY, BusyError),
}


def problem_of(status: int, problem: Document) -> ProblemError:
    """Return the error for a problem document."""
    return _OF_STATUS.get(status, ProblemError)(status, problem)


def problem_in(answer: httpx.Response) -> ProblemError:
    """Return the error that an answer of another status than 2xx states, whatever its body is."""
    try:
        document = answer.json()
    except ValueError:  # such as the HTML page of a proxy
        document = None
    if isinstance(document, dict):
        return problem_of(answer.status_code, document)
    if answer.is_redirect:
        detail = f"It leads to {answer.headers.get('location', 'another address')}. Use that address."
        return problem_of(answer.status_code, {"title": _title(answer.status_code), "detail": detail})
    return problem_of(answer.status_code, {})


def _title(status: int) -> str:
    return f"The server answered with status {status}."


def _message(status: int, problem: Document) -> str:
    title = problem.get("title", _title(status))
    faults = [
        f"{fault.get('pointer')}: {str(fault.get('detail')).rstrip('.')}." for fault in _faults(problem)
    ]
    detail = " ".join(faults[:3]) or problem.get("detail", "")
    return f"{title}\n{detail}".strip() if detail != title else str(title)


def _faults(problem: Document) -> list[dict[str, Any]]:
    faults = problem.get("errors")
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
