"""Digests that clients send with their bodies: `Content-Digest` and `Repr-Digest` (RFC 9530)."""

import base64
import hashlib
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIELDS = ("Content-Digest", "Repr-Digest")
"""Bodies are never compressed, so both state the digest of the same bytes."""
ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}
_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/=]*):\s*")


class DigestMiddleware:
    """Middleware that refuses a body which is not the one that its digest states, when its end arrives.

    Nothing is stored of it. Digests of other algorithms than SHA-256 and SHA-512 are ignored.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        stated = [(field, text) for field in FIELDS for text in headers.getlist(field)]
        if not stated:
            await self.app(scope, receive, send)
            return
        sums = {name: hashlib.new(of) for name, of in ALGORITHMS.items()}

        async def receive_summed() -> Message:
            message = await receive()
            for one in sums.values():
                one.update(message.get("body", b""))
            if message["type"] == "http.request" and not message.get("more_body", False):
                found = {name: one.digest() for name, one in sums.items()}
                for field, text in stated:
                    _compare(field, read_digests(field, text), found)
            return message

        await self.app(scope, receive_summed, send)


def read_digests(field: str, text: str) -> dict[str, bytes]:
    """Return the digests of a header by algorithm; HTTPException (400) if it cannot be read."""
    try:
        members = [_MEMBER.fullmatch(part) for part in text.split(",")]
        if None in members:
            raise ValueError("not a dictionary of byte sequences")
        return {one[1]: base64.b64decode(one[2], validate=True) for one in members if one}
    except ValueError as error:
        raise HTTPException(
            400, f"{field} cannot be read. Write it as sha-256=:BASE64: with the colons."
        ) from error


def _compare(field: str, stated: dict[str, bytes], found: dict[str, bytes]) -> None:
    for name, digest in stated.items():
        if name in found and digest != found[name]:
            actual = base64.b64encode(found[name]).decode()
            raise HTTPException(
                400,
                f"The body is not the one that {field} states: its {name} is {actual}. Send the file again.",
            )
