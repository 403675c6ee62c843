"""The envelope and the body cap around every request."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from service.web.middleware import BodyCapMiddleware, BodyLimit, EnvelopeMiddleware, request_id
from service.web.problems import install_problem_handlers

LIMIT, LARGE = 100, 1000


@pytest.fixture
def client() -> TestClient:
    """Return a client of an app that takes bodies of 100 bytes, or of 1,000 for PUT /large/<any>."""
    app = FastAPI()

    async def size(request: Request) -> int:
        return len(await request.body())

    app.post("/")(size)
    app.put("/large/{name}")(size)
    app.post("/json")(json_size)
    install_problem_handlers(app)
    limits = [BodyLimit.of("PUT", r"/large/[^/]+", LARGE, spooled=True)]
    app.add_middleware(BodyCapMiddleware, limits=limits, default=LIMIT)
    app.add_middleware(EnvelopeMiddleware)
    return TestClient(app)


def json_size(body: list[int]) -> int:
    return len(body)


def chunks(size: int, chunk: int = 10) -> Iterator[bytes]:
    """Yield a body without a Content-Length."""
    for _ in range(size // chunk):
        yield b"x" * chunk


@pytest.mark.parametrize("size", [0, LIMIT])
def test_body_cap_takes_a_body_up_to_the_limit(client: TestClient, size: int) -> None:
    assert client.post("/", content=b"x" * size).json() == size
    assert client.post("/", content=chunks(size)).json() == size


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"x" * (LIMIT + 1)),
        ("/", chunks(LIMIT + 10)),
        ("/json", b"[" + b"1," * LIMIT + b"1]"),
        ("/json", chunks(LIMIT + 10)),  # FastAPI itself reads this one
        ("/large/x", b"x" * (LIMIT + 1)),  # POST, not PUT
    ],
    ids=["declared", "chunked", "json", "json chunked", "other method"],
)
def test_body_cap_refuses_a_larger_body(client: TestClient, path: str, body: bytes | Iterator[bytes]) -> None:
    answer = client.post(path, content=body)

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")
    assert answer.headers["connection"] == "close"


def test_body_cap_stops_reading_an_endless_body() -> None:
    taken = 0

    async def endless() -> Message:
        nonlocal taken
        taken += 10
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    async def read_all(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            await receive()

    async def nowhere(_message: Message) -> None:
        raise AssertionError("nothing is to be sent")

    capped = BodyCapMiddleware(read_all, limits=[], default=LIMIT)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}

    with pytest.raises(HTTPException, match="413"):
        asyncio.run(capped(scope, endless, nowhere))
    assert taken == LIMIT + 10


def test_body_cap_gives_a_route_a_larger_limit(client: TestClient) -> None:
    assert client.put("/large/x", content=b"x" * LARGE).json() == LARGE
    assert client.put("/large/x", content=b"x" * (LARGE + 1)).status_code == 413
    assert client.put("/large/x/y", content=b"x" * (LIMIT + 1)).status_code == 413


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Content-Length", "-1", 400),
        ("Content-Length", "ten", 400),
        ("Content-Length", "٣", 400),  # a digit, but not of HTTP
        ("Content-Encoding", "gzip", 415),  # a small body may unpack to a large one
        ("Content-Encoding", "identity", 200),
        ("Content-Type", "multipart/form-data; boundary=x; charset=punycode", 415),
        ("Content-Type", 'multipart/form-data; boundary=x; CHARSET="idna"', 415),
        ("Content-Type", "multipart/form-data; boundary=x; charset=utf-8; charset=utf-7", 415),
        ("Content-Type", "multipart/form-data; boundary=x; charset=UTF-8", 200),
        ("Content-Type", "text/csv; charset=utf8", 200),
        ("Content-Type", "text/csv; charset=latin-1", 415),
    ],
)
def test_body_cap_checks_the_headers(client: TestClient, header: str, value: str, status: int) -> None:
    assert client.post("/", content=b"x", headers={header.encode(): value.encode()}).status_code == status


def test_envelope_adds_an_id_and_safe_headers_to_every_answer(client: TestClient) -> None:
    for answer in (client.post("/"), client.get("/nowhere"), client.post("/", content=b"x" * 101)):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ("trace-42", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("two words", False),
        ("forged\nline", False),  # would start a new line in the log
        ("", False),
    ],
)
def test_request_id_keeps_an_id_that_is_harmless_in_a_log(offered: str, kept: bool) -> None:
    assert (request_id(offered) == offered) is kept
