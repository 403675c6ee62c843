"""Requests written byte by byte, for what no client library sends."""

import socket
from urllib.parse import urlsplit

WAIT_S = 60.0


def send_raw(url: str, data: bytes, *, ends: bool = False) -> bytes:
    """Send bytes on a connection of their own and return all that the server answers until it closes it.

    `ends`: say that nothing follows, as a client does that breaks off.
    """
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=WAIT_S) as connection:
        connection.sendall(data)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65_536):
            answer += received
        return answer


def status_of(answer: bytes) -> int:
    """Return the status of the first answer."""
    return int(answer.split(b" ", 2)[1])
