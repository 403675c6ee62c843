"""Errors as RFC 9457 problem documents, with one function for each family of errors."""

import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from service.errors import ConflictError, InvalidInputError, LoupeError, UnavailableError

MEDIA_TYPE = "application/problem+json"
UNREADABLE = "There was an error parsing the body"
"""The framework's message for a body that it cannot read."""
logger = logging.getLogger(__name__)

CODES = {
    400: "malformed-request", 404: "no-such-route", 405: "method-not-allowed",
    413: "body-too-large", 415: "unsupported-media-type",
}  # fmt: skip

TITLES = {
    400: "The request is malformed",
    404: "There is nothing at this address",
    405: "The address does not accept this method",
    413: "The body is too large",
    415: "The body cannot be read",
    422: "The request is invalid",
    500: "The service failed",
}

NOT_AN_ID = "This is not an id. An id is a UUID of 36 characters, as lists and answers show it."
NOT_AN_OBJECT = "This is not a JSON object."
SENTENCES = {
    "uuid_parsing": NOT_AN_ID,
    "model_type": NOT_AN_OBJECT,
    "model_attributes_type": NOT_AN_OBJECT,
}
"""Sentences in place of those of the library that checks requests, by its kind of error."""
LENGTHS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
"""Kinds of errors of lengths: the bound, and the member that holds it."""

# SQLSTATEs of states that end without our doing: lock and statement time-outs, deadlock, serialisation, a
# server that is shutting down or has no connection left. Class 08 is a lost connection.
TRANSIENT = {"55P03", "57014", "40P01", "40001", "57P01", "57P02", "57P03", "53300", "25P03"}
# SQLSTATEs of constraints that two contradicting requests violate.
CONTRADICTIONS = {"23505", "23503", "23001", "23P01"}
# SQLSTATEs of a text with the character NUL; None when the driver refuses it.
UNSTORABLE = {None, "22021", "22P05"}
TOO_LARGE = "22003"
"""SQLSTATE of a number beyond its column, such as tile 5,000,000,000 of an order."""


PROBLEM_CODE = "loupe.problem"
"""Member of a request's scope: the code of the problem that it was answered with."""
AnswerPeople = Callable[[Request, Mapping[str, Any], Mapping[str, str]], Response | None]
"""Function that returns a page for a problem document and its headers, or None to send the document."""
AS_DOCUMENT = "loupe.as_document"
"""Member of a request's scope: its problems are answered with documents."""


class ProblemResponse(JSONResponse):
    """A response with a problem document."""

    media_type = MEDIA_TYPE


def install_problem_handlers(app: FastAPI, answer_people: AnswerPeople | None = None) -> None:
    """Make `app` answer every error with a problem document, or with the page of `answer_people`."""
    app.state.answer_people = answer_people
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)


def problem_of(request: Request, error: Exception) -> dict[str, Any]:
    """Return the document that answers an error, for a page that shows it. Another error is raised again."""
    asked = Request({**request.scope, AS_DOCUMENT: True})
    for kind, answer in ANSWERS.items():
        if isinstance(error, kind):
            document: dict[str, Any] = json.loads(bytes(answer(asked, error).body))
            return document
    raise error


def answer_loupe_error(request: Request, error: Exception) -> Response:
    """Answer an error of a domain with its own sentence and status."""
    known = cast(LoupeError, error)
    if known.status == 500:
        logger.error("%s", known.detail)  # only the operator can mend it
    return problem_response(request, dict(known.problem()), dict(known.answer_headers()))


def answer_validation_error(request: Request, error: Exception) -> Response:
    """Answer 422 with one entry for each wrong field; the values sent are not echoed, they may be secrets."""
    errors = [
        {
            "pointer": _pointer(entry["loc"]),
            "detail": _said(entry),
            "code": entry["type"],
        }
        for entry in cast(RequestValidationError, error).errors()
    ]
    detail = " ".join(f"{entry['pointer']}: {entry['detail'].rstrip('.')}." for entry in errors[:3])
    return problem_response(request, _document(422, "invalid-request", detail) | {"errors": errors})


def _said(entry: Mapping[str, Any]) -> str:
    """Return what is wrong with a field; the library calls the characters of some texts items."""
    kind = entry["type"]
    if kind in LENGTHS and isinstance(entry.get("input"), str):
        bound, limit = LENGTHS[kind]
        number = entry["ctx"][limit]
        return f"String should have {bound} {number} character{'' if number == 1 else 's'}"
    return SENTENCES.get(kind, str(entry["msg"]))


def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer an error that the framework raises: unknown route, method not allowed, body too large."""
    known = cast(HTTPException, error)
    code = CODES.get(known.status_code, "http-error")
    headers = dict(known.headers or {})
    if known.status_code == 405:  # the router names only the methods of the first route of this address
        headers["Allow"] = ", ".join(allowed_methods(request)) or headers.get("Allow", "GET")
    document = _document(known.status_code, code, _sentence(request, known, headers))
    return problem_response(request, document, headers)


def address_of(request: Request) -> str:
    """Return the path that the router matched, escaped as in an address.

    `request.url.path` ends at an escaped `?` or `#`, and lacks escaped tabs and line breaks.
    """
    return quote(request.scope["path"], safe="/:@!$&'()*+,;=~", errors="replace")


def allowed_methods(request: Request) -> list[str]:
    """Return every method of the operations at the request's address, in alphabetical order."""
    asked, routes = request.scope["path"], cast(list[APIRoute], getattr(request.app.state, "operations", []))
    alike = [route for route in routes if route.path_regex.match(asked)]
    here = [route for route in alike if route.path == asked] or alike
    methods = {method for route in here for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def answer_database_error(request: Request, error: Exception) -> Response:
    """Answer 503 to a transient error, 409 or 422 to bad input that no domain caught, else 500."""
    database_error = cast(DBAPIError, error)
    state = getattr(database_error.orig, "sqlstate", None)
    if isinstance(error, DataError) and state in UNSTORABLE:
        logger.warning("The database refused a text that no check had refused: %s", database_error.orig)
        return answer_loupe_error(request, InvalidInputError("A text has the character NUL. Remove it."))
    if state == TOO_LARGE:
        logger.warning("The database refused a number that no check had refused: %s", database_error.orig)
        return answer_loupe_error(request, InvalidInputError("A number is too large. Send a smaller one."))
    if database_error.connection_invalidated or state is None or state in TRANSIENT or state[:2] == "08":
        return answer_busy(request, error)
    if isinstance(error, IntegrityError) and state in CONTRADICTIONS:
        logger.warning("A constraint refused what no check had refused: %s", database_error.orig)
        conflict = ConflictError(
            "Another request has stored data that conflicts with this one. Read it and decide again."
        )
        return answer_loupe_error(request, conflict)
    return answer_unexpected(request, error)


def answer_busy(request: Request, error: Exception) -> Response:
    """Answer 503: the database is away or too busy, and repeating the request is safe."""
    logger.warning("The database is unavailable: %s", type(error).__name__)
    return answer_loupe_error(
        request, UnavailableError("The database is busy or away. Send the request again in a moment.")
    )


def answer_full_memory(request: Request, _error: Exception) -> Response:
    """Answer 503: the server has no memory for this request now, and repeating it is safe."""
    logger.warning("There was no memory for request %s.", _request_id(request))
    return answer_loupe_error(
        request, UnavailableError("The server has no memory for this request. Send it again in a moment.")
    )


def answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer 500 with a fixed text; the stack trace goes to the log, under the same request id."""
    logger.error("Unexpected error in request %s", _request_id(request), exc_info=error)
    detail = "The server's log has the cause under this request id. Give it to the operator of the server."
    return problem_response(request, _document(500, "internal-error", detail))


def problem_response(
    request: Request, document: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """Send a document completed with the request's path and id, or the page that people get instead."""
    document = {"instance": address_of(request), "request_id": _request_id(request)} | document
    request.scope[PROBLEM_CODE] = document["type"].rpartition("/")[2]
    app = request.scope.get("app")
    answer_people: AnswerPeople | None = getattr(app.state, "answer_people", None) if app else None
    if answer_people is not None and AS_DOCUMENT not in request.scope:
        page = answer_people(request, document, headers or {})
        if page is not None:
            return page
    return ProblemResponse(document, document["status"], headers=headers)


ANSWERS: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
    LoupeError: answer_loupe_error,
    RequestValidationError: answer_validation_error,
    HTTPException: answer_http_exception,
    DBAPIError: answer_database_error,
    PoolTimeoutError: answer_busy,
    MemoryError: answer_full_memory,
}
"""The families of errors, and the function that answers each."""


def _document(status: int, code: str, detail: str) -> dict[str, Any]:
    title = TITLES.get(status, HTTPStatus(status).phrase)
    return {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}


def _sentence(request: Request, error: HTTPException, headers: Mapping[str, str]) -> str:
    """Return the error's own sentence, or a useful one for what the framework raises without one."""
    match error.status_code:
        case 404:
            return (
                f"There is nothing at {address_of(request)}. GET / lists where to start, /docs every address."
            )
        case 405:
            return f"{address_of(request)} does not accept {request.method}. Use {headers['Allow']}."
        case 400 if error.detail == UNREADABLE:
            return "The body cannot be read: it is not in UTF-8, or not what its Content-Type says."
        case _:
            return str(error.detail)


def _request_id(request: Request) -> str | None:
    return cast(str | None, request.scope.get("loupe.request_id"))


def _pointer(location: tuple[str | int, ...]) -> str:
    """Write a JSON pointer into the request: ("body", "limit", "amount") -> "/body/limit/amount"."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
