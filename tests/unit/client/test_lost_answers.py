"""Answers that are lost on a real connection, and the same request on the next one."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from loupe import AsyncClient, Client, NoAnswerError, NoServerError, Retries, calls
from loupe.answers.base import Json

ANSWER = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"id":"it"}'
SCENE = bytes(range(256)) * 8_192  # two mebibytes
QUICK = Retries(attempts=3, first_s=0.01)


@dataclass
class Cutting:
    """A server on loopback that cuts the answer on its first connections, after it has read the request."""

    cuts: int
    socket: socket.socket
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        """Answer one request on each connection until the socket is closed."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(read_request(connection))
                connection.sendall(ANSWER[:40] if len(self.requests) <= self.cuts else ANSWER)


def read_request(connection: socket.socket) -> bytes:
    """Read a request whose length is stated."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65_536)
    head, _, body = raw.partition(b"\r\n\r\n")
    (length,) = (
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def cutting() -> Iterator[Callable[[int], Cutting]]:
    """Start servers that cut their first answers."""
    started: list[tuple[Cutting, threading.Thread]] = []

    def start(cuts: int) -> Cutting:
        server = Cutting(cuts, socket.create_server(("127.0.0.1", 0)))
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.socket.shutdown(socket.SHUT_RDWR)
        server.socket.close()
        thread.join(10)
        assert not thread.is_alive()


def plan(url: str) -> Json:
    with Client(url, "a-key", retries=QUICK) as client:
        return client.run(calls.plan(SCENE))


def plan_async(url: str) -> Json:
    async def run() -> Json:
        async with AsyncClient(url, "a-key", retries=QUICK) as client:
            return await client.run(calls.plan(SCENE))

    return asyncio.run(run())


@pytest.mark.parametrize("perform", [plan, plan_async])
def test_lost_answers_lead_to_the_same_request(
    cutting: Callable[[int], Cutting], perform: Callable[[str], Json]
) -> None:
    server = cutting(2)

    assert perform(server.url) == {"id": "it"}
    assert len(server.requests) == 3
    assert len(set(server.requests)) == 1
    assert b"idempotency-key:" in server.requests[0].lower()
    assert server.requests[0].endswith(SCENE)


@pytest.mark.parametrize("perform", [plan, plan_async])
def test_answer_that_is_lost_each_time_is_an_error(
    cutting: Callable[[int], Cutting], perform: Callable[[str], Json]
) -> None:
    server = cutting(3)

    with pytest.raises(NoAnswerError, match="did not answer correctly"):
        perform(server.url)
    assert len(server.requests) == 3


def test_key_is_not_made_twice(cutting: Callable[[int], Cutting]) -> None:
    """The server would make two keys, so the client says that it does not know."""
    server = cutting(1)

    with Client(server.url, "a-key", retries=QUICK) as client, pytest.raises(NoAnswerError):
        client.post("/v1/keys", {"name": "twin"})
    assert len(server.requests) == 1


@pytest.mark.parametrize("perform", [plan, plan_async])
def test_server_that_is_not_there_is_named(perform: Callable[[str], Json]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(NoServerError, match=rf"No Loupe server answers at http://127\.0\.0\.1:{port}"):
        perform(f"http://127.0.0.1:{port}")
