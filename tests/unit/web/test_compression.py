"""Compression: the choice of a coding, and what layers outside still find in the scope."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.web.compression import CompressionMiddleware


@pytest.mark.parametrize("path", ["/v1/plans", "/dashboard", "/dashboard/assets/live.js"])
def test_layers_outside_find_what_the_route_left_in_the_scope(path: str) -> None:
    async def route(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = "found"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept-encoding", b"gzip;q=0.5")]}
    asyncio.run(CompressionMiddleware(route)(scope, receive, send))
    assert scope["route"] == "found"
