"""A played server for the client library: answers in order, requests and pauses as they came."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio
import httpx
import pytest

from loupe import AsyncClient, Client, Retries
from loupe.exchange import Steps

Result = TypeVar("Result")
Play = httpx.Response | Exception
"""An answer, or the failure of its request."""
URL = "http://loupe.test"


class PlayedApi:
    """A server that gives its answers one after the other, and the last one for ever."""

    def __init__(self, answers: Sequence[Play]) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a blocking client."""
        self.bodies.append(request.read())
        return self._next(request)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an asynchronous client."""
        self.bodies.append(await request.aread())
        return self._next(request)

    def _next(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        play = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(play, Exception):
            raise play
        return httpx.Response(play.status_code, headers=play.headers, content=play.content)


def run_blocking(
    played: PlayedApi, operation: Callable[[], Steps[Result]], retries: Retries, patch: pytest.MonkeyPatch
) -> Result:
    """Perform an operation with the blocking client, whose pauses take no time."""
    patch.setattr("time.sleep", played.pauses.append)
    with Client(URL, "a-key", retries=retries, transport=httpx.MockTransport(played)) as client:
        return client.run(operation())


def run_async(
    played: PlayedApi, operation: Callable[[], Steps[Result]], retries: Retries, patch: pytest.MonkeyPatch
) -> Result:
    """Perform an operation with the asynchronous client, whose pauses take no time."""

    async def pause(seconds: float) -> None:
        played.pauses.append(seconds)

    async def perform() -> Result:
        transport = httpx.MockTransport(played.answer)
        async with AsyncClient(URL, "a-key", retries=retries, transport=transport) as client:
            return await client.run(operation())

    patch.setattr("loupe.async_connection.anyio.sleep", pause)
    return anyio.run(perform)
