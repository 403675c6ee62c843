"""Fixtures of tests without a database: a played server, and a decoding process of one's own."""

from collections.abc import Iterator

import httpx
import pytest

from loupe import Client, Retries
from service.cli import connection
from service.geotiff.quarantine import Quarantine
from tests.support.command_line import PlayedServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> PlayedServer:
    played = PlayedServer()

    def client(url: str, key: str, retries: Retries) -> Client:
        return Client(url, key, retries=retries, transport=httpx.MockTransport(played))

    monkeypatch.setattr(connection, "Client", client)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setenv("LOUPE_API_KEY", "a-key-for-the-test")
    monkeypatch.delenv("LOUPE_URL", raising=False)
    return played


@pytest.fixture
def own() -> Iterator[Quarantine]:
    """Start a quarantine with one child, for tests that end it."""
    own = Quarantine(workers=1)
    yield own
    own.close()
