"""Compression of answers with gzip."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.negotiation import weighted

COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "image/tiff", "application/vnd.apache.parquet")
"""Media types that are compressed already."""
SHORT = 1_000
"""Bytes below which compression saves less than it costs."""
LEVEL = 6


class CompressionMiddleware(GZipMiddleware):
    """Middleware that compresses long answers for clients that accept gzip, except pages with secrets.

    Pages of the dashboard hold a form token beside text of the address, and a browser sends its cookie for
    any site that embeds them: the length of a compressed page would tell the token bit by bit (BREACH).
    Answers under `/v1` need a header that no other site can make a browser send.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, SHORT, LEVEL, exclude_content_types=COMPRESSED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if path.startswith("/dashboard") and not path.startswith("/dashboard/assets/"):
            await self.app(scope, receive, send)
        else:
            if scope["type"] == "http":
                choose_coding(scope)
            await super().__call__(scope, receive, send)


def choose_coding(scope: Scope) -> None:
    """Leave one coding in Accept-Encoding: Starlette only searches the header for gzip.

    The scope stays the same one, in which metrics and the access log look for the route.
    """
    accepted = ",".join(Headers(scope=scope).getlist("accept-encoding"))
    others = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    choice = b"gzip" if wants_gzip(accepted) else b"identity"
    scope["headers"] = [*others, (b"accept-encoding", choice)]


def wants_gzip(accepted: str) -> bool:
    """Return whether a header Accept-Encoding allows gzip, and does not prefer the bytes as they are."""
    qualities = {coding.lower(): quality for coding, quality in weighted(accepted)}
    named = [qualities[name] for name in ("gzip", "x-gzip", "*") if name in qualities]
    return bool(named) and named[0] > 0 and named[0] >= qualities.get("identity", 0)
