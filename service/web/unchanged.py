"""Answers that a client has already: their version in `ETag`, 304, and how long they may be kept."""

import hashlib

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.middleware import ANSWER_HEADERS

KEEP_S = 86_400
"""Seconds for which a client may keep what never changes; an upgrade may show more of it afterwards."""
DESCRIBES_BODY = ("content-length", "content-type", "content-disposition")


def never_changes(request: Request) -> None:
    """Let the client keep the answer, as a dependency of routes whose resource never changes."""
    request.scope[ANSWER_HEADERS]["cache-control"] = f"private, max-age={KEEP_S}"


class UnchangedMiddleware:
    """Middleware that answers 304 to a GET under `/v1` when the client has the bytes of the answer.

    The version is weak: it stands for the document, whether compressed or not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Answers in several parts are sent on as they come."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def send_if_new(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                first, start = start, None
                if not message.get("more_body", False):
                    first, message = answer_by_version(first, message, known)
                await send(first)
            await send(message)

        await self.app(scope, receive, send_if_new)


def answer_by_version(start: Message, body: Message, known: str) -> tuple[Message, Message]:
    """Return a whole answer with its version, or 304 without a body if the client has that version."""
    headers = MutableHeaders(scope=start)
    headers.add_vary_header("Authorization")
    digest = hashlib.sha256(body.get("body", b"")).hexdigest()[:32]
    version = headers.setdefault("etag", f'W/"{digest}"')
    if not names(known, version):
        return start, body
    for name in DESCRIBES_BODY:
        if name in headers:
            del headers[name]
    return {**start, "status": 304}, {**body, "body": b""}


def names(known: str, version: str) -> bool:
    """Return whether an `If-None-Match` names a version; weak and strong ones are alike (RFC 9110)."""
    given = [one.strip().removeprefix("W/") for one in known.split(",")]
    return given == ["*"] or version.removeprefix("W/") in given
