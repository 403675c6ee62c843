"""Requests as metrics: their time by route and status, and the problems that they were answered with."""

import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import PROBLEMS, REJECTED_UPLOADS, REQUEST_SECONDS
from service.web.middleware import BodyLimit, as_get
from service.web.problems import PROBLEM_CODE

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE, LEFT = "unmatched", "left"
"""Labels of requests for no address of the service, and of clients that left before their answer."""


class MetricsMiddleware:
    """Middleware that observes each request once it is answered or broken off. HEAD counts as GET."""

    def __init__(self, app: ASGIApp, uploads: Sequence[BodyLimit]) -> None:
        self.app, self.uploads = app, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, served, status = time.perf_counter(), as_get(scope), LEFT

        async def send_seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(served, receive, send_seen)
        finally:
            self._observe(served, status, time.perf_counter() - began)

    def _observe(self, scope: Scope, status: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        method = scope["method"] if scope["method"] in METHODS else "other"
        REQUEST_SECONDS.labels(route=route, method=method, status=status).observe(seconds)
        code = scope.get(PROBLEM_CODE)
        if code is None or status.startswith("3"):  # a visitor led to the sign-in form was refused nothing
            return
        PROBLEMS.labels(code=code).inc()
        if any(one.method == scope["method"] and one.path.fullmatch(scope["path"]) for one in self.uploads):
            REJECTED_UPLOADS.labels(code=code).inc()
