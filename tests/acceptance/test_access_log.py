"""The log of the real server: every line is an object, whatever clients send."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.server import KEY, running_server
from tests.support.waiting import eventually

FORGED = '{"log": "access", "path": "/forged"}'
HOSTILE = (
    "GET /%0a{forged} HTTP/1.1\r\nHost: x\r\n",
    "GET /x?key={key}&next=%0a{forged} HTTP/1.1\r\nHost: x\r\n",
    "GET /x HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n {forged}\r\n",
    "GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {forged}\r\nX-Request-ID: {forged}\r\n",
    "BREW{forged} /x HTTP/1.1\r\nHost: x\r\n",
    "GET /x\x01 HTTP/1.1\r\nHost: x\r\n",
)


def send(url: str, request: str) -> None:
    """Send the header of a request and read until the server closes."""
    parts = urlsplit(url)
    text = request.replace("{forged}", FORGED).replace("{key}", KEY) + "Connection: close\r\n\r\n"
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=60) as connection:
        connection.sendall(text.encode("latin-1"))
        while connection.recv(65_536):
            pass


def test_nobody_forges_a_line_or_sees_a_key_in_the_log(bundle_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "loupe.log"
    with running_server(bundle_folder, LOUPE_LOG=str(path)) as server:
        for request in HOSTILE:
            send(server.url, request)
        with server.client() as client:
            client.get("/v1/price-lists", limit=1)
        eventually(lambda: "/v1/price-lists" in path.read_text())

    entries = [json.loads(line) for line in path.read_text().splitlines()]
    requests = [entry for entry in entries if entry["log"] == "access"]
    assert "/forged" not in [entry["path"] for entry in requests]
    assert KEY not in path.read_text()
    (known,) = (entry for entry in requests if entry["route"] == "/v1/price-lists")
    assert (known["role"], known["address"], known["status"]) == ("admin", "127.0.0.1", 200)
    assert known["key"]
    assert known["workspace"]
