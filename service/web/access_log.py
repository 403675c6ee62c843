"""The access log: one line for each request. It has no query, no header and no body."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import LONGEST, JsonLog, moment
from service.web.middleware import as_get


class AccessLogMiddleware:
    """Middleware that writes a line for each request once it is answered or broken off."""

    def __init__(self, app: ASGIApp, log: JsonLog) -> None:
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        at, began = moment(), time.perf_counter()
        served = as_get(scope)  # the application completes this very scope
        status: int | None = None
        came = sent = 0

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(served, receive_counted, send_counted)
        finally:
            sizes = {"bytes_in": came, "bytes_out": 0 if scope["method"] == "HEAD" else sent}
            took = {"ms": round(1000 * (time.perf_counter() - began), 1)}
            self.log.add(
                {"at": at, "log": "access"} | describe(scope["method"], served, status) | sizes | took
            )


def describe(method: str, scope: Scope, status: int | None) -> dict[str, Any]:
    """Describe a request that was served: who sent it, what it asked for, and what it was answered.

    `status` is None if its client left before the answer. `route` is None for an address that does not exist,
    and workspace, key and role are None if it showed no valid key.
    """
    state = scope.get("state", {})
    return {
        "request_id": scope.get("loupe.request_id"),
        "workspace": _text(state.get("workspace_id")),
        "key": _text(state.get("key_id")),
        "role": _text(state.get("role")),
        "address": scope["client"][0] if scope.get("client") else None,
        "method": method[:LONGEST],
        "route": getattr(scope.get("route"), "path", None),
        "path": scope["path"][:LONGEST],
        "status": status,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
