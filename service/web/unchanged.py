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


VERSIONED = ("/v1/", "/problems", "/openapi.json")
"""Beginnings of the paths whose answers have a version."""


class UnchangedMiddleware:
    """Middleware that answers 304 to a GET when the client has the bytes of the answer.

    The version of a document is weak: it stands for the document, whether compressed or not. An answer in
    several parts has a version only if its route gives it one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        versioned = scope["type"] == "http" and scope["path"].startswith(VERSIONED)
        if not versioned or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        known = ",".join(Headers(scope=scope).getlist("if-none-match"))
        start: Message | None = None
        answered = False

        async def send_if_new(message: Message) -> None:
            nonlocal start, answered
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                first, start = with_version(start, message), None
                answered = is_known(first, known)
                first, message = unchanged(first) if answered else (first, message)
                await send(first)
                await send(message)
            elif not answered:
                await send(message)

        await self.app(scope, receive, send_if_new)


def with_version(start: Message, body: Message) -> Message:
    """Return the start of an answer with its version, if its route has given it one or the body is whole."""
    headers = MutableHeaders(scope=start)
    headers.add_vary_header("Accept, Authorization")
    if not body.get("more_body", False):
        digest = hashlib.sha256(body.get("body", b"")).hexdigest()[:32]
        headers.setdefault("etag", f'W/"{digest}"')
    return start


def is_known(start: Message, known: str) -> bool:
    """Return whether the client has the answer: an `If-None-Match` names its version."""
    version = Headers(raw=start["headers"]).get("etag")
    return version is not None and names(known, version)


def unchanged(start: Message) -> tuple[Message, Message]:
    """Return 304 with the headers of the answer, and no body."""
    headers = MutableHeaders(scope=start)
    for name in DESCRIBES_BODY:
        if name in headers:
            del headers[name]
    return {**start, "status": 304}, {"type": "http.response.body", "body": b""}


def names(known: str, version: str) -> bool:
    """Return whether an `If-None-Match` names a version; weak and strong ones are alike (RFC 9110)."""
    given = [one.strip().removeprefix("W/") for one in known.split(",")]
    return given == ["*"] or version.removeprefix("W/") in given
