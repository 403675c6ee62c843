"""The access log: one line for each request, with its sender and its size."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from service.logs import JsonLog
from service.web.access_log import AccessLogMiddleware
from service.web.middleware import EnvelopeMiddleware
from service.web.problems import install_problem_handlers

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> JsonLog:
    """Return an empty log."""
    return JsonLog(str(tmp_path / "loupe.log"))


@pytest.fixture
def client(log: JsonLog) -> TestClient:
    """Return a client of a small app with an access log."""
    app = FastAPI()
    app.post("/things/{name}")(echo)
    app.get("/things/{name}")(name_of)
    app.get("/broken")(broken)
    install_problem_handlers(app)
    app.add_middleware(EnvelopeMiddleware)
    app.add_middleware(AccessLogMiddleware, log=log)
    return TestClient(app, client=("192.0.2.7", 4321))


@pytest.fixture
def lines(log: JsonLog, tmp_path: Path) -> Lines:
    """Return a function that ends the log and reads it."""

    def read() -> list[dict[str, Any]]:
        log.close()
        return [json.loads(line) for line in (tmp_path / "loupe.log").read_text().splitlines()]

    return read


async def echo(name: str, request: Request) -> PlainTextResponse:
    request.state.workspace_id, request.state.key_id, request.state.role = "w", "lk_1", "buyer"
    return PlainTextResponse(await request.body() + name.encode())


def name_of(name: str) -> PlainTextResponse:
    return PlainTextResponse(name)


def broken() -> None:
    raise RuntimeError("a defect")


def test_line_says_who_asked_for_what_and_how_much_was_sent(client: TestClient, lines: Lines) -> None:
    answer = client.post("/things/one?token=secret", content=b"12345", headers={"X-Request-ID": "mine"})

    (line,) = lines()
    assert answer.content == b"12345one"
    assert line.pop("at").endswith("Z")
    assert line.pop("ms") >= 0
    assert line == {
        "log": "access", "request_id": "mine", "workspace": "w", "key": "lk_1", "role": "buyer",
        "address": "192.0.2.7", "method": "POST", "route": "/things/{name}", "path": "/things/one",
        "status": 200, "bytes_in": 5, "bytes_out": 8,
    }  # fmt: skip


def test_head_is_logged_as_it_was_sent_and_has_no_bytes(client: TestClient, lines: Lines) -> None:
    client.head("/things/one")

    (line,) = lines()
    assert (line["method"], line["route"], line["bytes_out"]) == ("HEAD", "/things/{name}", 0)


def test_address_that_does_not_exist_has_no_route_and_no_sender(client: TestClient, lines: Lines) -> None:
    client.get("/elsewhere")

    (line,) = lines()
    assert (line["status"], line["route"], line["path"]) == (404, None, "/elsewhere")
    assert (line["workspace"], line["key"], line["role"]) == (None, None, None)


def test_defect_is_logged_with_its_answer(client: TestClient, lines: Lines) -> None:
    answer = client.get("/broken")

    (line,) = lines()
    assert (line["status"], line["request_id"]) == (500, answer.headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/%0a%7b%22log%22%3a%22access%22%7d", "/%e2%80%a8%c2%85%1b[2J", "/%ff%fe"])
def test_hostile_path_makes_one_line(client: TestClient, lines: Lines, path: str) -> None:
    client.get(path, headers={"User-Agent": '"}\t{"log": "access"}', "X-Request-ID": 'a"}{"b'})

    (line,) = lines()
    assert (line["status"], line["log"]) == (404, "access")
    assert "b" not in line


def test_long_path_is_cut(client: TestClient, lines: Lines) -> None:
    client.get("/" + "a" * 5000)

    (line,) = lines()
    assert len(line["path"]) == 1000
