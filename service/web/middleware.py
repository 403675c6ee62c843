"""The envelope of every request: an id, safe headers, a bounded body, and an answer to any exception."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.body_memory import BodyRoom
from service.web.problems import answer_http_exception, answer_unexpected

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    # Nothing here needs to run in a browser; the dashboard sets a policy of its own.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}

ANSWER_HEADERS = "loupe.headers"
"""Member of a request's scope: headers that its answer gets unless it is an error."""


class EnvelopeMiddleware:
    """Middleware that gives a request an id, an answer safe headers, and an unexpected exception a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = as_get(scope)
        scope["loupe.request_id"] = request_id(Headers(scope=scope).get("x-request-id"))
        scope[ANSWER_HEADERS] = own = dict[str, str]()
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = scope["loupe.request_id"]
                granted = own if message["status"] < 400 else {}
                for name, value in (granted | SAFE_HEADERS).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_safely)
        except ClientDisconnect:  # an upload was broken off; nobody waits for an answer
            return
        except Exception as error:
            if started:  # too late for another answer: the server closes the connection
                raise
            await answer_unexpected(Request(scope), error)(scope, receive, send_safely)


def as_get(scope: Scope) -> Scope:
    """Return the scope, or for HEAD a copy that asks for GET: the server still knows to send no body."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def request_id(offered: str | None) -> str:
    """Return the caller's id if it is harmless in a log, else a new one."""
    if offered is not None and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", offered):
        return offered
    return uuid4().hex


@dataclass(frozen=True)
class BodyLimit:
    """The largest body, in bytes, of requests with this method and path."""

    method: str
    path: re.Pattern[str]
    size: int
    spooled: bool = False
    """Whether the route writes the body to disk while it arrives, instead of keeping it in memory."""

    @classmethod
    def of(cls, method: str, path: str, size: int, *, spooled: bool = False) -> "BodyLimit":
        """Make a limit; `path` is a regular expression that the whole path must match."""
        return cls(method, re.compile(path), size, spooled)


class BodyCapMiddleware:
    """Middleware that refuses a body that is too large or compressed, before or while it is read.

    Starlette has no limit of its own and would keep any number of bytes. A large body also waits, unread,
    until its workspace has room for it in memory.
    """

    def __init__(self, app: ASGIApp, limits: Sequence[BodyLimit], default: int) -> None:
        self.app, self.limits, self.default = app, limits, default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, counting its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit(scope["method"], scope["path"])
        size = limit.size if limit else self.default
        headers = Headers(scope=scope)
        refusal = refuse_headers(headers, size)
        if refusal is not None:
            # The unread body is still on the wire, so the connection cannot be used again.
            refusal.headers = {"Connection": "close"}
            await answer_http_exception(Request(scope), refusal)(scope, receive, send)
            return
        scope["loupe.body_limit"] = size
        seen = 0
        room = BodyRoom(scope, int(headers.get("content-length", size)))

        async def receive_counted() -> Message:
            nonlocal seen
            if limit and not limit.spooled:
                await room.take()
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > size:
                # FastAPI lets this class through; any other would be answered as "400, malformed".
                raise too_large(size)
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            room.give_back()

    def limit(self, method: str, path: str) -> BodyLimit | None:
        """Return the limit of a request's body; None for one that has the default."""
        for limit in self.limits:
            if limit.method == method and limit.path.fullmatch(path):
                return limit
        return None


def refuse_headers(headers: Headers, limit: int) -> HTTPException | None:
    """Return why a body is refused for its headers, or None when they allow it."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        return HTTPException(415, "The body is compressed. Send it without Content-Encoding.")
    if not is_utf8(headers.get("content-type", "")):
        return HTTPException(415, "The body declares another charset than UTF-8. Send it in UTF-8.")
    length = headers.get("content-length")
    if length is not None and "transfer-encoding" in headers:
        return HTTPException(400, "Send either Content-Length or Transfer-Encoding, not both.")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        return HTTPException(400, "The header Content-Length is not a number.")
    return too_large(limit) if int(length) > limit else None


def is_utf8(content_type: str) -> bool:
    """Return whether a body is declared as UTF-8, or declares no charset.

    Starlette decodes the fields of a form with any codec of Python that the client names, on the event loop.
    One of them, punycode, needs a minute and a half for a field of a megabyte.
    """
    _, options = parse_options_header(content_type)  # with which Starlette reads the charset
    return options.get(b"charset", b"utf-8").lower() in {b"utf-8", b"utf8", b"us-ascii"}


def too_large(limit: int) -> HTTPException:
    """Return a 413 that names the limit."""
    return HTTPException(
        413,
        f"The body is too large; this request may send at most {limit} bytes.",
        headers={"Connection": "close"},
    )
