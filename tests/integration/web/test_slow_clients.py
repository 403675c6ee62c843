"""Clients that keep a server waiting: each is let go after a stated time, and others are not."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.types import Receive, Scope, Send

from service.connections import TIMED_OUT, ConnectionLimits, ServerConfig
from service.draining import DrainingServer
from service.serving import listen
from tests.support.waiting import eventually

PATIENT = ConnectionLimits(most=1_000, header_s=600, body_s=600, send_s=600)
LONG = b"x" * 64 * 1024 * 1024
HEADER = b"POST / HTTP/1.1\r\nHost: loupe\r\nContent-Length: 10\r\n"

GET = b"GET / HTTP/1.1\r\nHost: loupe\r\nConnection: close\r\n\r\n"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a body, and answer with a long one."""
    if scope["type"] != "http":
        raise ValueError("no lifespan")
    if scope["method"] == "POST":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
    if scope["path"] == "/slow":
        await asyncio.sleep(3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LONG if scope["path"] == "/long" else b"short"})


@contextmanager
def serving(limits: ConnectionLimits) -> Iterator[tuple[DrainingServer, Callable[[bytes], socket.socket]]]:
    """Serve the application in a thread; yield the server and a function that connects and sends bytes."""
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    server = DrainingServer(
        ServerConfig(application, limits, lifespan="off", log_level="error"), 1, lambda: None
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    opened: list[socket.socket] = []

    def connect(first_bytes: bytes) -> socket.socket:
        opened.append(socket.create_connection(address, timeout=60))
        opened[-1].sendall(first_bytes)
        return opened[-1]

    try:
        eventually(lambda: server.started)
        yield server, connect
    finally:
        for one in opened:
            one.close()
        server.should_exit = True
        thread.join(60)
        listener.close()


def everything(client: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    parts = list(iter(lambda: client.recv(65_536), b""))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("limits", "sent", "answer"),
    [
        ({"header_s": 0.5}, b"", b""),
        ({"header_s": 0.5}, b"GET / HTTP/1.1\r\nX-Slow: ", TIMED_OUT),
        ({"body_s": 0.5}, HEADER + b"\r\n12345", TIMED_OUT),
    ],
    ids=["silent", "half a header", "half a body"],
)
def test_client_that_stops_is_let_go(limits: dict[str, float], sent: bytes, answer: bytes) -> None:
    with serving(ConnectionLimits(**vars(PATIENT) | limits)) as (_, connect):
        assert everything(connect(sent)) == answer


def test_client_that_reads_nothing_is_let_go() -> None:
    with serving(ConnectionLimits(**vars(PATIENT) | {"send_s": 0.5})) as (server, connect):
        connect(b"GET /long HTTP/1.1\r\nHost: loupe\r\n\r\n")
        eventually(lambda: server.server_state.total_requests == 1 or bool(server.server_state.connections))
        eventually(lambda: not server.server_state.connections)


def test_slow_answer_is_waited_for() -> None:
    """The limits are for the client's part, not for the server's."""
    impatient = ConnectionLimits(most=10, header_s=0.5, body_s=0.5, send_s=0.5)
    with serving(impatient) as (_, connect):
        answer = everything(
            connect(HEADER + b"Connection: close\r\n\r\n1234567890".replace(b"/ ", b"/slow "))
        )
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_oldest_silent_connection_makes_room() -> None:
    with serving(ConnectionLimits(**vars(PATIENT) | {"most": 3})) as (_, connect):
        silent = [connect(b"") for _ in range(3)]
        assert everything(connect(GET)).startswith(b"HTTP/1.1 200 ")
        assert everything(silent[0]) == b""
        for one in silent[1:]:
            one.sendall(GET)
            assert everything(one).endswith(b"5\r\nshort\r\n0\r\n\r\n")
