"""Limits of requests: each key, each workspace and each address of strangers has quotas (429 beyond them).

The headers RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11) tell a client where it
stands. Only a client that has shown a valid key counts for a key and a workspace, so that nobody can use up
the quota of another.
"""

import ipaddress
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import LoupeError
from service.settings import Settings
from service.web.problems import answer_loupe_error
from service.web.quotas import Allowance, Excess, Meters, Quota

UNCOUNTED = {"/healthz", "/readyz"}
"""Paths of the orchestrator, which must not take the server for dead because a neighbour is busy."""
MINUTE = 60
STRANGERS_AT_ONCE = 64
SIGN_INS = 30
"""Times that a key may sign in to the dashboard in a minute."""


class TooManyRequestsError(LoupeError):
    """A request beyond a quota."""

    status: ClassVar[int] = 429
    code = "too-many-requests"
    title = "Too many requests"

    def __init__(self, excess: Excess) -> None:
        quota, seconds = excess.quota, excess.retry_after_s
        allowed = (
            f"{quota.act.format(quota.at_once)} at the same time"
            if excess.at_once
            else f"{quota.act.format(quota.requests)} in {quota.window_s} s"
        )
        super().__init__(
            f"This {quota.subject or quota.name} may {allowed}. Send the request again in {seconds} s.",
            quota=quota.name,
            limit=quota.at_once if excess.at_once else quota.requests,
            retry_after_s=seconds,
        )
        self.retry_after_s = seconds

    def answer_headers(self) -> Mapping[str, str]:
        """Return the time after which the request may be repeated."""
        return {"Retry-After": str(self.retry_after_s)}


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The quotas of one server."""

    key: Quota
    workspace: Quota
    address: Quota
    sign_in: Quota

    @classmethod
    def of(cls, settings: Settings) -> "Quotas":
        """Return the quotas that the settings describe."""
        return cls(
            key=Quota(
                name="key",
                requests=settings.requests_per_key,
                window_s=MINUTE,
                at_once=settings.at_once_per_key,
            ),
            workspace=Quota(
                name="workspace",
                requests=settings.requests_per_workspace,
                window_s=MINUTE,
                at_once=settings.at_once_per_workspace,
            ),
            address=Quota(
                name="address",
                requests=settings.requests_per_stranger,
                window_s=MINUTE,
                at_once=STRANGERS_AT_ONCE,
            ),
            sign_in=Quota(
                name="sign-in",
                requests=SIGN_INS,
                window_s=MINUTE,
                at_once=settings.at_once_per_key,
                subject="key",
                act="sign in {} times",
            ),
        )


@dataclass
class Visit:
    """One request: the quotas that it counts for, and who sends it."""

    meters: Meters
    quotas: Quotas
    address: Hashable
    standings: list[Allowance] = field(default_factory=list)
    _counted: list[tuple[Quota, Hashable]] = field(default_factory=list)

    def admit(self, workspace: Hashable, key: Hashable) -> None:
        """Count a request whose key is valid; TooManyRequestsError (429) beyond a quota."""
        self._count(self.quotas.key, key)
        self._count(self.quotas.workspace, workspace)

    def admit_sign_in(self, workspace: Hashable, key: Hashable) -> None:
        """Count a sign-in, which writes rows that stay; TooManyRequestsError (429) beyond a quota."""
        self._count(self.quotas.sign_in, key)
        self.admit(workspace, key)

    def admit_stranger(self) -> None:
        """Count a request without a valid key; TooManyRequestsError (429) beyond the quota."""
        if not self._counted:
            self._count(self.quotas.address, self.address)

    def leave(self) -> None:
        """Count the end of the request."""
        for quota, subject in self._counted:
            self.meters.leave(quota, subject)
        self._counted.clear()

    def headers(self) -> Mapping[str, str]:
        """Return the headers that tell the client its quotas and where it stands."""
        policies = [
            f'"{one.quota.name}";q={one.quota.requests};w={one.quota.window_s}' for one in self.standings
        ]
        states = [f'"{one.quota.name}";r={one.remaining};t={one.full_in_s}' for one in self.standings]
        return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(states)} if states else {}

    def _count(self, quota: Quota, subject: Hashable) -> None:
        found = self.meters.enter(quota, subject)
        if isinstance(found, Excess):
            left = Allowance(quota=quota, remaining=0, full_in_s=found.retry_after_s)
            self.standings.append(left)
            raise TooManyRequestsError(found)
        self._counted.append((quota, subject))
        self.standings.append(found)


def visit_of(request: Request) -> Visit:
    """Return the request's visit, in which its authentication notes who sends it."""
    return cast(Visit, request.state.visit)


@dataclass
class _Answering:
    """The answer to a request: it states the quotas, and is dropped where nobody has counted the request.

    An address that needs no key does not look at one, so a request that shows a false key is counted here.
    """

    visit: Visit
    onwards: Send
    counted: bool
    refusal: TooManyRequestsError | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the answer, unless the request turns out to be beyond the quota of strangers."""
        if message["type"] == "http.response.start":
            if self.counted and not self.visit.standings:
                self._count()
            MutableHeaders(scope=message).update(self.visit.headers())
        if self.refusal is None:
            await self.onwards(message)

    def _count(self) -> None:
        try:
            self.visit.admit_stranger()
        except TooManyRequestsError as error:
            self.refusal = error


class LimitsMiddleware:
    """Middleware that counts requests. Those that show no key at all are counted before anything else."""

    def __init__(self, app: ASGIApp, quotas: Quotas, shows_key: tuple[str, ...]) -> None:
        self.app, self.quotas, self.meters = app, quotas, Meters()
        self.shows_key = shows_key
        """Names of headers in which a client may show a key."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = Visit(self.meters, self.quotas, address_of(scope))
        scope.setdefault("state", {})["visit"] = visit

        answering = _Answering(visit, send, counted=scope["path"] not in UNCOUNTED)
        try:
            headers = Headers(scope=scope)
            if answering.counted and not any(name in headers for name in self.shows_key):
                visit.admit_stranger()
            await self.app(scope, receive, answering.send)
            if answering.refusal is not None:
                raise answering.refusal
        except TooManyRequestsError as error:
            answering.refusal = None
            await answer_loupe_error(Request(scope), error)(scope, receive, answering.send)
        finally:
            visit.leave()


def address_of(scope: Scope) -> Hashable:
    """Return the client's address; of IPv6 the /64, of which one client has every address."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return int(address) >> 64 if address.version == 6 else host
