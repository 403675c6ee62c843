"""Errors as problem documents, for every family of errors."""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated

import psycopg.errors
import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.errors import ConflictError, LoupeError, UnauthenticatedError, UnavailableError
from service.web.middleware import EnvelopeMiddleware
from service.web.problems import install_problem_handlers


def client_of(route: Callable[..., object]) -> TestClient:
    """Return a client of an app whose only route is `/`."""
    app = FastAPI()
    app.get("/")(route)
    install_problem_handlers(app)
    app.add_middleware(EnvelopeMiddleware)
    return TestClient(app)


def answer_to(error: Exception) -> dict[str, object]:
    """Return the problem document with which a route answers `error`."""

    def fail() -> None:
        raise error

    answer = client_of(fail).get("/", headers={"X-Request-ID": "r1"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return dict(answer.json())


def database_error(kind: type[DBAPIError], original: type[psycopg.Error]) -> DBAPIError:
    return kind("SELECT secret", {}, original("with a secret"))


def test_domain_error_is_answered_with_its_values() -> None:
    assert answer_to(ConflictError("There is one already.", name="x")) == {
        "instance": "/",
        "request_id": "r1",
        "type": "/problems/conflict",
        "title": "The request conflicts with stored data",
        "status": 409,
        "detail": "There is one already.",
        "name": "x",
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (database_error(OperationalError, psycopg.errors.LockNotAvailable), 503, "unavailable"),
        (database_error(OperationalError, psycopg.errors.QueryCanceled), 503, "unavailable"),
        (database_error(OperationalError, psycopg.errors.DeadlockDetected), 503, "unavailable"),
        (database_error(OperationalError, psycopg.errors.AdminShutdown), 503, "unavailable"),
        (database_error(OperationalError, psycopg.OperationalError), 503, "unavailable"),  # cannot connect
        (PoolTimeoutError("no connection"), 503, "unavailable"),
        (database_error(IntegrityError, psycopg.errors.UniqueViolation), 409, "conflict"),
        (database_error(IntegrityError, psycopg.errors.ForeignKeyViolation), 409, "conflict"),
        (database_error(IntegrityError, psycopg.errors.RestrictViolation), 409, "conflict"),
        (database_error(DataError, psycopg.DataError), 422, "invalid-input"),  # the driver refuses a NUL
        (database_error(DataError, psycopg.errors.UntranslatableCharacter), 422, "invalid-input"),
        # The caller causes none of these: each shows a defect of the service.
        (database_error(IntegrityError, psycopg.errors.CheckViolation), 500, "internal-error"),
        (database_error(IntegrityError, psycopg.errors.NotNullViolation), 500, "internal-error"),
        (database_error(DBAPIError, psycopg.errors.UndefinedTable), 500, "internal-error"),
        (database_error(DataError, psycopg.errors.DivisionByZero), 500, "internal-error"),
        (MemoryError("with a secret"), 503, "unavailable"),
        (ZeroDivisionError("with a secret"), 500, "internal-error"),
    ],
    ids=lambda value: type(value.orig if isinstance(value, DBAPIError) else value).__name__,
)
def test_no_error_shows_its_cause(error: Exception, status: int, code: str) -> None:
    document = answer_to(error)

    assert (document["status"], document["type"]) == (status, f"/problems/{code}")
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (UnavailableError("Busy."), "Retry-After", "2"),
        (UnauthenticatedError(), "WWW-Authenticate", 'Bearer realm="loupe"'),
    ],
)
def test_problem_carries_the_headers_of_its_error(error: LoupeError, header: str, value: str) -> None:
    def fail() -> None:
        raise error

    assert client_of(fail).get("/").headers[header] == value


def test_validation_error_points_at_the_wrong_parameter() -> None:
    def route(limit: Annotated[int, Query(le=100)]) -> int:
        return limit

    answer = client_of(route).get("/?limit=101")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "/query/limit",
            "detail": "Input should be less than or equal to 100",
            "code": "less_than_equal",
        }
    ]


def test_validation_error_does_not_echo_the_value() -> None:
    def route(limit: int) -> int:
        return limit

    assert "my-password" not in client_of(route).get("/?limit=my-password").text


def test_unexpected_error_is_logged_under_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        answer = client_of(fail).get("/")

    assert answer.headers["x-request-id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_upload_that_is_broken_off_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def broken_off(*_: object) -> None:
        raise ClientDisconnect

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "headers": []}
    asyncio.run(EnvelopeMiddleware(broken_off)(scope, receive, send))

    assert (sent, caplog.records) == ([], [])
