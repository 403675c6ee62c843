"""The name by which clients reach the server, and answers that do not depend on it."""

from collections.abc import Set as AbstractSet
from typing import ClassVar
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import LoupeError
from service.web.limits import UNCOUNTED
from service.web.problems import answer_loupe_error

LEADS_AWAY = "leads_away"


class HostUnknownError(LoupeError):
    """A request for a host that this server does not serve."""

    status: ClassVar[int] = 421
    code = "host-unknown"
    title = "This server does not serve that host"

    def __init__(self) -> None:
        super().__init__("Send the request to the address that the operator of the server has given you.")


class HostsMiddleware:
    """Middleware that refuses unknown hosts if some are named, and redirects without naming any.

    The framework writes the header Host, which the client chooses, into redirects. A route that leads to
    another server on purpose says so with `lead_away`.
    """

    def __init__(self, app: ASGIApp, trusted: AbstractSet[str]) -> None:
        self.app, self.trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # An orchestrator asks by the address of the machine.
        if self.trusted and scope["path"] not in UNCOUNTED and host_of(scope) not in self.trusted:
            await answer_loupe_error(Request(scope), HostUnknownError())(scope, receive, send)
            return

        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "location" in headers and not scope.get("state", {}).get(LEADS_AWAY):
                    headers["location"] = without_host(headers["location"])
            await send(message)

        await self.app(scope, receive, send_relative)


def lead_away(request: Request) -> None:
    """Let the redirect of this request name a host. The host must not come from the client."""
    setattr(request.state, LEADS_AWAY, True)


def host_of(scope: Scope) -> str:
    """Return the name that the request asks for, in lower case and without a port; empty for none."""
    given = Headers(scope=scope).get("host", "")
    try:
        return (urlsplit(f"//{given}").hostname or "") if "@" not in given else ""
    except ValueError:  # such as half an IPv6 address
        return ""


def without_host(address: str) -> str:
    """Return the path and query of an address: the client knows the rest."""
    parts = urlsplit(address)
    return parts._replace(scheme="", netloc="").geturl() or "/"
